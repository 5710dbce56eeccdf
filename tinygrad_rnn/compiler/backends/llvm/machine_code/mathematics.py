"""Functions that compiled loops call, in a form that LLVM vectorises.

In float32, `tanh`, `exp`, `expm1`, `log`, `log1p`, `sin` and `cos` consist of a few multiplications
and additions, without a branch. Their errors are at most 2.5, 1, 2, 1, 2, 2 and 2 ulp
(tests/compiler/test_llvm.py); for sines of arguments above 2**24 the error is one ulp of 1. All
other functions, and these in float64, are an instruction or a function of the C library.
"""

from __future__ import annotations

import math
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


def expm1(x: Number) -> Number:
    """exp(x) - 1 = 2**n * (exp(r) - 1) + (2**n - 1), which does not cancel."""
    if x.dtype != np.float32:
        return _from_library("expm1", x)
    where = x.writer.where
    limited = where(x < -20.0, -20.0, where(x > 60.0, 60.0, x))
    n, m = _split(where(x == x, limited, 0.0))
    scale = ((n.astype(np.int32) + 127) << 23).bits_as(np.float32)
    return where(x > 60.0, exp(x), where(x == x, where(x == 0, x, scale * m + (scale - 1.0)), x))


def log(x: Number) -> Number:
    """log(2**n * (1 + f)) = n * log(2) + log(1 + f), with 1 + f from sqrt(1/2) to sqrt(2)."""
    if x.dtype != np.float32:
        return _from_library("log", x)
    where = x.writer.where
    tiny = x < 1.17549435e-38  # subnormal: leading zeros of the fraction give the exponent
    bits = where(tiny, x * 8388608.0, x).bits_as(np.int32)
    n = (bits - 0x3F3504F3) >> 23
    f = (bits - (n << 23)).bits_as(np.float32) - 1.0
    p = f * 7.0376836292e-2 - 1.1514610310e-1
    for coefficient in (
        1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
        -2.4999993993e-1, 3.3333331174e-1,
    ):  # fmt: skip
        p = p * f + coefficient
    square = f * f
    whole = (n - tiny.astype(np.int32) * 23).astype(np.float32)
    small = p * f * square + whole * -2.12194440e-4 - 0.5 * square
    found = whole * 0.693359375 + (f + small)
    found = where(x == 0, -np.inf, where(x < 0, np.nan, found))
    return where((x == x) & (x < np.inf), found, x)


def log1p(x: Number) -> Number:
    """log(1 + x), corrected for the rounding of 1 + x."""
    if x.dtype != np.float32:
        return _from_library("log1p", x)
    where, u = x.writer.where, 1.0 + x
    lost = (x - (u - 1.0)) / u
    return where(x == 0, x, log(u) + where((u > 0) & (u < np.inf), lost, 0.0))


def sin(x: Number) -> Number:
    """sin(n * pi / 2 + r) is sin(r), cos(r), -sin(r) or -cos(r)."""
    if x.dtype != np.float32:
        return _from_library("sin", x)
    return x.writer.where(x == 0, x, _wave(x, 0))


def cos(x: Number) -> Number:
    """A quarter of a turn before the sine."""
    return _from_library("cos", x) if x.dtype != np.float32 else _wave(x, 1)


