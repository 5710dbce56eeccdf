"""A leading time axis: what the batching rules of ops (see `Op.lift`) have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def aligned(x: Array, ndim: int) -> Array:
    """x, whose first axis is time, with axes of size 1 after it, so that `ndim` others follow."""
    return x.reshape(x.shape[:1] + (1,) * (ndim + 1 - x.ndim) + x.shape[1:])


def all_timed(steps: int, timed: tuple[bool, ...], arrays: tuple[Array, ...]) -> list[Array]:
    """The arrays with a leading time axis each: those without one are repeated, without a copy."""
    return [
        a if has_time else np.broadcast_to(a, (steps, *np.shape(a)))
        for a, has_time in zip(arrays, timed, strict=True)
    ]


def summed_product(x: Array, y: Array, dot: Callable[..., Array] = np.dot) -> Array:
    """sum_t x_t @ y_t for x (T, M, K) and y (T, K, N), as one product of two long matrices."""
    rows = x.transpose(1, 0, 2).reshape(x.shape[1], -1)
    return dot(rows, y.reshape(-1, y.shape[-1]))
