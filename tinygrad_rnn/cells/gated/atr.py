"""Addition-subtraction twin-gated network (Zhang et al. 2018)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["ATRCell"]


class ATRCell(PublishedCell):
    """Two gates from one sum and one difference: half the products of a GRU.

    p_t = W x_t + b,  q_t = U h_{t-1} + b                     (1)
    i_t = s(p_t + q_t)                           input gate   (2)
    f_t = s(p_t - q_t)                           forget gate  (3)
    h_t = i_t * p_t + f_t * h_{t-1}                           (4)

    Zhang, Xiong, Su, Lin & Zhang 2018, "Simplifying Neural Machine Translation with Addition-
    Subtraction Twin-Gated Recurrent Networks", arXiv:1810.12546. weight_ih (H, I), weight_hh
    (H, H), uniform in +-1 / sqrt(H); biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.ATRCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=1, hh=1)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        p = linear(x, self.weight_ih, self.bias_ih)
        q = linear(h, self.weight_hh, self.bias_hh)
        i = ops.sigmoid(p + q).named("input gate")
        f = ops.sigmoid(p - q).named("forget gate")
        new: Tensor = (i * p + f * h).named("h")
        return new
