"""NumPy's ufuncs in ONNX: an operator, or a few of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from .graph import OnnxGraph, Value

__all__ = ["UFUNCS"]

G: TypeAlias = OnnxGraph
V: TypeAlias = Value

OPERATORS = {
    "absolute": "Abs",
    "add": "Add",
    "arccos": "Acos",
    "arcsin": "Asin",
    "arctan": "Atan",
    "bitwise_and": "BitwiseAnd",
    "bitwise_or": "BitwiseOr",
    "bitwise_xor": "BitwiseXor",
    "ceil": "Ceil",
    "cos": "Cos",
    "divide": "Div",
    "equal": "Equal",
    "exp": "Exp",
    "fabs": "Abs",
    "floor": "Floor",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "isinf": "IsInf",
    "isnan": "IsNaN",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "log": "Log",
    "maximum": "Max",
    "minimum": "Min",
    "multiply": "Mul",
    "negative": "Neg",
    "positive": "Identity",
    "power": "Pow",
    "reciprocal": "Reciprocal",
    "rint": "Round",
    "sign": "Sign",
    "sin": "Sin",
    "sqrt": "Sqrt",
    "subtract": "Sub",
    "tan": "Tan",
    "tanh": "Tanh",
    "true_divide": "Div",
}
"""The ufuncs that ONNX has."""

OF_BOOLS = {
    "add": "Or",
    "bitwise_and": "And",
    "bitwise_or": "Or",
    "bitwise_xor": "Xor",
    "maximum": "Or",
    "minimum": "And",
    "multiply": "And",
}
"""Their counterparts for booleans."""

_COMPARES = {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsInf", "IsNaN"}


def _operator(name: str, g: G, *xs: V) -> V:
    kind = OPERATORS[name]
    if name in OF_BOOLS and all(x.dtype == bool for x in xs):
        kind = OF_BOOLS[name]
    return g.add(kind, *xs, dtype=bool if kind in _COMPARES else None)


def _logical(kind: str, g: G, *xs: V) -> V:
    return g.add(kind, *(g.cast(x, bool) for x in xs), dtype=bool)


def _not_equal(g: G, x: V, y: V) -> V:
    return g.add("Not", g.add("Equal", x, y, dtype=bool))


def _isfinite(g: G, x: V) -> V:
    either = g.add("Or", g.add("IsNaN", x, dtype=bool), g.add("IsInf", x, dtype=bool))
    return g.add("Not", either)


def _number(g: G, x: V, value: float) -> V:
    return g.constant(value, x.dtype)


def _scaled(factor: float, kind: str, g: G, x: V) -> V:
    """kind(x) times a number."""
    return g.add("Mul", g.add(kind, x), _number(g, x, factor))


def _exp2(g: G, x: V) -> V:
    return g.add("Exp", g.add("Mul", x, _number(g, x, math.log(2))))


def _expm1(g: G, x: V) -> V:
    """Near 0 as 2 t / (1 - t) with t = tanh(x/2), which does not cancel there."""
    t = g.add("Tanh", g.add("Mul", x, _number(g, x, 0.5)))
    near = g.add("Div", g.add("Add", t, t), g.add("Sub", _number(g, x, 1), t, ndim=x.ndim))
    far = g.add("Sub", g.add("Exp", x), _number(g, x, 1))
    small = g.add("Less", g.add("Abs", x), _number(g, x, 1), dtype=bool)
    return g.add("Where", small, near, far, dtype=x.dtype)


def _log1p(g: G, x: V) -> V:
    """log(u) * x / (u - 1) with u = 1 + x, whose rounding errors cancel (Kahan)."""
    one = _number(g, x, 1)
    u = g.add("Add", x, one)
    lost = g.add("Or", g.add("Equal", u, one, dtype=bool), g.add("IsInf", u, dtype=bool))
    gap = g.add("Where", lost, one, g.add("Sub", u, one), dtype=x.dtype)
    whole = g.add("Mul", g.add("Log", u), g.add("Div", x, gap))
    small = g.add("Equal", u, one, dtype=bool)
    rest = g.add("Where", g.add("IsInf", u, dtype=bool), u, whole, dtype=x.dtype)
    return g.add("Where", small, x, rest, dtype=x.dtype)


def _halves(kind: str, g: G, x: V) -> V:
    """sinh, cosh: (exp(x) -+ exp(-x)) / 2."""
    both = g.add(kind, g.add("Exp", x), g.add("Exp", g.add("Neg", x)))
    return g.add("Mul", both, _number(g, x, 0.5))


def _arcsinh(g: G, x: V) -> V:
    a = g.add("Abs", x)
    root = g.add("Sqrt", g.add("Add", g.add("Mul", x, x), _number(g, x, 1)))
    return g.add("Mul", g.add("Sign", x), g.add("Log", g.add("Add", a, root)))


def _arccosh(g: G, x: V) -> V:
    root = g.add("Sqrt", g.add("Sub", g.add("Mul", x, x), _number(g, x, 1)))
    return g.add("Log", g.add("Add", x, root))


def _arctanh(g: G, x: V) -> V:
    one = _number(g, x, 1)
    ratio = g.add("Div", g.add("Add", x, one), g.add("Sub", one, x, ndim=x.ndim))
    return g.add("Mul", g.add("Log", ratio), _number(g, x, 0.5))


def _arctan2(g: G, y: V, x: V) -> V:
    zero = _number(g, x, 0)
    at_zero = g.add("Equal", x, zero, dtype=bool)
    safe = g.add("Where", at_zero, _number(g, x, 1), x, dtype=x.dtype)
    angle = g.add("Atan", g.add("Div", y, safe))
    below = g.add("Less", y, zero, dtype=bool)
    sign = g.add("Where", below, _number(g, x, -1), _number(g, x, 1), dtype=x.dtype, ndim=y.ndim)
    left = g.add("Add", angle, g.add("Mul", sign, _number(g, x, math.pi)))
    found = g.add("Where", g.add("Less", x, zero, dtype=bool), left, angle, dtype=x.dtype)
    up = g.add("Mul", g.add("Sign", y), _number(g, x, math.pi / 2))
    return g.add("Where", at_zero, up, found, dtype=x.dtype)


def _hypot(g: G, x: V, y: V) -> V:
    return g.add("Sqrt", g.add("Add", g.add("Mul", x, x), g.add("Mul", y, y)))


def _square(g: G, x: V) -> V:
    return g.add("Mul", x, x)


def _trunc(g: G, x: V) -> V:
    return g.add("Mul", g.add("Sign", x), g.add("Floor", g.add("Abs", x)))


def _remainder(g: G, x: V, y: V) -> V:
    if np.dtype(x.dtype).kind in "iu":
        return g.add("Mod", x, y, fmod=0)
    return g.add("Sub", x, g.add("Mul", g.add("Floor", g.add("Div", x, y)), y))


def _floor_divide(g: G, x: V, y: V) -> V:
    if np.dtype(x.dtype).kind in "iu":
        return g.add("Div", g.add("Sub", x, _remainder(g, x, y)), y)
    return g.add("Floor", g.add("Div", x, y))


def _invert(g: G, x: V) -> V:
    return g.add("Not" if x.dtype == bool else "BitwiseNot", x)


UFUNCS: dict[str, Callable[..., V]] = {
    **{name: partial(_operator, name) for name in OPERATORS},
    "arccosh": _arccosh,
    "arcsinh": _arcsinh,
    "arctan2": _arctan2,
    "arctanh": _arctanh,
    "cosh": partial(_halves, "Add"),
    "exp2": _exp2,
    "expm1": _expm1,
    "floor_divide": _floor_divide,
    "hypot": _hypot,
    "invert": _invert,
    "isfinite": _isfinite,
    "log10": partial(_scaled, 1 / math.log(10), "Log"),
    "log1p": _log1p,
    "log2": partial(_scaled, 1 / math.log(2), "Log"),
    "logical_and": partial(_logical, "And"),
    "logical_not": partial(_logical, "Not"),
    "logical_or": partial(_logical, "Or"),
    "logical_xor": partial(_logical, "Xor"),
    "not_equal": _not_equal,
    "remainder": _remainder,
    "sinh": partial(_halves, "Sub"),
    "square": _square,
    "trunc": _trunc,
}
