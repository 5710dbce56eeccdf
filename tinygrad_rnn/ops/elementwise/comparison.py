"""Comparisons and predicates: boolean Tensors, constants to the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.op import Op, op
from ...engine.primitives.protocol import implements

Array = Any


def _predicate(ufunc: Any, meaning: str, inputs: str, result: str) -> Op:
    """The op of a NumPy predicate; `inputs` and `result` make the example in its docstring."""

    def two(x: Array, y: Array) -> Array:
        return ufunc(x, y)

    def one(x: Array) -> Array:
        return ufunc(x)

    value = two if ufunc.nin == 2 else one
    value.__name__ = value.__qualname__ = ufunc.__name__
    value.__doc__ = f"""{meaning}, element by element; a boolean result without gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.{ufunc.__name__}({inputs})
    tensor({result}, dtype=bool)
    """
    return implements(ufunc)(op(elementwise=True, differentiable=False)(value))


_X = "tg.tensor([1.0, 2.0, 3.0])"
_FLAGS = "tg.tensor([True, False])"
_ODD = "tg.tensor([1.0, float('inf'), float('nan')])"

equal = _predicate(np.equal, "Whether x == y", f"{_X}, 2.0", "[False,  True, False]")
not_equal = _predicate(np.not_equal, "Whether x != y", f"{_X}, 2.0", "[ True, False,  True]")
less = _predicate(np.less, "Whether x < y", f"{_X}, 2.0", "[ True, False, False]")
less_equal = _predicate(np.less_equal, "Whether x <= y", f"{_X}, 2.0", "[ True,  True, False]")
greater = _predicate(np.greater, "Whether x > y", f"{_X}, 2.0", "[False, False,  True]")
greater_equal = _predicate(
    np.greater_equal, "Whether x >= y", f"{_X}, 2.0", "[False,  True,  True]"
)
logical_and = _predicate(np.logical_and, "Whether both hold", f"{_FLAGS}, True", "[ True, False]")
logical_or = _predicate(
    np.logical_or, "Whether at least one holds", f"{_FLAGS}, True", "[ True,  True]"
)
logical_not = _predicate(np.logical_not, "Whether x does not hold", _FLAGS, "[False,  True]")
isnan = _predicate(np.isnan, "Whether x is NaN", _ODD, "[False, False,  True]")
isinf = _predicate(np.isinf, "Whether x is infinite", _ODD, "[False,  True, False]")
isfinite = _predicate(
    np.isfinite, "Whether x is neither NaN nor infinite", _ODD, "[ True, False, False]"
)


@implements(np.logical_xor)
def logical_xor(x: Array, y: Array) -> Array:
    """Whether exactly one holds, element by element; a boolean result without gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.logical_xor(tg.tensor([True, False]), True)
    tensor([False,  True], dtype=bool)
    """
    return np.not_equal(np.not_equal(x, 0), np.not_equal(y, 0))
