"""Coupled oscillatory RNN (Rusch & Mishra 2021)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["coRNNCell"]


class coRNNCell(PublishedCell):
    """A network of damped, driven oscillators: positions y and velocities z.

    f_t = tanh(W y_{t-1} + V_z z_{t-1} + V x_t + b)   force                (1)
    z_t = z_{t-1} + dt (f_t - gamma y_{t-1} - epsilon z_{t-1})             (2)
    y_t = y_{t-1} + dt z_t                                                 (3)

    Rusch & Mishra 2021, "Coupled Oscillatory Recurrent Neural Network (coRNN)", ICLR,
    arXiv:2010.00951. `dt`: the step; `gamma` and `epsilon`: frequency and damping. weight_ih (H,
    I), weight_hh (H, H) for y, weight_ch (H, H) for z, uniform in +-1 / sqrt(H); bias zero. The
    state is (y, z); the output is y.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.coRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    state_names = ("y", "z")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        dt: float = 0.1,
        gamma: float = 1.0,
        epsilon: float = 1.0,
    ) -> None:
        self.weights(input_size, hidden_size, ih=1, hh=1, bias_hh=0)
        self.dt, self.gamma, self.epsilon = dt, gamma, epsilon
        self.weight_ch = uniform(hidden_size, hidden_size, bound=hidden_size**-0.5)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        y, z = state
        drive = linear(x, self.weight_ih, self.bias_ih) + linear(y, self.weight_hh)
        force = ops.tanh(drive + linear(z, self.weight_ch)).named("force")
        z = (z + self.dt * (force - self.gamma * y - self.epsilon * z)).named("velocity")
        return (y + self.dt * z).named("h"), z
