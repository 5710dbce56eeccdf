"""Diagonals and triangles of matrices: diag, diagonal, trace, tril, triu."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.primitives.protocol import implements

Array = Any


@implements(np.diagonal)
def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The elements on a diagonal of the matrices in the axes `axis1` and `axis2`, as last axis.

    `offset` counts diagonals above the main one, or below it if negative.

    >>> import tinygrad_rnn as tg
    >>> tg.diagonal(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([1., 4.], dtype=float32)
    """
    if np.ndim(x) < 2:
        raise ValueError(f"a diagonal needs two axes or more, found shape {np.shape(x)}")
    x = np.moveaxis(x, (axis1, axis2), (-2, -1))
    n, m = np.shape(x)[-2:]
    rows, columns = np.nonzero(np.eye(n, m, k=offset))
    return x[..., rows, columns]


@implements(np.trace)
def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    """The sum of the elements on a diagonal, see `diagonal`.

    >>> import tinygrad_rnn as tg
    >>> tg.trace(tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5., dtype=float32)
    """
    return np.sum(diagonal(x, offset, axis1, axis2), axis=-1)


@implements(np.diag)
def diag(x: Array, k: int = 0) -> Array:
    """The `k`-th diagonal of a matrix, or the matrix that has the vector x as its diagonal.

    >>> import tinygrad_rnn as tg
    >>> tg.diag(tg.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]], dtype=float32)
    """
    if np.ndim(x) == 2:
        return diagonal(x, k)
    if np.ndim(x) != 1:
        raise ValueError(f"diag takes a vector or a matrix, found shape {np.shape(x)}")
    row_values = np.pad(x, (max(-k, 0), max(k, 0)))
    return _where(np.eye(np.size(row_values), k=k, dtype=bool), np.expand_dims(row_values, -1))


@implements(np.tril)
def tril(x: Array, k: int = 0) -> Array:
    """The matrices in the last two axes with zeros above the `k`-th diagonal.

    >>> import tinygrad_rnn as tg
    >>> tg.tril(tg.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]], dtype=float32)
    """
    return _where(_lower(x, k), x)


@implements(np.triu)
def triu(x: Array, k: int = 0) -> Array:
    """The matrices in the last two axes with zeros below the `k`-th diagonal.

    >>> import tinygrad_rnn as tg
    >>> tg.triu(tg.ones(2, 2))
    tensor([[1., 1.],
            [0., 1.]], dtype=float32)
    """
    return _where(~_lower(x, k - 1), x)


def _lower(x: Array, k: int) -> Array:
    """The flags of the elements on and below the `k`-th diagonal."""
    if np.ndim(x) < 2:
        raise ValueError(f"a triangle needs two axes or more, found shape {np.shape(x)}")
    n, m = np.shape(x)[-2:]
    return np.tri(n, m, k=k, dtype=bool)


def _where(kept: Array, x: Array) -> Array:
    return np.where(kept, x, np.zeros((), getattr(x, "dtype", None)))
