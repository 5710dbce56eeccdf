"""Ops that rearrange elements: reshape, transpose, broadcast, concatenate, split, pad, ..."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..engine.op import op
from ..engine.protocol import implements

Array = Any


def _axes(x: Array) -> int:
    """The number of axes of x; asked of x itself, which is faster than through NumPy's protocol."""
    return x.ndim if hasattr(x, "ndim") else np.ndim(x)


@implements(np.reshape)
@op
def reshape(x: Array, *, shape: Any) -> Array:
    """The same elements in another shape; one size may be -1.

    >>> import tinygrad_rnn as tg
    >>> tg.reshape(tg.arange(4), (2, -1))
    tensor([[0, 1],
            [2, 3]], dtype=int64)
    """
    return np.reshape(x, shape)


reshape.vjp(lambda grad, out, x, shape: np.reshape(grad, x.shape))


@op
def _permute(x: Array, *, axes: tuple[int, ...]) -> Array:
    return x.transpose(axes)


_permute.name = "transpose"
_permute.vjp(lambda grad, out, x, axes: _permute(grad, axes=_inverse(axes)))


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes `axes`; both counted from the end."""
    n = len(axes)
    places = [0] * n
    for place, axis in enumerate(axes):
        places[axis + n] = place - n
    return tuple(places)


def _permuted(x: Array, order: Sequence[int]) -> Array:
    n = _axes(x)
    return _permute(x, axes=tuple(axis - n for axis in order))


@implements(np.transpose)
def transpose(x: Array, axes: Any = None) -> Array:
    """The axes of x in the order `axes`; None reverses them.

    >>> import tinygrad_rnn as tg
    >>> tg.transpose(tg.zeros(2, 3, 4), (1, 2, 0)).shape
    (3, 4, 2)
    """
    n = _axes(x)
    order = range(n)[::-1] if axes is None else normalize_axis_tuple(axes, n)
    if len(order) != n:
        raise ValueError(f"transpose: {axes} names {len(order)} axes, the array has {n}")
    return _permuted(x, order)


@implements(np.swapaxes)
def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """x with two axes exchanged.

    >>> import tinygrad_rnn as tg
    >>> tg.swapaxes(tg.zeros(2, 3, 4), 0, -1).shape
    (4, 3, 2)
    """
    n = _axes(x)
    order = list(range(n))
    a, b = normalize_axis_index(axis1, n), normalize_axis_index(axis2, n)
    order[a], order[b] = b, a
    return _permuted(x, order)


@implements(np.moveaxis)
def moveaxis(x: Array, source: Any, destination: Any) -> Array:
    """x with the axes `source` moved to the places `destination`.

    >>> import tinygrad_rnn as tg
    >>> tg.moveaxis(tg.zeros(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    n = _axes(x)
    moved = normalize_axis_tuple(source, n)
    places = normalize_axis_tuple(destination, n)
    if len(moved) != len(places):
        raise ValueError(f"moveaxis: {len(moved)} axes to move, {len(places)} places for them")
    order = [axis for axis in range(n) if axis not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return _permuted(x, order)


@implements(np.expand_dims)
@op(inserts_axes=True)
def expand_dims(x: Array, *, axis: Any) -> Array:
    """x with new axes of size 1; `axis` says where they are in the result.

    >>> import tinygrad_rnn as tg
    >>> tg.expand_dims(tg.zeros(2, 3), axis=1).shape
    (2, 1, 3)
    """
    return np.expand_dims(x, axis)


expand_dims.vjp(lambda grad, out, x, axis: np.reshape(grad, x.shape))


@op
def _squeeze(x: Array, *, axis: Any) -> Array:
    return np.squeeze(x, axis)


_squeeze.name = "squeeze"
_squeeze.vjp(lambda grad, out, x, axis: np.reshape(grad, x.shape))


@implements(np.squeeze)
def squeeze(x: Array, axis: Any = None) -> Array:
    """x without axes of size 1: those in `axis` (ValueError if not of size 1), or all.

    >>> import tinygrad_rnn as tg
    >>> tg.squeeze(tg.zeros(2, 1, 3)).shape
    (2, 3)
    """
    if axis is None:
        axis = tuple(i for i, size in enumerate(np.shape(x)) if size == 1)
    return _squeeze(x, axis=axis)


@implements(np.broadcast_to)
@op
def broadcast_to(x: Array, *, shape: Any) -> Array:
    """x repeated, without copying, to fill `shape`.

    >>> import tinygrad_rnn as tg
    >>> tg.broadcast_to(tg.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]], dtype=float32)
    """
    return np.broadcast_to(x, shape)


broadcast_to.vjp(lambda grad, out, x, shape: grad)  # the engine sums it back to the shape of x


@op
def _concatenate(*arrays: Array, axis: int) -> Array:
    return np.concatenate(arrays, axis)


_concatenate.name = "concatenate"


@_concatenate.vjp
def _(grad: Array, out: Array, *arrays: Array, axis: int, position: int) -> Array:
    start = sum(a.shape[axis] for a in arrays[:position])
    return _along(grad, axis, slice(start, start + arrays[position].shape[axis]))


def _along(x: Array, axis: int, part: slice | int) -> Array:
    """x[..., part, ...] with `part` at `axis`, which is counted from the end."""
    return x[(..., part, *(slice(None),) * (-axis - 1))]


@implements(np.concatenate)
def concatenate(arrays: Sequence[Array], axis: int | None = 0) -> Array:
    """The arrays joined along an existing axis (None: flattened first).

    >>> import tinygrad_rnn as tg
    >>> tg.concatenate([tg.zeros(2), tg.ones(1)])
    tensor([0., 0., 1.], dtype=float32)
    """
    if axis is None:
        arrays, axis = [np.reshape(a, -1) for a in arrays], 0
    return _concatenate(*arrays, axis=axis)


@op(inserts_axes=True)
def _stack(*arrays: Array, axis: int) -> Array:
    return np.stack(arrays, axis)


_stack.name = "stack"
_stack.vjp(
    arrays=lambda grad, out, *arrays, axis, position: _along(grad, axis, position),
)


@implements(np.stack)
def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """The arrays, all of one shape, joined along a new axis.

    >>> import tinygrad_rnn as tg
    >>> tg.stack([tg.zeros(2), tg.ones(2)])
    tensor([[0., 0.],
            [1., 1.]], dtype=float32)
    """
    return _stack(*arrays, axis=axis)


@op
def _unstack(x: Array, *, axis: int) -> tuple[Array, ...]:
    parts: tuple[Array, ...] = tuple(np.moveaxis(x, axis, 0))
    return parts


_unstack.name = "unstack"
_unstack.vjp(lambda grad, out, x, axis: np.stack(grad, axis))


def unstack(x: Array, axis: int = 0) -> tuple[Array, ...]:
    """x cut along `axis` into parts that lack that axis: the inverse of `stack`.

    >>> import tinygrad_rnn as tg
    >>> tg.unstack(tg.tensor([1.0, 2.0]))
    (tensor(1., dtype=float32), tensor(2., dtype=float32))
    """
    parts: tuple[Array, ...] = _unstack(x, axis=axis)
    return parts


@op
def _split(x: Array, *, places: tuple[int, ...], axis: int) -> tuple[Array, ...]:
    bounds = [0, *places, x.shape[axis]]
    return tuple(_along(x, axis, slice(*pair)) for pair in pairwise(bounds))


_split.name = "split"
_split.vjp(lambda grad, out, x, places, axis: np.concatenate(grad, axis))


@implements(np.split)
def split(x: Array, sections: Any, axis: int = 0) -> tuple[Array, ...]:
    """x cut along `axis` into `sections` equal parts, or at the places in a sequence of ints.

    ValueError if the axis cannot be cut into equal parts.

    >>> import tinygrad_rnn as tg
    >>> i, f = tg.split(tg.arange(4), 2)
    >>> i, f
    (tensor([0, 1], dtype=int64), tensor([2, 3], dtype=int64))
    """
    if isinstance(sections, int | np.integer):
        size = np.shape(x)[axis]
        if sections < 1 or size % sections:
            raise ValueError(
                f"split: an axis of size {size} cannot be cut into {sections} equal parts"
            )
        sections = range(size // sections, size, size // sections) if size else [0] * (sections - 1)
    parts: tuple[Array, ...] = _split(x, places=tuple(int(p) for p in sections), axis=axis)
    return parts


@implements(np.flip)
@op
def flip(x: Array, axis: Any = None) -> Array:
    """x with the order of its elements along `axis` reversed.

    >>> import tinygrad_rnn as tg
    >>> tg.flip(tg.arange(3))
    tensor([2, 1, 0], dtype=int64)
    """
    return np.flip(x, axis)


flip.vjp(lambda grad, out, x, axis: np.flip(grad, axis))


@op
def _pad(x: Array, *, widths: tuple[tuple[int, int], ...], constant: float) -> Array:
    lead = ((0, 0),) * (np.ndim(x) - len(widths))
    if not np.ndim(x):  # np.pad refuses to add nothing to no axes
        return np.array(x)
    return np.pad(x, (*lead, *widths), constant_values=constant)


_pad.name = "pad"


@_pad.vjp
def _(grad: Array, out: Array, x: Array, widths: Any, constant: float) -> Array:
    kept = (slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))
    return grad[(..., *kept)]


@implements(np.pad)
def pad(x: Array, pad_width: Any, mode: str = "constant", constant_values: float = 0) -> Array:
    """x with constant elements added at both ends of its axes.

    `pad_width`: an int, a pair (before, after), or such a pair for each axis. Only the mode
    "constant" has a gradient rule; ValueError for others.

    >>> import tinygrad_rnn as tg
    >>> tg.pad(tg.ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.], dtype=float32)
    """
    if mode != "constant":
        raise ValueError(f"pad: mode {mode!r} has no gradient rule; use 'constant' or np.take")
    n = _axes(x)
    widths = np.broadcast_to(np.asarray(pad_width), (n, 2)) if n else np.zeros((0, 2), int)
    pairs = tuple((int(before), int(after)) for before, after in widths)
    return _pad(x, widths=pairs, constant=constant_values)


@implements(np.tile)
def tile(x: Array, reps: Any) -> Array:
    """x repeated as a whole, `reps` times along each axis.

    >>> import tinygrad_rnn as tg
    >>> tg.tile(tg.arange(2), 2)
    tensor([0, 1, 0, 1], dtype=int64)
    """
    reps = (reps,) if isinstance(reps, int | np.integer) else tuple(reps)
    shape = np.shape(x)
    n = max(len(shape), len(reps))
    shape = (1,) * (n - len(shape)) + shape
    reps = (1,) * (n - len(reps)) + reps
    copies = np.broadcast_to(
        np.reshape(x, [size for s in shape for size in (1, s)]),
        [size for s, r in zip(shape, reps, strict=True) for size in (r, s)],
    )
    return np.reshape(copies, [s * r for s, r in zip(shape, reps, strict=True)])


@implements(np.repeat)
def repeat(x: Array, repeats: Any, axis: int | None = None) -> Array:
    """Each element of x repeated along `axis` (None: of the flattened array).

    `repeats`: an int, or one for each element along the axis.

    >>> import tinygrad_rnn as tg
    >>> tg.repeat(tg.arange(2), 2)
    tensor([0, 0, 1, 1], dtype=int64)
    """
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    return np.take(x, np.repeat(np.arange(np.shape(x)[axis]), repeats), axis=axis)


@implements("astype", *([np.astype] if hasattr(np, "astype") else []))  # NumPy 2.1 and later
@op(elementwise=True)
def astype(x: Array, *, dtype: Any) -> Array:
    """x in another dtype; the gradient is cast back.

    Complex numbers cast to a real floating dtype stay complex, in that precision, so that a
    complex-step derivative passes through.

    >>> import tinygrad_rnn as tg
    >>> tg.astype(tg.tensor([1.0, 2.0]), dtype="float64")
    tensor([1., 2.], dtype=float64)
    """
    x = x if hasattr(x, "astype") else np.asarray(x)
    if x.dtype.kind == "c" and np.dtype(dtype).kind == "f":
        dtype = np.result_type(dtype, np.complex64)
    return x.astype(dtype)


astype.vjp(lambda grad, out, x, dtype: grad)


@implements(np.shape)
def shape(x: Array) -> tuple[int, ...]:
    """The sizes of the axes of x.

    >>> import tinygrad_rnn as tg
    >>> tg.shape(tg.zeros(2, 3))
    (2, 3)
    """
    return tuple(x.shape)


@implements(np.ndim)
def ndim(x: Array) -> int:
    """The number of axes of x.

    >>> import tinygrad_rnn as tg
    >>> tg.ndim(tg.zeros(2, 3))
    2
    """
    return len(x.shape)


@implements(np.size)
def size(x: Array, axis: int | None = None) -> int:
    """The number of elements of x, or along one axis.

    >>> import tinygrad_rnn as tg
    >>> tg.size(tg.zeros(2, 3)), tg.size(tg.zeros(2, 3), axis=1)
    (6, 3)
    """
    return math.prod(x.shape) if axis is None else int(x.shape[axis])
