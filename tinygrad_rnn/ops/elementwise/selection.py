"""Selecting between values, element by element: maximum, minimum, clip, where."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.op import op
from ...engine.primitives.protocol import implements

Array = Any  # an ndarray, a number; in the gradient rules also a Tensor

elementwise = op(elementwise=True)


@implements(np.maximum)
@op(elementwise=True, commutative=True, associative=True)
def maximum(x: Array, y: Array) -> Array:
    """The larger of x and y; where they are equal each gets half of the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.maximum(tg.tensor([1.0, 5.0]), 3.0)
    tensor([3., 5.], dtype=float32)
    """
    return np.maximum(x, y)


maximum.vjp(
    x=lambda grad, out, x, y: _share(grad, np.greater(x, y), np.equal(x, y)),
    y=lambda grad, out, x, y: _share(grad, np.greater(y, x), np.equal(x, y)),
)


@implements(np.minimum)
@op(elementwise=True, commutative=True, associative=True)
def minimum(x: Array, y: Array) -> Array:
    """The smaller of x and y; where they are equal each gets half of the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.minimum(tg.tensor([1.0, 5.0]), 3.0)
    tensor([1., 3.], dtype=float32)
    """
    return np.minimum(x, y)


minimum.vjp(
    x=lambda grad, out, x, y: _share(grad, np.less(x, y), np.equal(x, y)),
    y=lambda grad, out, x, y: _share(grad, np.less(y, x), np.equal(x, y)),
)


def _share(grad: Array, chosen: Array, tied: Array) -> Array:
    return np.where(chosen, grad, np.where(tied, 0.5 * grad, 0))


@implements(np.clip)
def clip(x: Array, min: Array = None, max: Array = None) -> Array:
    """x limited to [min, max]; either may be None or an array. At a limit the gradient passes.

    >>> import tinygrad_rnn as tg
    >>> tg.clip(tg.tensor([-2.0, 0.5, 2.0]), -1.0, 1.0)
    tensor([-1. ,  0.5,  1. ], dtype=float32)
    """
    low = -np.inf if min is None else min
    high = np.inf if max is None else max
    return _clip(x, low, high)


@elementwise
def _clip(x: Array, low: Array, high: Array) -> Array:
    return np.minimum(np.maximum(x, low), high)


_clip.name = "clip"
_clip.vjp(
    x=lambda grad, out, x, low, high: (
        grad * np.logical_and(np.greater_equal(x, low), np.less_equal(x, high))
    ),
    low=lambda grad, out, x, low, high: (
        grad * np.logical_and(np.less(x, low), np.less_equal(low, high))
    ),
    high=lambda grad, out, x, low, high: grad * np.greater(np.maximum(x, low), high),
)


@implements(np.where)
@op(elementwise=True, linear="x y", chooser="condition")
def where(condition: Array, x: Array, y: Array) -> Array:
    """x where the condition holds, y elsewhere.

    Both branches are computed everywhere, so a NaN or Inf in the *gradient* of the branch not
    taken (`where(x > 0, log(x), 0)` at x = 0) reaches x as 0 * Inf = NaN, as in every framework.
    To compute a branch only where it is taken, give the op NumPy's own `where=` mask, which every
    elementwise op takes: its value is 0 and its gradient exactly 0 outside the mask.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([0.0, 2.0], requires_grad=True)
    >>> y = tg.log(x, where=x > 0)
    >>> y.sum().backward()
    >>> x.grad
    tensor([0. , 0.5], dtype=float32)
    """
    return np.where(condition, x, y)


where.vjp(
    x=lambda grad, out, condition, x, y: np.where(condition, grad, 0),
    y=lambda grad, out, condition, x, y: np.where(condition, 0, grad),
)


@implements(np.nan_to_num)
def nan_to_num(
    x: Array,
    copy: bool = True,
    nan: float = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Array:
    """x with numbers instead of NaN and infinities, which get no gradient.

    Infinities become the largest and the smallest number of the dtype unless `posinf` and `neginf`
    say otherwise. `copy` is NumPy's argument; here x is never written to.

    >>> import tinygrad_rnn as tg
    >>> tg.nan_to_num(tg.tensor([1.0, float("nan"), float("inf")]), posinf=9.0)
    tensor([1., 0., 9.], dtype=float32)
    """
    if x.dtype.kind != "f":
        return np.copy(x)
    limits = np.finfo(x.dtype)
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    finite = np.where(np.isnan(x), nan, x)
    finite = np.where(np.equal(x, np.inf), high, finite)
    return np.where(np.equal(x, -np.inf), low, finite)
