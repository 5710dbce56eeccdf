"""The cell found by neural architecture search (Zoph & Le 2017)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["NASCell"]


class NASCell(PublishedCell):
    """A tree of two levels, found by reinforcement learning.

    a_k = W_k x_t + b_k,  u_k = U_k h_{t-1} + b_k',   k = 0, ..., 7       (1)
    l_1 = tanh(s(a_0 + u_0) * relu(a_1 + u_1))                            (2)
    l_2 = tanh(s(a_2 + u_2) + relu(a_3 * u_3))                            (3)
    l_3 = tanh(tanh(a_4 + u_4) * s(a_5 + u_5))                            (4)
    l_4 = s(tanh(a_6 + u_6) + s(a_7 + u_7))                               (5)
    c_t = tanh(l_1 + c_{t-1}) * l_2                                       (6)
    h_t = tanh(c_t * tanh(l_3 + l_4))                                     (7)

    Zoph & Le 2017, "Neural Architecture Search with Reinforcement Learning", ICLR,
    arXiv:1611.01578, figure 8. weight_ih (8H, I) and weight_hh (8H, H) in the order k, uniform in
    +-1 / sqrt(H); biases zero. (The product in (3) follows the authors' code, TensorFlow's
    contrib.rnn.NASCell; torchrecurrent 0.2.5 has a sum there.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.NASCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)
    state_names = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=8, hh=8)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h, c = state
        a = ops.split(linear(x, self.weight_ih, self.bias_ih), 8, axis=-1)
        u = ops.split(linear(h, self.weight_hh, self.bias_hh), 8, axis=-1)
        l_1 = ops.tanh(ops.sigmoid(a[0] + u[0]) * ops.relu(a[1] + u[1]))
        l_2 = ops.tanh(ops.sigmoid(a[2] + u[2]) + ops.relu(a[3] * u[3]))
        l_3 = ops.tanh(ops.tanh(a[4] + u[4]) * ops.sigmoid(a[5] + u[5]))
        l_4 = ops.sigmoid(ops.tanh(a[6] + u[6]) + ops.sigmoid(a[7] + u[7]))
        c = (ops.tanh(l_1 + c) * l_2).named("c")
        return ops.tanh(c * ops.tanh(l_3 + l_4)).named("h"), c
