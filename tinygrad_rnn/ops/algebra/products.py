"""Products of arrays by NumPy's other names, all of them matrix products: dot, inner, tensordot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ...engine.primitives.protocol import implements

Array = Any


@implements(np.dot)
def dot(x: Array, y: Array) -> Array:
    """The sum of products over the last axis of x and the second-to-last (or only) axis of y.

    For vectors and matrices it is `x @ y`; with a number it is `x * y`.

    >>> import tinygrad_rnn as tg
    >>> tg.dot(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor(11., dtype=float32)
    """
    if not np.ndim(x) or not np.ndim(y):
        return np.multiply(x, y)
    if np.ndim(y) <= 2:
        return np.matmul(x, y)
    return tensordot(x, y, (-1, -2))


@implements(np.vdot)
def vdot(x: Array, y: Array) -> Array:
    """The sum of products of all elements, both flattened.

    >>> import tinygrad_rnn as tg
    >>> tg.vdot(tg.ones(2, 2), tg.ones(2, 2))
    tensor(4., dtype=float32)
    """
    if np.size(x) != np.size(y):
        raise ValueError(f"vdot: {np.size(x)} elements and {np.size(y)}; they must be equally many")
    return np.matmul(np.reshape(x, -1), np.reshape(y, -1))


@implements(np.inner)
def inner(x: Array, y: Array) -> Array:
    """The sum of products over the last axes of both.

    >>> import tinygrad_rnn as tg
    >>> tg.inner(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([1.0, 10.0]))
    tensor([21., 43.], dtype=float32)
    """
    if not np.ndim(x) or not np.ndim(y):
        return np.multiply(x, y)
    return tensordot(x, y, (-1, -1))


@implements(np.tensordot)
def tensordot(x: Array, y: Array, axes: Any = 2) -> Array:
    """The sum of products over pairs of axes; the other axes of x, then those of y, remain.

    `axes`: a pair (axes of x, axes of y), each an int or a sequence; or an int n, for the last n
    axes of x and the first n of y. ValueError if their sizes differ.

    >>> import tinygrad_rnn as tg
    >>> tg.tensordot(tg.ones(2, 3, 4), tg.ones(4, 3, 5), axes=([1, 2], [1, 0])).shape
    (2, 5)
    """
    if isinstance(axes, int | np.integer):
        axes = (range(-axes, 0), range(axes))
    of_x, of_y = (
        list(normalize_axis_tuple(tuple(a) if isinstance(a, Sequence) else a, np.ndim(array)))
        for a, array in zip(axes, (x, y), strict=True)
    )
    summed = [np.shape(x)[a] for a in of_x]
    if summed != [np.shape(y)[a] for a in of_y]:
        raise ValueError(
            f"tensordot: axes {axes} of shapes {np.shape(x)} and {np.shape(y)} differ in size"
        )
    left = [a for a in range(np.ndim(x)) if a not in of_x]
    right = [a for a in range(np.ndim(y)) if a not in of_y]
    rows = [np.shape(x)[a] for a in left]
    columns = [np.shape(y)[a] for a in right]
    product = np.matmul(
        np.reshape(np.transpose(x, [*left, *of_x]), (math.prod(rows), math.prod(summed))),
        np.reshape(np.transpose(y, [*of_y, *right]), (math.prod(summed), math.prod(columns))),
    )
    return np.reshape(product, (*rows, *columns))
