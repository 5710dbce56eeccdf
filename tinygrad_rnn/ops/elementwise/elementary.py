"""The other elementary functions: trigonometric, hyperbolic, logarithms of base 2 and 10."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...engine.op import op
from ...engine.primitives.protocol import implements

Array = Any  # an ndarray, a number; in the gradient rules also a Tensor

elementwise = op(elementwise=True)


def _is_complex(x: Array) -> bool:
    """Whether x is in a complex-step run (see `testing`), which some functions do not support."""
    return hasattr(x, "dtype") and x.dtype.kind == "c"


@implements(np.tan)
@elementwise
def tan(x: Array) -> Array:
    """Tangent of x, in radians.

    >>> import tinygrad_rnn as tg
    >>> tg.tan(tg.tensor([0.0, 1.0])).data.round(3)
    array([0.   , 1.557], dtype=float32)
    """
    return np.tan(x)


tan.vjp(lambda grad, out, x: grad * (1.0 + out * out))


@implements(np.arcsin)
@elementwise
def arcsin(x: Array) -> Array:
    """The angle in [-pi/2, pi/2] whose sine is x.

    >>> import tinygrad_rnn as tg
    >>> tg.arcsin(tg.tensor([0.0, 1.0])).data.round(3)
    array([0.   , 1.571], dtype=float32)
    """
    return np.arcsin(x)


arcsin.vjp(lambda grad, out, x: grad / np.sqrt(1.0 - x * x))


@implements(np.arccos)
@elementwise
def arccos(x: Array) -> Array:
    """The angle in [0, pi] whose cosine is x.

    >>> import tinygrad_rnn as tg
    >>> tg.arccos(tg.tensor([0.0, 1.0])).data.round(3)
    array([1.571, 0.   ], dtype=float32)
    """
    return np.arccos(x)


arccos.vjp(lambda grad, out, x: -grad / np.sqrt(1.0 - x * x))


@implements(np.arctan)
@elementwise
def arctan(x: Array) -> Array:
    """The angle in (-pi/2, pi/2) whose tangent is x.

    >>> import tinygrad_rnn as tg
    >>> tg.arctan(tg.tensor([0.0, 1.0])).data.round(3)
    array([0.   , 0.785], dtype=float32)
    """
    return np.arctan(x)


arctan.vjp(lambda grad, out, x: grad / (1.0 + x * x))


@implements(np.arctan2)
@elementwise
def arctan2(y: Array, x: Array) -> Array:
    """The angle of the point (x, y), from -pi to pi: arctan(y / x) in the right quadrant.

    The gradient at the origin is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.arctan2(tg.tensor([1.0, -1.0]), -1.0).data.round(3)
    array([ 2.356, -2.356], dtype=float32)
    """
    if _is_complex(x) or _is_complex(y):  # every branch has the same derivative
        return np.where(np.abs(x) >= np.abs(y), np.arctan(y / x), -np.arctan(x / y))
    return np.arctan2(y, x)


def _length(x: Array, y: Array) -> Array:
    """The distance from the origin, and 1 at the origin itself."""
    length = np.hypot(x, y)
    return length + np.equal(length, 0)


arctan2.vjp(
    y=lambda grad, out, y, x: grad * (x / _length(x, y)) / _length(x, y),
    x=lambda grad, out, y, x: -grad * (y / _length(x, y)) / _length(x, y),
)


@implements(np.hypot)
@elementwise
def hypot(x: Array, y: Array) -> Array:
    """sqrt(x^2 + y^2), without overflow; the gradient at the origin is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.hypot(tg.tensor([3.0, 3e30]), tg.tensor([4.0, 4e30]))
    tensor([5.e+00, 5.e+30], dtype=float32)
    """
    if _is_complex(x) or _is_complex(y):
        return np.sqrt(x * x + y * y)
    return np.hypot(x, y)


hypot.vjp(
    x=lambda grad, out, x, y: grad * x / (out + np.equal(out, 0)),
    y=lambda grad, out, x, y: grad * y / (out + np.equal(out, 0)),
)


@implements(np.sinh)
@elementwise
def sinh(x: Array) -> Array:
    """Hyperbolic sine, (exp(x) - exp(-x)) / 2.

    >>> import tinygrad_rnn as tg
    >>> tg.sinh(tg.tensor([0.0, 1.0])).data.round(3)
    array([0.   , 1.175], dtype=float32)
    """
    return np.sinh(x)


sinh.vjp(lambda grad, out, x: grad * np.cosh(x))


@implements(np.cosh)
@elementwise
def cosh(x: Array) -> Array:
    """Hyperbolic cosine, (exp(x) + exp(-x)) / 2.

    >>> import tinygrad_rnn as tg
    >>> tg.cosh(tg.tensor([0.0, 1.0])).data.round(3)
    array([1.   , 1.543], dtype=float32)
    """
    return np.cosh(x)


cosh.vjp(lambda grad, out, x: grad * np.sinh(x))


@implements(np.arcsinh)
@elementwise
def arcsinh(x: Array) -> Array:
    """The number whose hyperbolic sine is x.

    >>> import tinygrad_rnn as tg
    >>> tg.arcsinh(tg.tensor([0.0, 1.0])).data.round(3)
    array([0.   , 0.881], dtype=float32)
    """
    return np.arcsinh(x)


arcsinh.vjp(lambda grad, out, x: grad / np.sqrt(1.0 + x * x))


@implements(np.arccosh)
@elementwise
def arccosh(x: Array) -> Array:
    """The number not below 0 whose hyperbolic cosine is x.

    >>> import tinygrad_rnn as tg
    >>> tg.arccosh(tg.tensor([1.0, 2.0])).data.round(3)
    array([0.   , 1.317], dtype=float32)
    """
    return np.arccosh(x)


arccosh.vjp(lambda grad, out, x: grad / (np.sqrt(x - 1.0) * np.sqrt(x + 1.0)))


@implements(np.arctanh)
@elementwise
def arctanh(x: Array) -> Array:
    """The number whose hyperbolic tangent is x.

    >>> import tinygrad_rnn as tg
    >>> tg.arctanh(tg.tensor([0.0, 0.5])).data.round(3)
    array([0.   , 0.549], dtype=float32)
    """
    return np.arctanh(x)


arctanh.vjp(lambda grad, out, x: grad / (1.0 - x * x))


_LN_2 = math.log(2)
_LN_10 = math.log(10)


@implements(np.exp2)
@elementwise
def exp2(x: Array) -> Array:
    """2 to the power x.

    >>> import tinygrad_rnn as tg
    >>> tg.exp2(tg.tensor([0.0, 3.0]))
    tensor([1., 8.], dtype=float32)
    """
    return 2.0**x if _is_complex(x) else np.exp2(x)


exp2.vjp(lambda grad, out, x: grad * out * _LN_2)


@implements(np.log2)
@elementwise
def log2(x: Array) -> Array:
    """Logarithm of base 2.

    >>> import tinygrad_rnn as tg
    >>> tg.log2(tg.tensor([1.0, 8.0]))
    tensor([0., 3.], dtype=float32)
    """
    return np.log2(x)


log2.vjp(lambda grad, out, x: grad / (x * _LN_2))


@implements(np.log10)
@elementwise
def log10(x: Array) -> Array:
    """Logarithm of base 10.

    >>> import tinygrad_rnn as tg
    >>> tg.log10(tg.tensor([1.0, 100.0]))
    tensor([0., 2.], dtype=float32)
    """
    return np.log10(x)


log10.vjp(lambda grad, out, x: grad / (x * _LN_10))


@implements(np.reciprocal)
@elementwise
def reciprocal(x: Array) -> Array:
    """1 / x. For integers NumPy keeps the integer part, which is 0 except for 1 and -1.

    >>> import tinygrad_rnn as tg
    >>> tg.reciprocal(tg.tensor([2.0, -4.0]))
    tensor([ 0.5 , -0.25], dtype=float32)
    """
    whole = hasattr(x, "dtype") and x.dtype.kind in "iub"
    return np.reciprocal(x) if whole else np.divide(1, x)


reciprocal.vjp(lambda grad, out, x: -grad * out * out)
