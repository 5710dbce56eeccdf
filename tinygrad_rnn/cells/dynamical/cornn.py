"""Coupled oscillatory RNN (Rusch & Mishra 2021)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, zeros

__all__ = ["coRNNCell"]


class coRNNCell(Cell):
    """A network of damped, driven oscillators: positions y and velocities z.

    z_t = z_{t-1} + dt (tanh(W y_{t-1} + V_z z_{t-1} + V x_t + b) - gamma y_{t-1} - epsilon z_{t-1})
    y_t = y_{t-1} + dt z_t

    Rusch & Mishra 2021, "Coupled Oscillatory Recurrent Neural Network (coRNN)", ICLR,
    arXiv:2010.00951. `dt`: the step; `gamma` and `epsilon`: frequency and damping. weight_ih
    (H, I), weight_hh (H, H) for y, weight_ch (H, H) for z, uniform in +-1 / sqrt(H); bias zero.
    The state is (y, z), and y is shown.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.coRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        dt: float = 0.1,
        gamma: float = 1.0,
        epsilon: float = 1.0,
    ) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.dt, self.gamma, self.epsilon = dt, gamma, epsilon
        bound = hidden_size**-0.5
        self.weight_ih = uniform(hidden_size, input_size, bound=bound)
        self.weight_hh = uniform(hidden_size, hidden_size, bound=bound)
        self.weight_ch = uniform(hidden_size, hidden_size, bound=bound)
        self.bias_ih = zeros(hidden_size)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Positions and velocities: zeros (B, H)."""
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        y, z = state
        drive = linear(x, self.weight_ih, self.bias_ih) + linear(y, self.weight_hh)
        force = ops.tanh(drive + linear(z, self.weight_ch)).named("force")
        z = (z + self.dt * (force - self.gamma * y - self.epsilon * z)).named("velocity")
        return (y + self.dt * z).named("h"), z
