"""Recurrent additive network (Lee et al. 2017)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Bounded, Diagonal
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["RANCell"]


class RANCell(PublishedCell):
    """An LSTM without a nonlinear recurrence: the state is a weighted sum of its inputs.

    n_t = W_n x_t                                     content      (1)
    i_t = s(W_i x_t + U_i h_{t-1} + b_i)              input gate   (2)
    f_t = s(W_f x_t + U_f h_{t-1} + b_f)              forget gate  (3)
    c_t = i_t * n_t + f_t * c_{t-1}                                (4)
    h_t = tanh(c_t)                                                (5)

    Lee, Levy & Zettlemoyer 2017, "Recurrent Additive Networks", arXiv:1705.07393. weight_ih
    (3H, I) in the order n, i, f, the first without bias, and weight_hh (2H, H), uniform in +-1
    / sqrt(H); biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.RANCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1, leaf=0), Affine(leaf=1), Diagonal(leaf=1))
    state_names = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=3, hh=2, bias_ih=2)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        n, gates = ops.split(linear(x, self.weight_ih), [self.hidden_size], axis=-1)
        gates = gates + self.bias_ih + linear(h, self.weight_hh, self.bias_hh)
        i, f = ops.split(gates, 2, axis=-1)
        i = ops.sigmoid(i).named("input gate")
        f = ops.sigmoid(f).named("forget gate")
        c = (i * n + f * c).named("c")
        return ops.tanh(c).named("h"), c
