"""Antisymmetric RNN with gating (Chang et al. 2019)."""

from __future__ import annotations

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import linear
from ..parameters import normal
from ..published import PublishedCell

__all__ = ["GatedAntisymmetricRNNCell"]


class GatedAntisymmetricRNNCell(PublishedCell):
    """The antisymmetric RNN with an input gate, which shares the recurrent matrix.

    A   = W - W^T - gamma I                                                  (1)
    z_t = s(A h_{t-1} + V_z x_t + b_z)                           input gate  (2)
    h_t = h_{t-1} + epsilon z_t * tanh(A h_{t-1} + V_h x_t + b_h)            (3)

    Chang, Chen, Haber & Chi 2019, "AntisymmetricRNN: A Dynamical System View on Recurrent
    Neural Networks", arXiv:1902.09689. weight_ih (2H, I) in the order z, h, uniform in +-1 /
    sqrt(H), weight_hh (H, H) normal with variance 1 / H; biases zero.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.Recurrent(tg.cells.GatedAntisymmetricRNNCell(3, 4))
    >>> outputs, state = layer(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(
        self, input_size: int, hidden_size: int, epsilon: float = 1.0, gamma: float = 0.0
    ) -> None:
        self.weights(input_size, hidden_size, ih=2)
        self.epsilon = epsilon
        self.gamma = gamma
        self.weight_hh = normal(hidden_size, hidden_size, std=hidden_size**-0.5)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        a_h = linear(h, self.weight_hh - self.weight_hh.T) - self.gamma * h
        z, v = ops.split(linear(x, self.weight_ih, self.bias_ih), 2, axis=-1)
        z = ops.sigmoid(a_h + z).named("input gate")
        new: Tensor = h + self.epsilon * z * ops.tanh(a_h + v)
        return new.named("h")
