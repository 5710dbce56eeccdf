"""Orthogonal RNN by Householder reflections (Mhammedi et al. 2017)."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...engine.tensor import Tensor, from_numpy
from ...nn.claims import NonExpanding
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import normal, xavier, zeros

__all__ = ["HouseholderRNNCell"]


class HouseholderRNNCell(Cell):
    """A plain RNN whose recurrent matrix is a product of reflections: orthogonal by construction.

    h_t = leaky_relu(Q h_{t-1} + W x_t + b)                    slope 0.1
    Q = H(u_1) H(u_2) ... H(u_m)
    H(u) = I - 2 u u' / |u|^2                                  u_j zero before its j-th entry

    Mhammedi, Hellicar, Rahman & Bailey 2017, "Efficient Orthogonal Parametrisation of Recurrent
    Neural Networks Using Householder Reflections", ICML, arXiv:1612.00188. `count` m: how many
    reflections, at most H; with H of them Q can be any orthogonal matrix up to signs. reflections
    (m, H) starts normal with rows of length one, weight_ih (H, I) Xavier uniform, bias zero, as in
    the authors' code. `matrix()` is Q; it is computed once for all steps.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> cell = tg.cells.HouseholderRNNCell(3, 4, count=2)
    >>> q = cell.matrix().data
    >>> np.allclose(q @ q.T, np.eye(4), atol=1e-6)
    True
    """

    claims = (NonExpanding(),)

    def __init__(self, input_size: int, hidden_size: int, count: int = 16) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.count = min(count, hidden_size)
        self.weight_ih = xavier(hidden_size, input_size)
        self.bias_ih = zeros(hidden_size)
        self.reflections = normal(self.count, hidden_size, std=1.0)
        rows = np.triu(self.reflections.data)
        self.reflections.data[:] = rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, H) -> the next state."""
        h = state
        new: Tensor = linear(h, self.matrix()) + linear(x, self.weight_ih, self.bias_ih)
        new = ops.leaky_relu(new, negative_slope=0.1).named("h")
        return new

    def matrix(self) -> Tensor:
        """Q (H, H)."""
        q = from_numpy(np.eye(self.hidden_size, dtype=self.reflections.dtype))
        for u in ops.unstack(ops.triu(self.reflections)):
            q = q - ops.outer(q @ u, (2 / ops.sum(u * u)) * u)
        return q
