"""Functions of one number that compiled loops call, in a form that LLVM turns into vectors.

In float32, `tanh` and `exp` are built of a few multiplications and additions, without a branch;
their errors over all of their range are at most 2.5 and 1 ulp (tests/nn/recurrent/test_numba.py).
In float64 all functions are those of the C library.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["FAST", "exp_float32", "maximum", "minimum", "tanh_float32"]

# Products and sums may become one instruction, which rounds once; nothing else is given up.
FAST = {"fastmath": {"contract"}, "error_model": "numpy"}

f = np.float32


@intrinsic
def _scaled(typing: Any, x: Any, n: Any) -> Any:
    """x * 2**n for a whole n; by two factors, as 2**n itself may be too small or too large."""

    def written(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, whole = context.get_value_type(types.float32), ir.IntType(32)
        x, power = arguments[0], builder.fptosi(arguments[1], whole)
        half = builder.ashr(power, ir.Constant(whole, 1))
        for part in (half, builder.sub(power, half)):  # the exponent stands in bits 23 to 30
            bits = builder.shl(builder.add(part, ir.Constant(whole, 127)), ir.Constant(whole, 23))
            x = builder.fmul(x, builder.bitcast(bits, number))
        return x

    return types.float32(x, n), written


@intrinsic
def _power_of_two(typing: Any, n: Any) -> Any:
    """2**n for a whole n from -126 to 127."""

    def written(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number, whole = context.get_value_type(types.float32), ir.IntType(32)
        exponent = builder.add(builder.fptosi(arguments[0], whole), ir.Constant(whole, 127))
        return builder.bitcast(builder.shl(exponent, ir.Constant(whole, 23)), number)

    return types.float32(n), written


@njit(**FAST)
def _split(x: Any) -> Any:
    """The integer n nearest to x / log(2), and exp(r) - 1 for what is left, r = x - n * log(2)."""
    shifted = x * f(1.4426950408889634) + f(12582912.0)  # 1.5 * 2**23 leaves an integer
    n = shifted - f(12582912.0)
    r = x - n * f(0.693145751953125)
    r = r - n * f(1.428606765330187e-06)
    p = f(1.9875691500e-4)
    p = p * r + f(1.3981999507e-3)
    p = p * r + f(8.3334519073e-3)
    p = p * r + f(4.1665795894e-2)
    p = p * r + f(1.6666665459e-1)
    p = p * r + f(5.0000001201e-1)
    return n, p * (r * r) + r


@njit(**FAST)
def tanh_float32(x: Any) -> Any:
    """tanh(|x|) = -m / (m + 2), with m = exp(-2 |x|) - 1, which does not cancel anywhere."""
    size = abs(x)
    size = f(9.1) if size > f(9.1) else size
    n, m = _split(f(-2.0) * size)
    scale = _power_of_two(n)
    m = scale * m + (scale - f(1.0))
    return math.copysign(-m / (m + f(2.0)), x) if x == x else x


@njit(**FAST)
def exp_float32(x: Any) -> Any:
    """exp(x) = 2**n * exp(r)."""
    limited = f(-104.0) if x < f(-104.0) else (f(89.0) if x > f(89.0) else x)
    n, m = _split(limited if x == x else f(0.0))
    return _scaled(m + f(1.0), n) if x == x else x


@njit(**FAST)
def maximum(x: Any, y: Any) -> Any:
    """The larger one; NaN if either is."""
    return x if (x >= y) | (x != x) else y


@njit(**FAST)
def minimum(x: Any, y: Any) -> Any:
    """The smaller one; NaN if either is."""
    return x if (x <= y) | (x != x) else y
