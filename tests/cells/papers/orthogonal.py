"""Cells whose recurrent matrix keeps norms, as their papers have them."""

from __future__ import annotations

import numpy as np

from . import _elementwise, mpmath, paper, relu, sqrt

i = mpmath.mpc(0, 1)
real = _elementwise(lambda v: v.real)
imaginary = _elementwise(lambda v: v.imag)
conjugate = _elementwise(mpmath.conj)


@paper("HouseholderRNNCell", count=2)
def householder(p, x, h, cell):
    identity = np.eye(h.shape[-1], dtype=int)
    q = identity
    for j, row in enumerate(p.reflections):
        u = np.where(np.arange(len(row)) >= j, row, mpmath.mpf(0))
        q = q @ (identity - 2 * np.outer(u, u) / (u @ u))  # (3)
    v = h @ q.T + x @ p.weight_ih.T + p.bias_ih
    return np.where(v > 0, v, v / 10)


@paper("UnitaryRNNCell")
def unitary(p, x, h, cell):
    n = h.shape[-1] // 2
    order = cell.permutation.data.argmax(axis=-1)
    root = [mpmath.expjpi(mpmath.mpf(-2) * k / n) for k in range(n)]
    f = np.array([[root[j * k % n] for k in range(n)] for j in range(n)]) / mpmath.sqrt(n)
    d_1, d_2, d_3 = (_elementwise(mpmath.expj)(angles) for angles in p.angles)

    def reflected(z, v):  # each row of z by I - 2 v v* / |v|^2
        v = v[0] + i * v[1]
        return z - 2 * (z @ conjugate(v))[:, None] * v / (v @ conjugate(v)).real

    z = (d_1 * (h[:, :n] + i * h[:, n:])) @ f.T  # (6), from the right
    z = reflected(z, p.reflections[0])[:, order]
    z = (d_2 * z) @ conjugate(f)
    z = d_3 * reflected(z, p.reflections[1])
    v = x @ p.weight_ih.T
    z = z + v[:, :n] + i * v[:, n:]
    size = sqrt(real(z) ** 2 + imaginary(z) ** 2 + mpmath.mpf(1e-10))
    z = relu(size + p.bias_ih) * z / size  # (8)
    return np.concatenate([real(z), imaginary(z)], axis=-1)
