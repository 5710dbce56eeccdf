"""Functions of numbers that compiled loops call, in a form that LLVM turns into vectors.

In float32, `tanh` and `exp` are built of a few multiplications and additions, without a branch;
their errors over all of their range are at most 2.5 and 1 ulp (tests/compiler/test_llvm.py).
All others, and these in float64, are an instruction or the C library's function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .builder import Number, Pointer

__all__ = ["FUNCTIONS", "OF_ANY_DTYPE", "within"]


def tanh(x: Number) -> Number:
    """tanh(|x|) = -m / (m + 2), with m = exp(-2 |x|) - 1, which does not cancel anywhere."""
    if x.dtype != np.float32:
        return _from_library("tanh", x)
    where = x.writer.where
    size = abs(x)
    size = where(size > 9.1, 9.1, size)
    n, m = _split(-2.0 * size)
    scale = ((n.astype(np.int32) + 127) << 23).bits_as(np.float32)  # 2**n
    m = scale * m + (scale - 1.0)
    return where(x == x, _intrinsic("copysign", -m / (m + 2.0), x), x)


def exp(x: Number) -> Number:
    """exp(x) = 2**n * exp(r)."""
    if x.dtype != np.float32:
        return _from_library("exp", x)
    where = x.writer.where
    limited = where(x < -104.0, -104.0, where(x > 89.0, 89.0, x))
    n, m = _split(where(x == x, limited, 0.0))
    return where(x == x, _scaled(m + 1.0, n.astype(np.int32)), x)


def _split(x: Number) -> tuple[Number, Number]:
    """The integer n nearest to x / log(2), and exp(r) - 1 for what is left, r = x - n * log(2)."""
    shifted = x * 1.4426950408889634 + 12582912.0  # 1.5 * 2**23 leaves an integer
    n = shifted - 12582912.0
    r = x - n * 0.693145751953125
    r = r - n * 1.428606765330187e-06
    p = r * 1.9875691500e-4 + 1.3981999507e-3
    p = p * r + 8.3334519073e-3
    p = p * r + 4.1665795894e-2
    p = p * r + 1.6666665459e-1
    p = p * r + 5.0000001201e-1
    return n, p * (r * r) + r


def _scaled(x: Number, n: Number) -> Number:
    """x * 2**n; by two factors, as 2**n itself may be too small or too large."""
    half = n >> 1
    for part in (half, n - half):  # the exponent stands in bits 23 to 30
        x = x * ((part + 127) << 23).bits_as(np.float32)
    return x


def maximum(x: Number, y: Number) -> Number:
    """The larger one; NaN if either is."""
    return x.writer.where((x >= y) | (x != x), x, y)


def minimum(x: Number, y: Number) -> Number:
    """The smaller one; NaN if either is."""
    return x.writer.where((x <= y) | (x != x), x, y)


def sign(x: Number) -> Number:
    """-1, 0 or 1; NaN of NaN."""
    where = x.writer.where
    return where(x > 0, 1, where(x < 0, -1, x))


def within(place: Number, size: int, wrong: Pointer, check: int) -> Number:
    """The place along an axis, counted from its start; 0 if there is none.

    Then `wrong` gets the number of this check, and what was asked for, if it has none so far.
    """
    where, place = place.writer.where, place.astype(np.int64)
    counted = where(place < 0, place + size, place)
    outside = (counted < 0) | (counted >= size)
    noted = outside & (wrong[0] == 0)
    wrong[1] = where(noted, place, wrong[1])
    wrong[0] = where(noted, check, wrong[0])
    return where(outside, 0, counted)


def isnan(x: Number) -> Number:
    """Whether it is no number."""
    return x != x


def isinf(x: Number) -> Number:
    """Whether it is infinite."""
    return abs(x) == np.inf


def isfinite(x: Number) -> Number:
    """Whether it is neither infinite nor NaN."""
    return abs(x) < np.inf


def remainder(x: Number, y: Number) -> Number:
    """What is left of x after a whole number of times y, with the sign of y."""
    if x.dtype.kind != "f":
        return _divided(x, y)[1]
    rest = _from_library("fmod", x, y)
    rest = x.writer.where(_differ_in_sign(rest, y), rest + y, rest)
    return x.writer.where(rest == 0, _intrinsic("copysign", rest, y), rest)


def floor_divide(x: Number, y: Number) -> Number:
    """How many times y goes into x, rounded down."""
    if x.dtype.kind != "f":
        return _divided(x, y)[0]
    where, rest = x.writer.where, _from_library("fmod", x, y)
    times = (x - rest) / y
    times = _intrinsic("rint", where(_differ_in_sign(rest, y), times - 1, times))
    return where(y == 0, x / y, where(times == 0, _intrinsic("copysign", times, x / y), times))


def _divided(x: Number, y: Number) -> tuple[Number, Number]:
    """Whole numbers: floor_divide and remainder. By 0, both are 0."""
    where, builder, signed = x.writer.where, x.writer.builder, x.dtype.kind == "i"
    odd = (y == 0) | (y == -1) if signed else y == 0  # for which processors have no division
    by = where(odd, 1, y)
    div, rem = (builder.sdiv, builder.srem) if signed else (builder.udiv, builder.urem)
    times, rest = (Number(x.writer, f(x.value, by.value), x.dtype) for f in (div, rem))
    if signed:
        below = _differ_in_sign(rest, by)
        times, rest = where(below, times - 1, times), where(below, rest + by, rest)
        times = where(y == -1, -x, times)
    return where(y == 0, 0, times), where(odd, 0, rest)


def _differ_in_sign(x: Number, y: Number) -> Number:
    return ((x < 0) & (y > 0)) | ((x > 0) & (y < 0))


def logaddexp(x: Number, y: Number) -> Number:
    """log(exp(x) + exp(y))."""
    distance = x.writer.where(x == y, 0, abs(x - y))  # of infinities, too
    return maximum(x, y) + _from_library("log1p", exp(-distance))


def _from_library(name: str, *numbers: Number) -> Number:
    """A function of the C library, whose names end on f for float32."""
    return numbers[0].writer.call(name + ("f" if numbers[0].dtype == np.float32 else ""), *numbers)


def _intrinsic(name: str, *numbers: Number) -> Number:
    """A function that LLVM knows as an instruction."""
    return numbers[0].writer.call(f"llvm.{name}.f{8 * numbers[0].dtype.itemsize}", *numbers)


_LIBRARY = {  # NumPy's names, and those of the C library
    **{name: name for name in ("cbrt", "cos", "cosh", "exp2", "expm1", "fmod", "hypot", "log")},
    **{name: name for name in ("log1p", "log2", "log10", "sin", "sinh", "tan")},
    **{f"arc{name}": f"a{name}" for name in ("cos", "cosh", "sin", "sinh", "tan", "tan2", "tanh")},
}
_INTRINSICS = {
    **{name: name for name in ("sqrt", "floor", "ceil", "trunc", "rint", "fabs", "copysign")},
    "power": "pow",  # which is a multiplication where the exponent is 2
}
_WRITTEN_HERE = (tanh, exp, logaddexp, isnan, isinf, isfinite)

# By NumPy's names: functions of numbers of any dtype, and all functions of numbers with fractions.
OF_ANY_DTYPE = {f.__name__: f for f in (maximum, minimum, sign, remainder, floor_divide)}
FUNCTIONS: dict[str, Callable[..., Number]] = {
    **OF_ANY_DTYPE,
    **{f.__name__: f for f in _WRITTEN_HERE},
    **{numpys: partial(_intrinsic, name) for numpys, name in _INTRINSICS.items()},
    **{numpys: partial(_from_library, name) for numpys, name in _LIBRARY.items()},
}
