"""IRNN: a plain RNN initialised to the identity (Le et al. 2015)."""

from __future__ import annotations

import math

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import normal, zeros

__all__ = ["IdentityRNNCell"]


class IdentityRNNCell(Cell):
    """A ReLU network whose recurrent matrix is initialised to the identity.

    h_t = relu(W x_t + U h_{t-1} + b)  (1)

    Le, Jaitly & Hinton 2015, "A Simple Way to Initialize Recurrent Networks of Rectified Linear
    Units", arXiv:1504.00941. weight_ih (H, I), normal with standard deviation 0.001; weight_hh (H,
    H) starts as the identity times `scale` (1.0; the paper uses a smaller scale where long memory
    does harm); bias zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.IdentityRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(0, math.inf),)

    def __init__(self, input_size: int, hidden_size: int, scale: float = 1.0) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = normal(hidden_size, input_size, std=0.001)
        self.weight_hh = zeros(hidden_size, hidden_size)
        self.weight_hh.data[:] = scale * np.eye(hidden_size)
        self.bias_ih = zeros(hidden_size)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        new: Tensor = ops.relu(
            linear(x, self.weight_ih, self.bias_ih) + linear(h, self.weight_hh)
        ).named("h")
        return new
