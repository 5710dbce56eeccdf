"""Lipschitz RNN (Erichson et al. 2021)."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import normal, uniform

__all__ = ["LipschitzRNNCell"]


class LipschitzRNNCell(Cell):
    """One Euler step of a stable system: a linear part and a Lipschitz nonlinearity.

    h_t = h_{t-1} + epsilon (A h_{t-1} + tanh(W h_{t-1} + V x_t + b))      (3), by Euler's rule
    A = (1 - beta) (M_A + M_A') + beta (M_A - M_A') - gamma I                     (4)

    and W from M_W in the same way. beta moves the eigenvalues between the real and the imaginary
    axis; gamma moves them to the left.

    Erichson, Azencot, Queiruga, Hodgkinson & Mahoney 2021, "Lipschitz Recurrent Neural Networks",
    ICLR, arXiv:2006.12070. `epsilon`, `beta` and `gamma` are those of the authors' experiment on
    pixel-by-pixel MNIST. weight_ih (H, I) uniform in +-1 / sqrt(I); weight_ch (H, H), M_A, and
    weight_hh (H, H), M_W, normal with standard deviation 1 / H, as in their code; bias uniform like
    weight_ih. With beta = 1, A is antisymmetric except for the term -gamma I.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.LipschitzRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        epsilon: float = 0.03,
        beta: float = 0.75,
        gamma: float = 0.001,
    ) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.epsilon, self.beta, self.gamma = epsilon, beta, gamma
        self.weight_ih = uniform(hidden_size, input_size, bound=input_size**-0.5)
        self.weight_ch = normal(hidden_size, hidden_size, std=1 / hidden_size)
        self.weight_hh = normal(hidden_size, hidden_size, std=1 / hidden_size)
        self.bias_ih = uniform(hidden_size, bound=input_size**-0.5)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        force = ops.tanh(
            linear(h, self.stable(self.weight_hh)) + linear(x, self.weight_ih, self.bias_ih)
        ).named("force")
        new: Tensor = (h + self.epsilon * (linear(h, self.stable(self.weight_ch)) + force)).named(
            "h"
        )
        return new

    def stable(self, m: Tensor) -> Tensor:
        """Equation 4: the stable matrix for `m` (H, H)."""
        damping = self.gamma * np.eye(self.hidden_size, dtype=m.dtype)
        return (1 - self.beta) * (m + m.T) + self.beta * (m - m.T) - damping
