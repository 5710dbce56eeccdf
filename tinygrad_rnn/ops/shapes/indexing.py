"""Picking elements and putting them back: indexing, take, index update, one-hot."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.keywords import takes_dim
from ...engine.op import op
from ...engine.primitives.protocol import implements
from ...engine.primitives.traits import Section
from ...engine.recording.node import Node

Array = Any

_ARRAY = type("ArrayHere", (), {"__repr__": lambda self: "array"})()  # a place in a key, see below


def _key(template: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """The index with its arrays, which are inputs of the op, back in their places."""
    rest = iter(arrays)
    return tuple(next(rest) if part is _ARRAY else part for part in template)


def _template(index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """An index as a constant template and the arrays that belong into its gaps."""
    template, arrays = [], []
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, list):
            part = np.asarray(part, dtype=None if part else np.intp)
        if isinstance(part, Node | np.ndarray):
            arrays.append(part)
            part = _ARRAY
        template.append(part)
    return tuple(template), arrays


def _section_of_slice(
    shape: tuple[int, ...], output: None, template: tuple[Any, ...]
) -> Section | None:
    """The part that a basic index takes, if it cuts one axis alone."""
    if any(part is None or not isinstance(part, slice | type(...)) for part in template):
        return None
    after = template[template.index(...) + 1 :] if ... in template else ()
    before = template[: template.index(...)] if ... in template else template
    cuts = [*before, *[slice(None)] * (len(shape) - len(before) - len(after)), *after]
    bounds = [(cut.indices(size), size) for cut, size in zip(cuts, shape, strict=True)]
    parts = [
        Section(axis - len(shape), start, max(start, stop))
        for axis, ((start, stop, step), size) in enumerate(bounds)
        if (start, stop, step) != (0, size, 1)
    ]
    return parts[0] if len(parts) == 1 and all(step == 1 for (_, _, step), _ in bounds) else None


@op(linear="x", view=True, section=_section_of_slice)
def _getitem(x: Array, *arrays: Array, template: tuple[Any, ...]) -> Array:
    return x[_key(template, arrays)]


_getitem.name = "getitem"


@op(linear="values")
def _put(values: Array, *arrays: Array, template: tuple[Any, ...], shape: Any) -> Array:
    whole = np.zeros_like(values, shape=shape, order="C")
    key = _key(template, arrays)
    if arrays:  # the same element may be named more than once: its values add up
        _add_at(whole, key, values)
    else:
        whole[key] = values
    return whole


def _add_at(whole: Array, key: tuple[Any, ...], values: Array) -> None:
    """whole[key] += values, as often as the key names an element; `whole` is contiguous."""
    numpys = isinstance(whole, np.ndarray)  # not one of a compiled loop, say
    if not numpys or _FEW * values.size < whole.size:
        np.add.at(whole, key, values)
    else:  # the same sums, but NumPy is several times faster with one axis and places by number
        places = np.arange(whole.size).reshape(whole.shape)[key]
        np.add.at(whole.reshape(-1), places.reshape(-1), values.reshape(-1))


_FEW = 10  # with so many elements for each that is named, numbering them all takes longer


_put.name = "put"
_getitem.vjp(
    x=lambda grad, out, x, *arrays, template: _put(grad, *arrays, template=template, shape=x.shape)
)
_put.vjp(
    values=lambda grad, out, values, *arrays, template, shape: _getitem(
        grad, *arrays, template=template
    )
)


@_getitem.lift
def _(steps: int, timed: tuple[bool, ...], x: Array, *arrays: Array, template: Any) -> Array:
    if not arrays:
        return x[(slice(None), *template)]
    if timed[0]:
        raise NotImplementedError("indices into an array that changes with time")
    return _getitem.value(x, *arrays, template=template)  # rows of a table, at all times


@_put.lift
def _(
    steps: int, timed: tuple[bool, ...], values: Array, *arrays: Array, template: Any, shape: Any
) -> Array:
    if arrays:
        raise NotImplementedError("adding into places that change with time")
    return _put.value(values, template=(slice(None), *template), shape=(steps, *shape))


@implements("getitem")
def getitem(x: Array, index: Any) -> Array:
    """x[index], basic or advanced: ints, slices, None, ..., lists, int or bool arrays, Tensors.

    An element that the index names twice gets both gradients.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> x[[0, 0, 2]].sum().backward()
    >>> x.grad
    tensor([2., 0., 1.], dtype=float32)
    """
    template, arrays = _template(index)
    return _getitem(x, *arrays, template=template)


@op(linear="x values")
def _index_update(x: Array, values: Array, *arrays: Array, template: Any, add: bool) -> Array:
    result = np.copy(x)
    key = _key(template, arrays)
    if add:
        np.add.at(result, key, values)
    else:
        result[key] = values
    return result


_index_update.name = "index_update"
_index_update.vjp(
    x=lambda grad, out, x, values, *arrays, template, add: (
        grad if add else _index_update(grad, 0.0, *arrays, template=template, add=False)
    ),
    values=lambda grad, out, x, values, *arrays, template, add: _getitem(
        grad, *arrays, template=template
    ),
)


def index_update(x: Array, index: Any, values: Array) -> Array:
    """A copy of x in which x[index] is `values`: assignment, for tensors that record.

    Where the index names an element twice it is undefined which value it gets.

    >>> import tinygrad_rnn as tg
    >>> tg.index_update(tg.zeros(3), 1, 5.0)
    tensor([0., 5., 0.], dtype=float32)
    """
    template, arrays = _template(index)
    return _index_update(x, values, *arrays, template=template, add=False)


def index_add(x: Array, index: Any, values: Array) -> Array:
    """A copy of x with `values` added to x[index]; where it names an element twice, both are.

    >>> import tinygrad_rnn as tg
    >>> tg.index_add(tg.zeros(3), [1, 1], tg.ones(2))
    tensor([0., 2., 0.], dtype=float32)
    """
    template, arrays = _template(index)
    return _index_update(x, values, *arrays, template=template, add=True)


@implements(np.take)
def take(x: Array, indices: Array, axis: int | None = None) -> Array:
    """The elements of x at `indices` along `axis` (None: of the flattened x).

    The shape of `indices` replaces that axis. IndexError outside -n ... n-1.

    >>> import tinygrad_rnn as tg
    >>> tg.take(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), [1, 1, 0], axis=0)
    tensor([[3., 4.],
            [3., 4.],
            [1., 2.]], dtype=float32)
    """
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    axis = np.lib.array_utils.normalize_axis_index(axis, np.ndim(x)) - np.ndim(x)
    indices = indices if isinstance(indices, Node) else np.asarray(indices)
    template = (..., _ARRAY, *(slice(None),) * (-axis - 1))
    return _getitem(x, indices, template=template)


@implements(np.take_along_axis)
@takes_dim
def take_along_axis(x: Array, indices: Array, axis: int | None = -1) -> Array:
    """The elements of x that `indices`, of as many axes as x, names along `axis`.

    All other axes match, or broadcast.

    >>> import tinygrad_rnn as tg
    >>> scores = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> tg.take_along_axis(scores, tg.tensor([[1], [0]]), axis=1)
    tensor([[2.],
            [3.]], dtype=float32)
    """
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    n = np.ndim(x)
    if np.ndim(indices) != n:
        raise ValueError(f"take_along_axis: {np.ndim(indices)} axes of indices for {n} axes")
    axis = np.lib.array_utils.normalize_axis_index(axis, n)
    indices = indices if isinstance(indices, Node) else np.asarray(indices)
    others = [
        np.arange(size).reshape((-1,) + (1,) * (n - i - 1)) for i, size in enumerate(np.shape(x))
    ]
    return _getitem(x, *others[:axis], indices, *others[axis + 1 :], template=(_ARRAY,) * n)


@op(differentiable=False)
def one_hot(indices: Array, num_classes: int = -1) -> Array:
    """Rows of zeros with a 1 at each index: shape `indices.shape + (num_classes,)`, int64.

    -1: as many classes as the largest index needs. ValueError for an index outside the classes.

    >>> import tinygrad_rnn as tg
    >>> tg.one_hot(tg.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]], dtype=int64)
    """
    indices = indices if hasattr(indices, "dtype") else np.asarray(indices)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"one_hot takes integers, not {indices.dtype}")
    indices = indices.astype(np.int64)
    count = int(indices.max(initial=-1)) + 1 if num_classes == -1 else num_classes
    places = np.expand_dims(indices, -1)
    places = np.where(np.less(places, 0), count, places)  # none is counted from the end
    whole = np.zeros_like(indices, shape=(*indices.shape, count))
    try:
        np.put_along_axis(whole, places, 1, axis=-1)
    except IndexError:
        raise ValueError(
            f"one_hot: indices from {indices.min()} to {indices.max()} for {count} classes"
        ) from None
    return whole
