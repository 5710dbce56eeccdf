"""GRU with weighted time-delay feedback (Erichson et al. 2022)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["tauGRUCell"]


class tauGRUCell(PublishedCell):
    """The candidate also takes the state from d steps earlier, weighted by a gate.

    u_t = tanh(W_1 h_{t-1} + U_1 x_t + b_1)           candidate    (1)
    z_t = tanh(W_2 h_{t-1-d} + U_2 x_t + b_2)         delayed      (2)
    g_t = s(W_3 h_{t-1} + U_3 x_t + b_3)              update gate  (3)
    a_t = s(W_4 h_{t-1} + U_4 x_t + b_4)              weight       (4)
    h_t = (1 - g_t) * h_{t-1} + g_t * (u_t + a_t * z_t)            (5)

    Erichson, Lim & Mahoney 2022, "Gated Recurrent Neural Networks with Weighted Time-Delay
    Feedback", arXiv:2212.00228, section 4. `delay` is d, at least 1. weight_ih (4H, I) and
    weight_hh (4H, H) in the order 1 to 4, uniform in +-1 / sqrt(H); bias_ih (4H,) zero. The state
    is h (B, H) and the d earlier states (B, d, H), oldest first, initially zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.tauGRUCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-2, 2),)

    def __init__(self, input_size: int, hidden_size: int, delay: int = 1) -> None:
        if delay < 1:
            raise ValueError(f"tauGRUCell needs a delay of 1 step or more, got {delay}")
        self.weights(input_size, hidden_size, ih=4, hh=4, bias_hh=0)
        self.delay = delay

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """h_0 and the earlier states: zeros (B, H) and (B, d, H)."""
        zeros = self.zeros(batch_size, self.delay, self.hidden_size)
        return self.zeros(batch_size, self.hidden_size), zeros

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, h (B, H) and earlier ones (B, d, H) -> the next state."""
        h, past = state
        u_x, z_x, g_x, a_x = ops.split(linear(x, self.weight_ih, self.bias_ih), 4, axis=-1)
        w_u, w_z, w_g, w_a = ops.split(self.weight_hh, 4)
        u = ops.tanh(u_x + linear(h, w_u)).named("candidate")
        z = ops.tanh(z_x + linear(past[:, 0], w_z)).named("delayed candidate")
        g = ops.sigmoid(g_x + linear(h, w_g)).named("update gate")
        a = ops.sigmoid(a_x + linear(h, w_a)).named("weight of the delayed")
        new = ((1 - g) * h + g * (u + a * z)).named("h")
        return new, ops.concatenate([past[:, 1:], ops.expand_dims(h, axis=1)], axis=1)
