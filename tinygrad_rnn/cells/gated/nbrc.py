"""Recurrently neuromodulated bistable cell (Vecoven et al. 2021)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["NBRCell"]


class NBRCell(PublishedCell):
    """A bistable cell whose modulation and gate depend on the states of all neurons.

    a_t = 1 + tanh(U_a x_t + W_a h_{t-1})             modulation   (1)
    c_t = s(U_c x_t + W_c h_{t-1})                    update gate  (2)
    h_t = c_t * h_{t-1} + (1 - c_t) * tanh(U x_t + a_t * h_{t-1})  (3)

    Vecoven, Ernst & Drion 2021, "A bio-inspired bistable recurrent cell allows for long-lasting
    memory", PLOS ONE 16(6). weight_ih (3H, I) in the order a, c, n and weight_hh (2H, H),
    uniform in +-1 / sqrt(H); biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.NBRCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=3, hh=2)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        a, c, n = ops.split(linear(x, self.weight_ih, self.bias_ih), 3, axis=-1)
        a_h, c_h = ops.split(linear(h, self.weight_hh, self.bias_hh), 2, axis=-1)
        a = (1 + ops.tanh(a + a_h)).named("modulation")
        c = ops.sigmoid(c + c_h).named("update gate")
        new: Tensor = (c * h + (1 - c) * ops.tanh(n + a * h)).named("h")
        return new
