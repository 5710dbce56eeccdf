"""NumPy's indexing in ONNX: slices, integers, new axes and index arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from .graph import Dim, OnnxGraph, Value

__all__ = ["getitem", "index_update"]

G: TypeAlias = OnnxGraph
V: TypeAlias = Value
_END = np.iinfo(np.int64).max
_INT = np.dtype(np.int64)


def getitem(g: G, x: V, *arrays: V, template: tuple[Any, ...]) -> V:
    """`x[key]`; the arrays fill the gaps of the template."""
    key = _whole(template, arrays, x.ndim)
    parts = [part for part in key if part is not None]
    x = _sliced(g, x, parts)
    if any(isinstance(part, V) for part in parts):
        x, made = _gathered(g, x, parts)
    else:
        x, made = _picked(g, x, parts)
    return _with_new_axes(g, x, key, made)


def index_update(g: G, x: V, values: V, *arrays: V, template: tuple[Any, ...], add: bool) -> V:
    """`x[key] = values`, or `+=`, by the flat indices of the elements."""
    shape = g.add("Shape", x, dtype=_INT, ndim=1)
    count = g.add("ReduceProd", shape, dtype=_INT, ndim=0, keepdims=0)
    line = g.add("Range", g.constant(0, _INT), count, g.constant(1, _INT), ndim=1)
    places = getitem(g, g.add("Reshape", line, shape, ndim=x.ndim), *arrays, template=template)
    flat = g.integers([-1])
    values = g.add("Expand", values, g.add("Shape", places, dtype=_INT, ndim=1))
    rows = g.add("Reshape", places, flat, ndim=1)
    column = g.add("Reshape", values, flat, ndim=1)
    whole = g.add("Reshape", x, flat, ndim=1)
    reduction = "add" if add else "none"
    new = g.add("ScatterElements", whole, rows, column, axis=0, reduction=reduction)
    return g.add("Reshape", new, shape, ndim=x.ndim)


def _whole(template: tuple[Any, ...], arrays: Sequence[V], ndim: int) -> list[Any]:
    """The key with its arrays, and a slice for each axis that it omits."""
    rest = iter(arrays)
    basic = (int, slice, type(None), type(...), Dim)
    key = [part if isinstance(part, basic) else next(rest) for part in template]
    missing = ndim - sum(part is not None and part is not ... for part in key)
    place = key.index(...) if ... in [p for p in key if p is ...] else len(key)
    if place < len(key):
        key.pop(place)
    key[place:place] = [slice(None)] * missing
    return key


def _sliced(g: G, x: V, parts: Sequence[Any]) -> V:
    cuts = [(k, p) for k, p in enumerate(parts) if isinstance(p, slice) and p != slice(None)]
    if not cuts:
        return x
    starts, ends, steps = [], [], []
    for _, part in cuts:
        step = part.step or 1
        first, last = (0, _END) if step > 0 else (_END, -_END)
        starts.append(first if part.start is None else part.start)
        ends.append(last if part.stop is None else part.stop)
        steps.append(step)
    axes = [axis for axis, _ in cuts]
    return g.add("Slice", x, *map(g.integers, (starts, ends, axes, steps)))


def _number(g: G, part: Any) -> V:
    return part.value if isinstance(part, Dim) else g.constant(part, _INT)


def _picked(g: G, x: V, parts: Sequence[Any]) -> tuple[V, list[int]]:
    """Integers only: each removes an axis. `made`: how many axes each part has left."""
    for axis in reversed(range(len(parts))):
        if not isinstance(parts[axis], slice):
            x = g.add("Gather", x, _number(g, parts[axis]), axis=axis, ndim=x.ndim - 1)
    return x, [int(isinstance(part, slice)) for part in parts]


def _gathered(g: G, x: V, parts: Sequence[Any]) -> tuple[V, list[int]]:
    """Index arrays and the integers among them, which broadcast.

    Their axes come first, or in place of the first of them if they are adjacent.
    """
    axes = [axis for axis, part in enumerate(parts) if not isinstance(part, slice)]
    indices = [
        g.cast(part, _INT) if isinstance(part, V) else _number(g, part)
        for part in (parts[axis] for axis in axes)
    ]
    ndim = max(index.ndim for index in indices)
    rest = [axis for axis in range(len(parts)) if axis not in axes]
    if len(axes) == 1:
        found = g.add("Gather", x, indices[0], axis=axes[0], ndim=len(rest) + ndim)
        return found, [ndim if axis in axes else 1 for axis in range(len(parts))]
    together = indices[0]
    for index in indices[1:]:
        together = g.add("Add", together, index, ndim=max(together.ndim, index.ndim))
    shape = g.add("Shape", together, dtype=_INT, ndim=1)
    last = g.integers([-1])
    columns = [
        g.add("Unsqueeze", g.add("Expand", index, shape, ndim=ndim), last, ndim=ndim + 1)
        for index in indices
    ]
    where = g.add("Concat", *columns, axis=ndim)
    front = g.add("Transpose", x, perm=[*axes, *rest])
    found = g.add("GatherND", front, where, ndim=ndim + len(rest))
    beside = axes == [*range(axes[0], axes[0] + len(axes))]
    before = axes[0] if beside else 0
    order = [*range(ndim, ndim + before), *range(ndim), *range(ndim + before, found.ndim)]
    if order != sorted(order):
        found = g.add("Transpose", found, perm=order)
    made = [int(axis in rest) for axis in range(len(parts))]
    if beside:
        made[axes[0]] = ndim
        return found, made
    return found, [ndim, *made]  # the new axes come before all others


def _with_new_axes(g: G, x: V, key: Sequence[Any], made: Sequence[int]) -> V:
    """Axes of size 1 where the key has None."""
    lengths = iter(made if len(made) == sum(p is not None for p in key) else made[1:])
    place = 0 if len(made) == sum(p is not None for p in key) else made[0]
    new = []
    for part in key:
        if part is None:
            new.append(place)
            place += 1
        else:
            place += next(lengths)
    return g.add("Unsqueeze", x, g.integers(new), ndim=x.ndim + len(new)) if new else x
