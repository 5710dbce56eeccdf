"""Minion recurrent unit 2 (Zyarah & Kudithipudi 2025)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..published import PublishedCell

__all__ = ["MiRU2Cell"]


class MiRU2Cell(PublishedCell):
    """A GRU whose gates are two constants: a leaky plain RNN.

    n_t = tanh(W x_t + U (beta h_{t-1}) + b)         candidate    (1)
    h_t = lambda h_{t-1} + (1 - lambda) n_t                        (2)

    Zyarah & Kudithipudi 2025, "Minion Gated Recurrent Unit for Continual Learning",
    arXiv:2503.06175, doi:10.1016/j.neucom.2026.132847. `update_coefficient` is lambda,
    `reset_coefficient` beta. weight_ih (H, I) and weight_hh (H, H), uniform in +-1 / sqrt(H);
    biases zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.MiRU2Cell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(-1, 1),)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        update_coefficient: float = 0.5,
        reset_coefficient: float = 0.5,
    ) -> None:
        self.weights(input_size, hidden_size, ih=1, hh=1)
        self.update_coefficient = update_coefficient
        self.reset_coefficient = reset_coefficient

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        old = linear(self.reset_coefficient * h, self.weight_hh, self.bias_hh)
        n = ops.tanh(linear(x, self.weight_ih, self.bias_ih) + old).named("candidate")
        keep = self.update_coefficient
        new: Tensor = (keep * h + (1 - keep) * n).named("h")
        return new
