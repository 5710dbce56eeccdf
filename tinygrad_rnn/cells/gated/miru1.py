"""Minion recurrent unit 1 (Zyarah & Kudithipudi 2025)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["MiRU1Cell"]


class MiRU1Cell(PublishedCell):
    """A GRU whose update gate is a constant.

    r_t = s(W_r x_t + U_r h_{t-1} + b_r)              reset gate   (1)
    n_t = tanh(W_h x_t + U_h (r_t * h_{t-1}) + b_h)   candidate    (2)
    h_t = lambda h_{t-1} + (1 - lambda) n_t                        (3)

    Zyarah & Kudithipudi 2025, "Minion Gated Recurrent Unit for Continual Learning",
    arXiv:2503.06175, doi:10.1016/j.neucom.2026.132847. `update_coefficient` is lambda. weight_ih
    (2H, I) and weight_hh (2H, H) in the order r, n, uniform in +-1 / sqrt(H); biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MiRU1Cell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(self, input_size: int, hidden_size: int, update_coefficient: float = 0.5) -> None:
        self.weights(input_size, hidden_size, ih=2, hh=2)
        self.update_coefficient = update_coefficient

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        r_x, n_x = ops.split(linear(x, self.weight_ih, self.bias_ih), 2, axis=-1)
        u_r, u_n = ops.split(self.weight_hh, 2)
        b_r, b_n = ops.split(self.bias_hh, 2)
        r = ops.sigmoid(r_x + linear(h, u_r, b_r)).named("reset gate")
        n = ops.tanh(n_x + linear(r * h, u_n, b_n)).named("candidate")
        keep = self.update_coefficient
        new: Tensor = (keep * h + (1 - keep) * n).named("h")
        return new
