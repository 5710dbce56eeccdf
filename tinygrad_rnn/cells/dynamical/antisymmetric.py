"""Antisymmetric RNN (Chang et al. 2019)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Undamped
from ...nn.functional import linear
from ..parameters import normal
from ..published import PublishedCell

__all__ = ["AntisymmetricRNNCell"]


class AntisymmetricRNNCell(PublishedCell):
    """An ODE discretised in small steps, whose Jacobian has almost imaginary eigenvalues.

    A   = W - W^T - gamma I                              (1)
    h_t = h_{t-1} + epsilon tanh(A h_{t-1} + V x_t + b)  (2)

    Chang, Chen, Haber & Chi 2019, "AntisymmetricRNN: A Dynamical System View on Recurrent
    Neural Networks", arXiv:1902.09689. `epsilon`: the step size; `gamma`: diffusion. weight_ih
    (H, I) uniform in +-1 / sqrt(H), weight_hh (H, H) normal with variance 1 / H; bias zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.AntisymmetricRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(
        self, input_size: int, hidden_size: int, epsilon: float = 1.0, gamma: float = 0.0
    ) -> None:
        self.weights(input_size, hidden_size, ih=1)
        self.epsilon = epsilon
        self.gamma = gamma
        self.claims = (Undamped(),) if gamma == 0 else ()
        self.weight_hh = normal(hidden_size, hidden_size, std=hidden_size**-0.5)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        a_h = linear(h, self.weight_hh - self.weight_hh.T) - self.gamma * h
        new: Tensor = h + self.epsilon * ops.tanh(a_h + linear(x, self.weight_ih, self.bias_ih))
        return new.named("h")
