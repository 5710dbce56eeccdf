"""Legendre memory unit (Voelker et al. 2019)."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine, Bounded
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import normal, uniform, zeros

__all__ = ["LMUCell"]


class LMUCell(Cell):
    """A linear memory of the last `theta` steps of a signal u, as Legendre coefficients.

    u_t = e_x' x_t + e_h' h_{t-1} + e_m' m_{t-1}               (7)
    m_t = A m_{t-1} + B u_t                                    (4)
    h_t = tanh(W_x x_t + W_h h_{t-1} + W_m m_t)                (6)

    A and B are constants: the system theta dm/dt = A m + B u with a_ij = (2i + 1) times -1 where
    i < j, (-1)^(i - j + 1) elsewhere, and b_i = (2i + 1) (-1)^i (1, 2), held over one step.

    Voelker, Kajic & Eliasmith 2019, "Legendre Memory Units: Continuous-Time Representation in
    Recurrent Neural Networks", NeurIPS. `memory_size` D: how many polynomials; `theta`: the window,
    in steps. encoder_x (I,) and encoder_h (H,) are LeCun uniform, encoder_m (D,) zero; weight_ih
    (H, I), weight_hh (H, H), weight_mh (H, D) Xavier normal, as in the authors' code. The state is
    (h, m). m is linear in u.

    >>> import tinygrad_rnn as tg
    >>> outputs, [(h, m)] = tg.nn.Recurrent(tg.cells.LMUCell(3, 4))(tg.zeros(5, 2, 3))
    >>> outputs.shape, m.shape
    ((5, 2, 4), (2, 8))
    """

    claims = (Bounded(-1, 1, leaf=0), Affine(leaf=1))

    A: Tensor
    B: Tensor

    def __init__(
        self, input_size: int, hidden_size: int, memory_size: int = 8, theta: float = 20.0
    ) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.memory_size, self.theta = memory_size, theta
        self.encoder_x = uniform(input_size, bound=(3 / input_size) ** 0.5)
        self.encoder_h = uniform(hidden_size, bound=(3 / hidden_size) ** 0.5)
        self.encoder_m = zeros(memory_size)
        self.weight_ih = normal(
            hidden_size, input_size, std=(2 / (hidden_size + input_size)) ** 0.5
        )
        self.weight_hh = normal(
            hidden_size, hidden_size, std=(2 / (hidden_size + hidden_size)) ** 0.5
        )
        self.weight_mh = normal(
            hidden_size, memory_size, std=(2 / (hidden_size + memory_size)) ** 0.5
        )
        a, b = _held_over_one_step(memory_size, theta)
        self.register_buffer("A", a.astype(self.weight_hh.dtype))
        self.register_buffer("B", b.astype(self.weight_hh.dtype))

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """(h_0, m_0): zeros (B, H) and (B, D)."""
        return self.zeros(batch_size, self.hidden_size), self.zeros(batch_size, self.memory_size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """x (B, I), (h_{t-1}, m_{t-1}) -> (h_t, m_t)."""
        h, m = state
        u = (x @ self.encoder_x + h @ self.encoder_h + m @ self.encoder_m).named("u")
        m = (linear(m, self.A) + ops.expand_dims(u, axis=-1) * self.B).named("m")
        hidden = linear(x, self.weight_ih) + linear(h, self.weight_hh) + linear(m, self.weight_mh)
        return ops.tanh(hidden).named("h"), m


def _held_over_one_step(size: int, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """A (D, D) and B (D,) for steps of length 1 with u constant in each (zero-order hold)."""
    i, j = np.mgrid[:size, :size]
    system = np.zeros((size + 1, size + 1))  # of (m, u), with du/dt = 0 within a step
    system[:size, :size] = (2 * i + 1) * np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    system[:size, size] = (2 * i[:, 0] + 1) * (-1.0) ** i[:, 0]
    step = _exponential(system / theta)
    return step[:size, :size], step[:size, size]


def _exponential(matrix: np.ndarray) -> np.ndarray:
    """exp of a square matrix: a Taylor series of a fraction of it, then repeated squaring."""
    halvings = max(0, int(np.ceil(np.log2(np.abs(matrix).sum(axis=0).max() + 1e-300))) + 4)
    small = matrix / 2.0**halvings
    total = term = np.eye(len(matrix))
    for k in range(1, 20):
        term = term @ small / k
        total = total + term
    for _ in range(halvings):
        total = total @ total
    return total
