"""Minimal gated unit (Zhou et al. 2016)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["MGUCell"]


class MGUCell(PublishedCell):
    """A GRU with a single gate, used for both reset and update.

    f_t = s(W_f x_t + U_f h_{t-1} + b_f)              forget gate  (1)
    n_t = tanh(W_h x_t + U_h (f_t * h_{t-1}) + b_h)   candidate    (2)
    h_t = (1 - f_t) * h_{t-1} + f_t * n_t                          (3)

    Zhou, Wu, Zhang & Zhou 2016, "Minimal Gated Unit for Recurrent Neural Networks",
    arXiv:1603.09420. weight_ih (2H, I) and weight_hh (2H, H) in the order f, n, uniform in +-1
    / sqrt(H); biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MGUCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=2)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        f_x, n_x = ops.split(linear(x, self.weight_ih, self.bias_ih), 2, axis=-1)
        w_f, w_n = ops.split(self.weight_hh, 2)
        b_f, b_n = ops.split(self.bias_hh, 2)
        f = ops.sigmoid(f_x + linear(h, w_f, b_f)).named("forget gate")
        n = ops.tanh(n_x + linear(f * h, w_n, b_n)).named("candidate")
        new: Tensor = ((1 - f) * h + f * n).named("h")
        return new
