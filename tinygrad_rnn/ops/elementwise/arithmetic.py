"""Arithmetic, powers, exponentials and sines, element by element. Inputs broadcast as in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.op import op
from ...engine.primitives.protocol import implements

Array = Any  # an ndarray, a number; in the gradient rules also a Tensor

elementwise = op(elementwise=True)


# Arithmetic


@implements(np.add)
@op(elementwise=True, symbol="+", linear="x y", commutative=True, associative=True, identity=0)
def add(x: Array, y: Array) -> Array:
    """x + y.

    >>> import tinygrad_rnn as tg
    >>> tg.add(tg.tensor([1.0, 2.0]), 10.0)
    tensor([11., 12.], dtype=float32)
    """
    return np.add(x, y)


add.vjp(
    x=lambda grad, out, x, y: grad,
    y=lambda grad, out, x, y: grad,
)


@implements(np.subtract)
@op(elementwise=True, symbol="−", linear="x y", identity=0)
def sub(x: Array, y: Array) -> Array:
    """x - y.

    >>> import tinygrad_rnn as tg
    >>> tg.sub(tg.tensor([1.0, 2.0]), 10.0)
    tensor([-9., -8.], dtype=float32)
    """
    return np.subtract(x, y)


sub.vjp(
    x=lambda grad, out, x, y: grad,
    y=lambda grad, out, x, y: -grad,
)


@implements(np.multiply)
@op(elementwise=True, symbol="×", multilinear="x y", commutative=True, associative=True, identity=1)
def mul(x: Array, y: Array) -> Array:
    """x * y, element by element; `hadamard` is the same op by its name in the literature.

    >>> import tinygrad_rnn as tg
    >>> tg.hadamard(tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor([3., 8.], dtype=float32)
    """
    return np.multiply(x, y)


mul.vjp(
    x=lambda grad, out, x, y: grad * y,
    y=lambda grad, out, x, y: grad * x,
)
hadamard = mul


@implements(np.divide)
@op(elementwise=True, symbol="÷", multilinear="x", identity=1)
def div(x: Array, y: Array) -> Array:
    """x / y.

    >>> import tinygrad_rnn as tg
    >>> tg.div(tg.tensor([1.0, 3.0]), 2.0)
    tensor([0.5, 1.5], dtype=float32)
    """
    return np.divide(x, y)


div.vjp(
    x=lambda grad, out, x, y: grad / y,
    y=lambda grad, out, x, y: -grad * out / y,
)


@implements(np.remainder)
@elementwise
def remainder(x: Array, y: Array) -> Array:
    """x modulo y, with the sign of y.

    >>> import tinygrad_rnn as tg
    >>> tg.remainder(tg.tensor([5.0, -5.0]), 3.0)
    tensor([2., 1.], dtype=float32)
    """
    return np.remainder(x, y)


remainder.vjp(
    x=lambda grad, out, x, y: grad,
    y=lambda grad, out, x, y: -grad * np.floor_divide(x, y),
)


@implements(np.power)
@op(elementwise=True, identity=1)
def pow(x: Array, y: Array) -> Array:
    """x to the power y.

    The gradient is finite at x = 0 wherever the derivative is: for exponents 0 and at least 1.
    The gradient with respect to y, out * log(x), is taken as 0 at x = 0.

    >>> import tinygrad_rnn as tg
    >>> tg.pow(tg.tensor([1.0, 2.0, 3.0]), 2.0)
    tensor([1., 4., 9.], dtype=float32)
    """
    return np.power(x, y)


# The 1.0 and 0.0 keep narrow integers from wrapping around, and from a logarithm in float16.
pow.vjp(
    x=lambda grad, out, x, y: grad * y * x ** (y - 1.0 + np.logical_and(x == 0, y == 0)),
    y=lambda grad, out, x, y: grad * out * np.log(x + 0.0 + (x == 0)),
)


@implements(np.negative)
@op(elementwise=True, symbol="−", linear=True)
def neg(x: Array) -> Array:
    """The negative, -x.

    >>> import tinygrad_rnn as tg
    >>> tg.neg(tg.tensor([1.0, -2.0]))
    tensor([-1.,  2.], dtype=float32)
    """
    return np.negative(x)


neg.vjp(lambda grad, out, x: -grad)


@implements(np.positive, np.copy)
@op(elementwise=True, linear=True, copies=True)
def copy(x: Array) -> Array:
    """A copy of x.

    >>> import tinygrad_rnn as tg
    >>> tg.copy(tg.tensor([1.0, 2.0]))
    tensor([1., 2.], dtype=float32)
    """
    return np.copy(x)


copy.vjp(lambda grad, out, x: grad)


@implements(np.abs)
@elementwise
def abs(x: Array) -> Array:
    """|x|; the gradient at 0 is 0.

    >>> import tinygrad_rnn as tg
    >>> tg.abs(tg.tensor([-1.0, 2.0]))
    tensor([1., 2.], dtype=float32)
    """
    return np.abs(x)


abs.vjp(lambda grad, out, x: grad * np.sign(x))


@implements(np.sign)
@op(elementwise=True, differentiable=False)
def sign(x: Array) -> Array:
    """-1, 0 or 1, by the sign of x; its gradient is 0 everywhere, so the result is a constant.

    >>> import tinygrad_rnn as tg
    >>> tg.sign(tg.tensor([-3.0, 0.0, 5.0]))
    tensor([-1.,  0.,  1.], dtype=float32)
    """
    return np.sign(x)


@implements(np.floor_divide)
@op(elementwise=True, differentiable=False)
def floor_divide(x: Array, y: Array) -> Array:
    """The largest integer not above x / y; a constant to the gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.floor_divide(tg.tensor([5.0, -5.0]), 3.0)
    tensor([ 1., -2.], dtype=float32)
    """
    return np.floor_divide(x, y)


# Powers and exponentials


@implements(np.exp)
@elementwise
def exp(x: Array) -> Array:
    """exp(x): e to the power x.

    >>> import tinygrad_rnn as tg
    >>> tg.exp(tg.tensor([0.0, 1.0])).data.round(3)
    array([1.   , 2.718], dtype=float32)
    """
    return np.exp(x)


exp.vjp(lambda grad, out, x: grad * out)


@implements(np.expm1)
@elementwise
def expm1(x: Array) -> Array:
    """exp(x) - 1, accurate near 0.

    >>> import tinygrad_rnn as tg
    >>> tg.expm1(tg.tensor([1e-10]))
    tensor([1.e-10], dtype=float32)
    """
    return np.expm1(x)


expm1.vjp(lambda grad, out, x: grad * (out + 1.0))


@implements(np.log)
@elementwise
def log(x: Array) -> Array:
    """log(x): the natural logarithm.

    >>> import tinygrad_rnn as tg
    >>> tg.log(tg.tensor([1.0, 10.0])).data.round(3)
    array([0.   , 2.303], dtype=float32)
    """
    return np.log(x)


log.vjp(lambda grad, out, x: grad / x)


@implements(np.log1p)
@elementwise
def log1p(x: Array) -> Array:
    """log(1 + x), accurate near 0.

    >>> import tinygrad_rnn as tg
    >>> tg.log1p(tg.tensor([1e-10]))
    tensor([1.e-10], dtype=float32)
    """
    return np.log1p(x)


log1p.vjp(lambda grad, out, x: grad / (1.0 + x))


@implements(np.sqrt)
@elementwise
def sqrt(x: Array) -> Array:
    """The square root of x; its gradient at 0 is infinite.

    >>> import tinygrad_rnn as tg
    >>> tg.sqrt(tg.tensor([4.0, 9.0]))
    tensor([2., 3.], dtype=float32)
    """
    return np.sqrt(x)


sqrt.vjp(lambda grad, out, x: grad * 0.5 / out)


@implements(np.square)
@elementwise
def square(x: Array) -> Array:
    """x * x.

    >>> import tinygrad_rnn as tg
    >>> tg.square(tg.tensor([-2.0, 3.0]))
    tensor([4., 9.], dtype=float32)
    """
    return np.square(x)


square.vjp(lambda grad, out, x: grad * 2.0 * x)


@implements(np.sin)
@elementwise
def sin(x: Array) -> Array:
    """Sine of x, in radians.

    >>> import tinygrad_rnn as tg
    >>> tg.sin(tg.tensor([0.0, 1.0])).data.round(3)
    array([0.   , 0.841], dtype=float32)
    """
    return np.sin(x)


sin.vjp(lambda grad, out, x: grad * np.cos(x))


@implements(np.cos)
@elementwise
def cos(x: Array) -> Array:
    """Cosine of x, in radians.

    >>> import tinygrad_rnn as tg
    >>> tg.cos(tg.tensor([0.0, 1.0])).data.round(3)
    array([1.  , 0.54], dtype=float32)
    """
    return np.cos(x)


cos.vjp(lambda grad, out, x: -grad * np.sin(x))


@implements(np.logaddexp)
@op(elementwise=True, commutative=True)
def logaddexp(x: Array, y: Array) -> Array:
    """log(exp(x) + exp(y)), without overflow.

    >>> import tinygrad_rnn as tg
    >>> tg.logaddexp(tg.tensor([1000.0]), 0.0)
    tensor([1000.], dtype=float32)
    """
    larger = np.maximum(x, y)
    return larger + np.log1p(np.exp(np.minimum(x, y) - larger))


logaddexp.vjp(
    x=lambda grad, out, x, y: grad * np.exp(x - out),
    y=lambda grad, out, x, y: grad * np.exp(y - out),
)
