"""S5: one diagonal state-space model for all channels (Smith et al. 2023)."""

from __future__ import annotations

import math

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.claims import Affine
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import normal, uniform, zeros

__all__ = ["S5Cell"]

Pair = tuple[Tensor, Tensor]


class S5Cell(Cell):
    """A continuous diagonal complex linear system, discretised with learned step lengths.

    s_t = exp(L d) * s_{t-1} + L^-1 (exp(L d) - 1) * (B x_t)   zero-order hold
    y_t = 2 Re(C s_t) + D x_t

    L: the eigenvalues, one of each conjugate pair (hence the factor 2); d: a step length for each.

    Smith, Warrington & Linderman 2023, "Simplified State Space Layers for Sequence Modeling", ICLR,
    arXiv:2208.04933. `hidden_size` H: the size of y; `state_size` P: how many pairs, H by default.
    Complex numbers are pairs of reals, real part first: the state is two Tensors (B, P),
    eigenvalues (2, P), weight_ih B (2P, I), weight_ho C (2, H, P), log_step (P,), weight_io D (H,
    I). Eigenvalues start as those of the normal part of the HiPPO-LegS matrix of size 2P, B and C
    LeCun normal in its eigenvectors, d log-uniform in 0.001 .. 0.1, D normal with variance 1 / I.
    (In the paper D is a diagonal, for layers with as many outputs as inputs.) The real part of L is
    clipped to -0.0001 or less, as in the authors' code with `clip_eigs`, so that the state cannot
    grow by itself. The step is affine in its state.

    >>> import tinygrad_rnn as tg
    >>> outputs, [state] = tg.nn.Recurrent(tg.cells.S5Cell(3, 4, state_size=8))(tg.zeros(5, 2, 3))
    >>> outputs.shape, state[0].shape
    ((5, 2, 4), (2, 8))
    """

    claims = (Affine(),)

    def __init__(self, input_size: int, hidden_size: int, state_size: int | None = None) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.state_size = state_size or hidden_size
        pairs = self.state_size
        values, vectors = _hippo(2 * pairs)
        values, vectors = values[:pairs], vectors[:, :pairs]
        self.eigenvalues = zeros(2, pairs)
        self.eigenvalues.data[:] = values.real, values.imag
        b = vectors.conj().T @ normal(2 * pairs, input_size, std=input_size**-0.5).data
        self.weight_ih = zeros(2 * pairs, input_size)
        self.weight_ih.data[:] = np.concatenate([b.real, b.imag])
        c = normal(2, hidden_size, 2 * pairs, std=(2 * pairs) ** -0.5).data
        c = (c[0] + 1j * c[1]) @ vectors
        self.weight_ho = zeros(2, hidden_size, pairs)
        self.weight_ho.data[:] = c.real, c.imag
        self.weight_io = normal(hidden_size, input_size, std=input_size**-0.5)
        self.log_step = uniform(pairs, bound=0.5 * math.log(100.0))
        self.log_step.data += math.log(0.01)

    def initial_state(self, batch_size: int) -> Pair:
        """Real and imaginary part: zeros (B, P)."""
        zeros = self.zeros(batch_size, self.state_size)
        return zeros, zeros

    def step(self, x: Tensor, state: Pair) -> tuple[Tensor, Pair]:
        """x (B, I) and the state -> y (B, H) and the next state."""
        real, imaginary = state
        l_r, l_i = ops.minimum(self.eigenvalues[0], -1e-4), self.eigenvalues[1]
        d = ops.exp(self.log_step)
        a_r = ops.exp(l_r * d) * ops.cos(l_i * d)
        a_i = ops.exp(l_r * d) * ops.sin(l_i * d)
        # (a - 1) / L, as a product by the conjugate of L.
        size = l_r * l_r + l_i * l_i
        g_r = ((a_r - 1) * l_r + a_i * l_i) / size
        g_i = (a_i * l_r - (a_r - 1) * l_i) / size
        b_r, b_i = ops.split(linear(x, self.weight_ih), 2, axis=-1)
        state = (
            (a_r * real - a_i * imaginary + g_r * b_r - g_i * b_i).named("real part"),
            (a_i * real + a_r * imaginary + g_i * b_r + g_r * b_i).named("imaginary part"),
        )
        y = linear(state[0], self.weight_ho[0]) - linear(state[1], self.weight_ho[1])
        return (2 * y + linear(x, self.weight_io)).named("y"), state


def _hippo(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and orthonormal eigenvectors of the normal part of HiPPO-LegS (B.1.1)."""
    root = np.sqrt(1 + 2 * np.arange(size))
    matrix = -np.tril(np.outer(root, root), -1) - np.diag(np.arange(size) + 1.0)
    low_rank = np.sqrt(np.arange(size) + 0.5)
    normal = matrix + np.outer(low_rank, low_rank)  # -1/2 on the diagonal, skew elsewhere
    imaginary, vectors = np.linalg.eigh(-1j * normal)
    return np.diagonal(normal).mean() + 1j * imaginary, vectors
