"""Statistics over axes that are composed of other ops: average, ptp, all, any, isclose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...engine.keywords import takes_dim
from ...engine.primitives.protocol import implements

Array = Any


@implements(np.average)
@takes_dim
def average(
    x: Array,
    axis: Any = None,
    weights: Array = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """Mean over `axis`, weighted: sum(weights * x) / sum(weights).

    `weights`: of the shape of x, or a vector along the one axis. With `returned`, a pair: the
    average and the sum of the weights. Where the weights sum to 0 the average is infinite or NaN.

    >>> import tinygrad_rnn as tg
    >>> tg.average(tg.tensor([1.0, 4.0]), weights=tg.tensor([3.0, 1.0]))
    tensor(1.75, dtype=float32)
    """
    if weights is None:
        result = np.mean(x, axis=axis, keepdims=keepdims)
        count = np.size(x) // (np.size(result) or 1)
        return (result, np.ones_like(result) * count) if returned else result
    weights = _along(weights, x, axis)
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    result = np.sum(x * weights, axis=axis, keepdims=keepdims) / total
    return (result, np.broadcast_to(total, np.shape(result))) if returned else result


def _along(weights: Array, x: Array, axis: Any) -> Array:
    """The weights in the shape of x."""
    weights = weights if hasattr(weights, "dtype") else np.asarray(weights)
    if np.shape(weights) == np.shape(x):
        return weights
    if np.ndim(weights) != 1 or not isinstance(axis, int | np.integer):
        raise ValueError(
            f"average: weights of shape {np.shape(weights)} for an array of {np.shape(x)}; they "
            "have its shape, or one axis with axis=... given"
        )
    place = normalize_axis_index(int(axis), np.ndim(x))
    if np.size(weights) != np.shape(x)[place]:
        raise ValueError(
            f"average: {np.size(weights)} weights for axis {axis} of size {np.shape(x)[place]}"
        )
    column = np.reshape(weights, (-1, *(1,) * (np.ndim(x) - place - 1)))
    return np.broadcast_to(column, np.shape(x))


@implements(np.ptp)
@takes_dim
def ptp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Peak to peak: the largest minus the smallest element over `axis`.

    >>> import tinygrad_rnn as tg
    >>> tg.ptp(tg.tensor([1.0, 5.0, 2.0]))
    tensor(4., dtype=float32)
    """
    return np.max(x, axis=axis, keepdims=keepdims) - np.min(x, axis=axis, keepdims=keepdims)


# Constants to the gradient


@implements(np.all)
@takes_dim
def all(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether all elements over `axis` hold (are not 0); a constant to the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.all(tg.tensor([[True, False], [True, True]]), axis=1)
    tensor([False,  True], dtype=bool)
    """
    return np.equal(np.sum(np.equal(x, 0), axis=axis, keepdims=keepdims), 0)


@implements(np.any)
@takes_dim
def any(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Whether one element or more over `axis` holds (is not 0); a constant to the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.any(tg.tensor([[True, False], [False, False]]), axis=1)
    tensor([ True, False], dtype=bool)
    """
    return np.greater(np.sum(np.not_equal(x, 0), axis=axis, keepdims=keepdims), 0)


@implements(np.count_nonzero)
@takes_dim
def count_nonzero(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """How many elements over `axis` are not 0; a constant to the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.count_nonzero(tg.tensor([0.0, 3.0, 5.0]))
    tensor(2, dtype=int64)
    """
    return np.sum(np.not_equal(x, 0), axis=axis, keepdims=keepdims)


@implements(np.isclose)
def isclose(
    x: Array, y: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Array:
    """Whether |x - y| <= atol + rtol * |y|, element by element; equal infinities are close.

    >>> import tinygrad_rnn as tg
    >>> tg.isclose(tg.tensor([1.0, 1.0]), tg.tensor([1.0 + 1e-6, 1.1]))
    tensor([ True, False], dtype=bool)
    """
    with np.errstate(invalid="ignore"):  # inf - inf
        near = np.less_equal(np.abs(x - y), atol + rtol * np.abs(y))
    close = np.logical_or(np.logical_and(near, np.isfinite(y)), np.equal(x, y))
    if equal_nan:
        close = np.logical_or(close, np.logical_and(np.isnan(x), np.isnan(y)))
    return close


@implements(np.allclose)
def allclose(
    x: Array, y: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, see `isclose`: Python's True or False.

    >>> import tinygrad_rnn as tg
    >>> tg.allclose(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 2.0 + 1e-6]))
    True
    """
    return bool(all(isclose(x, y, rtol, atol, equal_nan)))


@implements(np.array_equal)
def array_equal(x: Array, y: Array) -> bool:
    """Whether x and y have the same shape and the same elements: Python's True or False.

    >>> import tinygrad_rnn as tg
    >>> tg.array_equal(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 2.0]))
    True
    """
    return np.shape(x) == np.shape(y) and bool(all(np.equal(x, y)))
