"""Long expressive memory (Rusch et al. 2022)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["LEMCell"]


class LEMCell(PublishedCell):
    """Two states with separate learned time steps: multiscale in time.

    d_t = dt s(W_1 y_{t-1} + V_1 x_t + b_1)           time step of z     (1)
    e_t = dt s(W_2 y_{t-1} + V_2 x_t + b_2)           time step of y     (2)
    z_t = (1 - d_t) * z_{t-1} + d_t * tanh(W_z y_{t-1} + V_z x_t + b_z)  (3)
    y_t = (1 - e_t) * y_{t-1} + e_t * tanh(W_y z_t + V_y x_t + b_y)      (4)

    Rusch, Mishra, Erichson & Mahoney 2022, "Long Expressive Memory for Sequence Modeling", ICLR,
    arXiv:2110.04744. weight_ih (4H, I) in the order 1, 2, z, y, weight_hh (3H, H) in the order 1,
    2, z, weight_ch (H, H), which is W_y; uniform in +-1 / sqrt(H), biases zero. The state is (y,
    z); the output is y. (torchrecurrent 0.2.5 uses z_{t-1} in the last line and swaps the names of
    the two time steps.)

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.LEMCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    state_names = ("y", "z")

    def __init__(self, input_size: int, hidden_size: int, dt: float = 1.0) -> None:
        self.weights(input_size, hidden_size, ih=4, hh=3, bias_hh=0)
        self.dt = dt
        self.claims = (Bounded(-1, 1),) if dt <= 1 else ()
        self.weight_ch = uniform(hidden_size, hidden_size, bound=hidden_size**-0.5)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        y, z = state
        d_x, e_x, z_x, y_x = ops.split(linear(x, self.weight_ih, self.bias_ih), 4, axis=-1)
        d_y, e_y, z_y = ops.split(linear(y, self.weight_hh), 3, axis=-1)
        d = (self.dt * ops.sigmoid(d_x + d_y)).named("time step of z")
        e = (self.dt * ops.sigmoid(e_x + e_y)).named("time step of y")
        z = ((1 - d) * z + d * ops.tanh(z_x + z_y)).named("z")
        y = ((1 - e) * y + e * ops.tanh(y_x + linear(z, self.weight_ch))).named("h")
        return y, z
