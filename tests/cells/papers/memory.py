"""Cells with a memory as their papers have them."""

from __future__ import annotations

import numpy as np

from . import layer_norm, mpmath, paper, relu


@paper("FastWeightsCell")
def fast_weights(p, x, state, cell):
    h, a = state
    a = mpmath.mpf(cell.decay) * a + mpmath.mpf(cell.rate) * h[:, :, None] * h[:, None, :]  # (1)
    slow = h @ p.weight_hh.T + x @ p.weight_ih.T

    def f(v):
        return relu(layer_norm(v, p["norm.weight"], p["norm.bias"]))

    inner = f(slow)
    for _ in range(cell.inner_steps):  # (2), with layer normalisation (5)
        inner = f(slow + np.array([m @ v for m, v in zip(a, inner)]))
    return inner, a
