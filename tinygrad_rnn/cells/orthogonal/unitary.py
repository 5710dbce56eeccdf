"""Unitary evolution RNN (Arjovsky et al. 2016)."""

from __future__ import annotations

import math

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...nn.functional import linear
from ...nn.recurrent.cell import Cell
from ..parameters import uniform, xavier, zeros

__all__ = ["UnitaryRNNCell"]


class UnitaryRNNCell(Cell):
    """A complex state and a unitary recurrent matrix of few parameters, which preserves norms.

    z_t = W h_{t-1} + V x_t
    W = D_3 R_2 F^-1 D_2 P R_1 F D_1                           (6)
    h_t = relu(|z_t| + b) z_t / |z_t|                          modReLU (8)

    D are diagonals of phases exp(i angle), R reflections I - 2 v v* / |v|^2, F the discrete Fourier
    transform, P a fixed permutation.

    Arjovsky, Shah & Bengio 2016, "Unitary Evolution Recurrent Neural Networks", ICML,
    arXiv:1511.06464. Complex numbers are pairs of reals: the state h (B, 2H) is [real, imaginary]
    and is also the output. weight_ih V (2H, I) Xavier uniform, angles (3, H) uniform in +-pi,
    reflections (2, 2, H), real and imaginary parts, uniform in +-1; bias_ih (H,) zero; the initial
    state, start (2H,), is learned and starts uniform in +-sqrt(3 / 2H). A state of zero would stay
    zero for inputs of zero, where modReLU is discontinuous if b > 0 and its derivative explodes.
    |z| is sqrt(|z|^2 + 1e-10), so that it has a gradient at 0. `matrix()` is W; it is computed once
    for all steps.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> cell = tg.cells.UnitaryRNNCell(3, 4)
    >>> outputs, h = tg.nn.Recurrent(cell)(tg.zeros(5, 2, 3))
    >>> outputs.shape
    (5, 2, 8)
    >>> w = cell.matrix().data
    >>> np.allclose(w @ w.T, np.eye(8), atol=1e-5)
    True
    """

    permutation: Tensor

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight_ih = xavier(2 * hidden_size, input_size)
        self.bias_ih = zeros(hidden_size)
        self.angles = uniform(3, hidden_size, bound=math.pi)
        self.reflections = uniform(2, 2, hidden_size, bound=1.0)
        self.start = uniform(2 * hidden_size, bound=math.sqrt(1.5 / hidden_size))
        order = np.argsort(uniform(hidden_size, bound=1.0).data)
        self.register_buffer("permutation", np.eye(hidden_size)[order].astype(self.angles.dtype))

    def initial_state(self, batch_size: int) -> Tensor:
        """The learned start for each row, (B, 2H)."""
        start: Tensor = ops.broadcast_to(self.start, (batch_size, 2 * self.hidden_size))
        return start

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """x (B, I) and the state (B, 2H) -> the next state."""
        z = linear(state, self.matrix()) + linear(x, self.weight_ih)
        real, imaginary = ops.split(z, 2, axis=-1)
        size = ops.sqrt(real * real + imaginary * imaginary + 1e-10)
        scale = (ops.relu(size + self.bias_ih) / size).named("scale")
        new: Tensor = ops.concatenate([scale * real, scale * imaginary], axis=-1).named("h")
        return new

    def matrix(self) -> Tensor:
        """W (2H, 2H) on [real, imaginary]."""
        n = self.hidden_size
        steps = np.outer(np.arange(n), np.arange(n)) % n * (2 * math.pi / n)
        f_real, f_imaginary = (
            (wave(steps) / math.sqrt(n)).astype(self.angles.dtype) for wave in (np.cos, np.sin)
        )
        fourier, inverse = (f_real, -f_imaginary), (f_real, f_imaginary)
        d1, d2, d3 = ((ops.cos(a), ops.sin(a)) for a in ops.unstack(self.angles))
        r1, r2 = (ops.unstack(v) for v in ops.unstack(self.reflections))
        w = _diagonal(d1)
        w = _reflected(_product(fourier, w), r1)
        w = (self.permutation @ w[0], self.permutation @ w[1])
        w = _product(inverse, _scaled(d2, w))
        real, imaginary = _scaled(d3, _reflected(w, r2))
        matrix: Tensor = ops.concatenate(
            [
                ops.concatenate([real, -imaginary], axis=1),
                ops.concatenate([imaginary, real], axis=1),
            ]
        )
        return matrix


# Complex vectors and matrices as pairs (real, imaginary).
Pair = tuple[Tensor, Tensor]


def _product(a: Pair, b: Pair) -> Pair:
    return a[0] @ b[0] - a[1] @ b[1], a[0] @ b[1] + a[1] @ b[0]


def _diagonal(d: Pair) -> Pair:
    return ops.diag(d[0]), ops.diag(d[1])


def _scaled(d: Pair, m: Pair) -> Pair:
    """Each row of m times an entry of d."""
    real, imaginary = (ops.expand_dims(part, axis=-1) for part in d)
    return real * m[0] - imaginary * m[1], real * m[1] + imaginary * m[0]


def _reflected(m: Pair, v: Pair) -> Pair:
    """(I - 2 v v* / |v|^2) m."""
    scale = 2 / ops.sum(v[0] * v[0] + v[1] * v[1])
    real = scale * (v[0] @ m[0] + v[1] @ m[1])  # v* m
    imaginary = scale * (v[0] @ m[1] - v[1] @ m[0])
    return (
        m[0] - ops.outer(v[0], real) + ops.outer(v[1], imaginary),
        m[1] - ops.outer(v[0], imaginary) - ops.outer(v[1], real),
    )