def _wave(x: Number, quarters: int) -> Number:
    where = x.writer.where
    finite = abs(x) < np.inf
    x = where(finite, x, 0.0)
    # x is t * 2**k with |t| < 2**24, so it is t * (2**k modulo a turn), exactly where k is 0.
    k = ((x.bits_as(np.int32) >> 23) & 255) - 150
    k = where(k < 0, 0, k)
    t = x * ((127 - k) << 23).bits_as(np.float32)
    angle = t.astype(np.float64) * x.writer.table(_POWERS_OF_TWO, np.float64)[k]
    n = _intrinsic("rint", angle * (2 / math.pi))
    r = ((angle - n * _QUARTER_HIGH) - n * _QUARTER_LOW).astype(np.float32)
    n = n.astype(np.int32) + quarters
    z = r * r
    sine = ((z * -1.9515295891e-4 + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r
    cosine = (z * 2.443315711809948e-5 - 1.388731625493765e-3) * z + 4.166664568298827e-2
    cosine = cosine * z * z - 0.5 * z + 1.0
    found = where((n & 1) == 0, sine, cosine)
    return where(finite, where((n & 2) == 0, found, -found), np.nan)


_SCALE = 10**70
_PI = 31415926535897932384626433832795028841971693993751058209749445923078164  # times _SCALE
_QUARTER_HIGH = math.floor(math.pi / 2 * 2**24) / 2**24  # a multiple of it is exact in float64
_QUARTER_LOW = (_PI * 2**24 // 2 - math.floor(math.pi / 2 * 2**24) * _SCALE) / (_SCALE * 2**24)


def _modulo_a_turn(k: int) -> float:
    """2**k less the nearest multiple of 2 pi."""
    rest = (2**k * _SCALE) % (2 * _PI)
    return (rest - 2 * _PI if rest > _PI else rest) / _SCALE


_POWERS_OF_TWO = [_modulo_a_turn(k) for k in range(105)]


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

    In that case the number of this check and the index are stored in `wrong`, unless it is already
    set.
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
    """The remainder of x divided by y, with the sign of y."""
    if x.dtype.kind != "f":
        return _divided(x, y)[1]
    rest = _from_library("fmod", x, y)
    rest = x.writer.where(_differ_in_sign(rest, y), rest + y, rest)
    return x.writer.where(rest == 0, _intrinsic("copysign", rest, y), rest)


def floor_divide(x: Number, y: Number) -> Number:
    """The quotient of x and y, rounded down."""
    if x.dtype.kind != "f":
        return _divided(x, y)[0]
    where, rest = x.writer.where, _from_library("fmod", x, y)
    times = (x - rest) / y
    times = _intrinsic("rint", where(_differ_in_sign(rest, y), times - 1, times))
    return where(y == 0, x / y, where(times == 0, _intrinsic("copysign", times, x / y), times))


def _divided(x: Number, y: Number) -> tuple[Number, Number]:
    """Integers: floor_divide and remainder. By 0, both are 0."""
    where, signed = x.writer.where, x.dtype.kind == "i"
    odd = (y == 0) | (y == -1) if signed else y == 0  # processors cannot divide by these
    by = where(odd, 1, y)
    times, rest = (x.apply(f"{'s' if signed else 'u'}{name}", by) for name in ("div", "rem"))
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
    return maximum(x, y) + log1p(exp(-distance))


def _from_library(name: str, *numbers: Number) -> Number:
    """A function of the C library, whose names end on f for float32."""
    return numbers[0].writer.call(name + ("f" if numbers[0].dtype == np.float32 else ""), *numbers)


def _intrinsic(name: str, *numbers: Number) -> Number:
    """A function that LLVM knows as an instruction."""
    return numbers[0].writer.call(f"llvm.{name}.f{8 * numbers[0].dtype.itemsize}", *numbers)


_LIBRARY = {  # NumPy's names, and those of the C library
    **{name: name for name in ("cbrt", "cosh", "exp2", "fmod", "hypot", "log2")},
    **{name: name for name in ("log10", "sinh", "tan")},
    **{f"arc{name}": f"a{name}" for name in ("cos", "cosh", "sin", "sinh", "tan", "tan2", "tanh")},
}
_INTRINSICS = {
    **{name: name for name in ("sqrt", "floor", "ceil", "trunc", "rint", "fabs", "copysign")},
    "power": "pow",  # which is a multiplication where the exponent is 2
}
_WRITTEN_HERE = (tanh, exp, expm1, log, log1p, sin, cos, logaddexp, isnan, isinf, isfinite)

# By NumPy's names: functions of numbers of any dtype, and all functions of numbers with fractions.
OF_ANY_DTYPE = {f.__name__: f for f in (maximum, minimum, sign, remainder, floor_divide)}
FUNCTIONS: dict[str, Callable[..., Number]] = {
    **OF_ANY_DTYPE,
    **{f.__name__: f for f in _WRITTEN_HERE},
    **{numpys: partial(_intrinsic, name) for numpys, name in _INTRINSICS.items()},
    **{numpys: partial(_from_library, name) for numpys, name in _LIBRARY.items()},
}
