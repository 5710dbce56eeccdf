"""Undamped independent controlled oscillators (Rusch & Mishra 2021)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Diagonal, VolumePreserving
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["UnICORNNCell"]


class UnICORNNCell(PublishedCell):
    """Independent oscillators, discretised symplectically.

    z_t = z_{t-1} - dt s(c) * (tanh(w * y_{t-1} + V x_t + b) + alpha y_{t-1})  (1)
    y_t = y_{t-1} + dt s(c) * z_t                                              (2)

    Rusch & Mishra 2021, "UnICORNN: A recurrent model for learning very long time dependencies",
    ICML, arXiv:2103.05487. weight_ih (H, I) uniform in +-1 / sqrt(H), weight_hh (H,) uniform in
    +-1, weight_ch (H,), the time scales c, uniform in +-0.1; bias zero. The state is (y, z); the
    output is y. A step preserves volume in (y, z).

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.UnICORNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = VolumePreserving(), Diagonal()

    state_names = ("y", "z")

    def __init__(
        self, input_size: int, hidden_size: int, dt: float = 0.1, alpha: float = 1.0
    ) -> None:
        self.weights(input_size, hidden_size, ih=1)
        self.dt, self.alpha = dt, alpha
        self.weight_hh = uniform(hidden_size, bound=1.0)
        self.weight_ch = uniform(hidden_size, bound=0.1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        y, z = state
        scale = self.dt * ops.sigmoid(self.weight_ch)
        force = ops.tanh(self.weight_hh * y + linear(x, self.weight_ih, self.bias_ih)).named(
            "force"
        )
        z = (z - scale * (force + self.alpha * y)).named("velocity")
        return (y + scale * z).named("h"), z
