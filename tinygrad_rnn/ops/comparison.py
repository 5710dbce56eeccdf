"""Comparisons and predicates: boolean Tensors, constants to the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.op import Op, op
from ..engine.protocol import implements

Array = Any


def _predicate(ufunc: Any, meaning: str) -> Op:
    def two(x: Array, y: Array) -> Array:
        return ufunc(x, y)

    def one(x: Array) -> Array:
        return ufunc(x)

    value = two if ufunc.nin == 2 else one
    value.__name__ = value.__qualname__ = ufunc.__name__
    value.__doc__ = f"{meaning}, element by element; a boolean result without gradient."
    return implements(ufunc)(op(elementwise=True, differentiable=False)(value))


equal = _predicate(np.equal, "Whether x == y")
not_equal = _predicate(np.not_equal, "Whether x != y")
less = _predicate(np.less, "Whether x < y")
less_equal = _predicate(np.less_equal, "Whether x <= y")
greater = _predicate(np.greater, "Whether x > y")
greater_equal = _predicate(np.greater_equal, "Whether x >= y")
logical_and = _predicate(np.logical_and, "Whether both hold")
logical_or = _predicate(np.logical_or, "Whether one of the two holds")
logical_not = _predicate(np.logical_not, "Whether x does not hold")
isnan = _predicate(np.isnan, "Whether x is NaN")
isinf = _predicate(np.isinf, "Whether x is infinite")
isfinite = _predicate(np.isfinite, "Whether x is neither NaN nor infinite")
