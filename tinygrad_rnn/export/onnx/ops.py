"""The ops in ONNX. Each takes the graph, then its operands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from .graph import Dim, OnnxGraph, Value
from .indexing import getitem, index_update

__all__ = ["OPS"]

G: TypeAlias = OnnxGraph
V: TypeAlias = Value
_END = np.iinfo(np.int64).max


def _axes(axis: Any) -> list[int]:
    return [*axis] if isinstance(axis, tuple) else [axis]


def _positive(axis: int, ndim: int) -> int:
    return axis + ndim if axis < 0 else axis


def _reduced(kind: str, g: G, x: V, *, axis: Any, keepdims: bool) -> V:
    axes = _axes(axis)
    if not axes:
        return x
    ndim = x.ndim if keepdims else x.ndim - len(axes)
    return g.add(kind, x, g.integers(axes), keepdims=int(keepdims), ndim=ndim)


def _of_one_axis(kind: str, g: G, x: V, *, axis: Any, keepdims: bool) -> V:
    if isinstance(axis, tuple):  # of all elements
        place = g.add(kind, g.add("Reshape", x, g.integers([-1]), ndim=1), axis=0, keepdims=0)
        found = Value(place.name, np.dtype(np.int64), 0)
        shape = g.integers([1] * x.ndim)
        return g.add("Reshape", found, shape, ndim=x.ndim) if keepdims else found
    ndim = x.ndim if keepdims else x.ndim - 1
    return g.add(kind, x, axis=axis, keepdims=int(keepdims), dtype=np.dtype(np.int64), ndim=ndim)


def _argsort(g: G, x: V, *, axis: int) -> V:
    size = g.add("Gather", g.add("Shape", x, dtype=np.dtype(np.int64), ndim=1),
                 g.integers([axis]), axis=0)  # fmt: skip
    _, places = g.add_all("TopK", [x, size], 2, axis=axis, largest=0, sorted=1)
    return Value(places, np.dtype(np.int64), x.ndim)


def _shifted(g: G, x: V, axis: Any) -> tuple[V, V]:
    """x minus its maximum, and the maximum."""
    largest = _reduced("ReduceMax", g, x, axis=axis, keepdims=True)
    return g.add("Sub", x, largest), largest


def _softmax(g: G, x: V, *, axis: Any) -> V:
    if not isinstance(axis, tuple):
        return g.add("Softmax", x, axis=axis)
    powers = g.add("Exp", _shifted(g, x, axis)[0])
    return g.add("Div", powers, _reduced("ReduceSum", g, powers, axis=axis, keepdims=True))


def _log_softmax(g: G, x: V, *, axis: Any) -> V:
    if not isinstance(axis, tuple):
        return g.add("LogSoftmax", x, axis=axis)
    return g.add("Sub", x, _logsumexp(g, x, axis=axis, keepdims=True))


def _logsumexp(g: G, x: V, *, axis: Any, keepdims: bool) -> V:
    shifted, largest = _shifted(g, x, axis)
    total = _reduced("ReduceSum", g, g.add("Exp", shifted), axis=axis, keepdims=True)
    found = g.add("Add", g.add("Log", total), largest)
    return found if keepdims else _squeeze(g, found, axis=axis)


def _squeeze(g: G, x: V, *, axis: Any) -> V:
    axes = _axes(axis)
    return g.add("Squeeze", x, g.integers(axes), ndim=x.ndim - len(axes)) if axes else x


def _expand_dims(g: G, x: V, *, axis: Any) -> V:
    axes = _axes(axis)
    return g.add("Unsqueeze", x, g.integers(axes), ndim=x.ndim + len(axes))


def _flip(g: G, x: V, *, axis: Any) -> V:
    axes = _axes(axis)
    start, end, step = ([n] * len(axes) for n in (-1, -_END, -1))
    return g.add("Slice", x, *map(g.integers, (start, end, axes, step)))


def _shape_of(shape: Any) -> Sequence[Any]:
    return shape if isinstance(shape, tuple | list) else [shape]


def _reshape(g: G, x: V, *, shape: Any) -> V:
    shape = _shape_of(shape)
    return g.add("Reshape", x, g.integers(shape), ndim=len(shape))


def _broadcast_to(g: G, x: V, *, shape: Any) -> V:
    shape = _shape_of(shape)
    return g.add("Expand", x, g.integers(shape), ndim=len(shape))


def _transpose(g: G, x: V, *, axes: Any) -> V:
    return g.add("Transpose", x, perm=[_positive(a, x.ndim) for a in axes])


def _concatenate(g: G, *xs: V, axis: int) -> V:
    return g.add("Concat", *xs, axis=_positive(axis, xs[0].ndim))


def _stack(g: G, *xs: V, axis: int) -> V:
    place = _positive(axis, xs[0].ndim + 1)
    return _concatenate(g, *(_expand_dims(g, x, axis=place) for x in xs), axis=place)


def _split(g: G, x: V, *, places: Any, axis: int) -> list[V]:
    starts, ends = [0, *places], [*places, _END]
    return [
        g.add("Slice", x, g.integers([start]), g.integers([end]), g.integers([axis]))
        for start, end in zip(starts, ends)
    ]


class _Parts:
    """The parts of an array along an axis, each made on first use."""

    def __init__(self, g: G, x: V, *, axis: int) -> None:
        self._of = g, x, axis

    def __getitem__(self, index: int) -> V:
        g, x, axis = self._of
        return g.add("Gather", x, g.constant(index, np.int64), axis=axis, ndim=x.ndim - 1)


def _pad(g: G, x: V, *, widths: Any) -> V:
    pairs = [*[(0, 0)] * (x.ndim - len(widths)), *widths]
    ends = [*(before for before, _ in pairs), *(after for _, after in pairs)]
    return g.add("Pad", x, g.integers(ends))


def _filled(value: int, g: G, x: V, *, dtype: Any = None, shape: Any = None) -> V:
    sizes = g.add("Shape", x, dtype=np.dtype(np.int64), ndim=1)
    ndim = x.ndim
    if shape is not None:
        sizes, ndim = g.integers(_shape_of(shape)), len(_shape_of(shape))
    filling = g.constant(value, x.dtype if dtype is None else dtype)
    return g.add("Expand", filling, sizes, ndim=ndim)


def _one_hot(g: G, x: V, *, num_classes: int) -> V:
    depth, values = g.constant(num_classes, np.int64), g.constant([0, 1], np.int64)
    return g.add("OneHot", x, depth, values, dtype=np.dtype(np.int64), ndim=x.ndim + 1)


def _einsum(g: G, *xs: V, subscripts: str) -> V:
    left, _, right = subscripts.partition("->")
    dots = 0
    if "..." in right:
        pairs = zip(left.split(","), xs, strict=True)
        dots = max(x.ndim - len(term.replace("...", "")) for term, x in pairs if "..." in term)
    return g.add("Einsum", *xs, equation=subscripts, ndim=len(right.replace("...", "")) + dots)


def _dimension(g: G, *, size: Any, dtype: Any) -> V:
    if not isinstance(size, Dim):
        return g.constant(size, dtype)
    return g.cast(size.value, dtype)


def _iota(g: G, *, start: Any, step: Any, count: Any, dtype: Any) -> V:
    limit = count.value if isinstance(count, Dim) else g.constant(count, np.int64)
    zero, one = g.constant(0, np.int64), g.constant(1, np.int64)
    line = g.cast(g.add("Range", zero, limit, one, ndim=1), dtype)
    return g.add("Add", g.add("Mul", line, g.constant(step, dtype)), g.constant(start, dtype))


def _where(g: G, condition: V, x: V, y: V) -> V:
    ndim = max(condition.ndim, x.ndim, y.ndim)
    if x.dtype != bool:
        return g.add("Where", condition, x, y, dtype=x.dtype, ndim=ndim)
    others = g.add("And", g.add("Not", condition), y, ndim=ndim)
    return g.add("Or", g.add("And", condition, x, ndim=ndim), others)


def _drawn(kind: str, g: G, x: V, *, generator: Any = None) -> V:
    like = x if x.dtype.kind == "f" else g.cast(x, np.float32)
    return g.add(kind, like)


def _as_it_is(g: G, x: V, **_: Any) -> V:
    return x


OPS: dict[str, Callable[..., Any]] = {
    "argmax": partial(_of_one_axis, "ArgMax"),
    "argmin": partial(_of_one_axis, "ArgMin"),
    "argsort": _argsort,
    "astype": _as_it_is,  # its operand and its result are cast
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "cumsum": lambda g, x, axis: g.add("CumSum", x, g.constant(axis, np.int64)),
    "dimension": _dimension,
    "einsum": _einsum,
    "expand_dims": _expand_dims,
    "flip": _flip,
    "getitem": getitem,
    "index_update": index_update,
    "iota": _iota,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "matmul": lambda g, x, y: g.add("MatMul", x, y),
    "max": partial(_reduced, "ReduceMax"),
    "mean": partial(_reduced, "ReduceMean"),
    "min": partial(_reduced, "ReduceMin"),
    "one_hot": _one_hot,
    "ones_like": partial(_filled, 1),
    "pad": _pad,
    "rand_like": partial(_drawn, "RandomUniformLike"),
    "randn_like": partial(_drawn, "RandomNormalLike"),
    "reshape": _reshape,
    "softmax": _softmax,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "stop_gradient": _as_it_is,
    "sum": partial(_reduced, "ReduceSum"),
    "transpose": _transpose,
    "unstack": _Parts,
    "where": _where,
    "zeros_like": partial(_filled, 0),
}
