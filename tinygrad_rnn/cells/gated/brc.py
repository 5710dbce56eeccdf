"""Bistable recurrent cell (Vecoven et al. 2021)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded, Diagonal
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["BRCell"]


class BRCell(PublishedCell):
    """Each neuron depends only on its own state and can be bistable, as biological neurons are.

    a_t = 1 + tanh(U_a x_t + w_a * h_{t-1})           modulation   (1)
    c_t = s(U_c x_t + w_c * h_{t-1})                  update gate  (2)
    h_t = c_t * h_{t-1} + (1 - c_t) * tanh(U x_t + a_t * h_{t-1})  (3)

    Where a_t is above 1 the neuron is bistable.

    Vecoven, Ernst & Drion 2021, "A bio-inspired bistable recurrent cell allows for long-lasting
    memory", PLOS ONE 16(6). weight_ih (3H, I) in the order a, c, n, uniform in +-1 / sqrt(H);
    weight_hh (2H,) with the vectors w_a, w_c; biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.BRCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1), Diagonal())

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=3, bias_hh=2)
        self.weight_hh = uniform(2 * hidden_size, bound=hidden_size**-0.5)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        a, c, n = ops.split(linear(x, self.weight_ih, self.bias_ih), 3, axis=-1)
        w_a, w_c = ops.split(self.weight_hh, 2)
        b_a, b_c = ops.split(self.bias_hh, 2)
        a = (1 + ops.tanh(a + w_a * h + b_a)).named("modulation")
        c = ops.sigmoid(c + w_c * h + b_c).named("update gate")
        new: Tensor = (c * h + (1 - c) * ops.tanh(n + a * h)).named("h")
        return new
