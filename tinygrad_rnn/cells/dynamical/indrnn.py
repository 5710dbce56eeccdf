"""Independently recurrent network (Li et al. 2018)."""

from __future__ import annotations

import math

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Bounded, Diagonal
from ...nn.functional import linear
from ..parameters import uniform
from ..published import PublishedCell

__all__ = ["IndRNNCell"]


class IndRNNCell(PublishedCell):
    """Each neuron depends only on its own state, so its gradient in time is a power of one weight.

    h_t = relu(W x_t + u * h_{t-1} + b)  (1)

    Li, Li, Cook, Zhu & Gao 2018, "Independently Recurrent Neural Network (IndRNN)",
    arXiv:1803.04831. weight_ih (H, I), uniform in +-1 / sqrt(H); weight_hh (H,), the vector u,
    uniform in +-1; bias zero.

    >>> import tinygrad_rnn as tg
    >>> outputs, state = tg.nn.Recurrent(tg.cells.IndRNNCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 4)
    """

    claims = (Bounded(0, math.inf), Diagonal())

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.weights(input_size, hidden_size, ih=1)
        self.weight_hh = uniform(hidden_size, bound=1.0)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state, each leaf (B, H) -> the next state."""
        h = state
        new: Tensor = ops.relu(linear(x, self.weight_ih, self.bias_ih) + self.weight_hh * h).named(
            "h"
        )
        return new
