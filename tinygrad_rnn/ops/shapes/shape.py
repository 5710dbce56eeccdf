"""The shape of an array: reshape, transpose, new and removed axes, broadcast, flip, dtype."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ...engine.keywords import takes_dim
from ...engine.op import op
from ...engine.primitives.protocol import implements
from .lifting import aligned

Array = Any


def _axes(x: Array) -> int:
    """The number of axes of x, read from x itself, which is faster than NumPy's protocol."""
    return x.ndim if hasattr(x, "ndim") else np.ndim(x)


@implements(np.reshape)
@op(linear=True, view=True)
def reshape(x: Array, *, shape: Any) -> Array:
    """The same elements in another shape; one size may be -1.

    >>> import tinygrad_rnn as tg
    >>> tg.reshape(tg.arange(4), (2, -1))
    tensor([[0, 1],
            [2, 3]], dtype=int64)
    """
    return np.reshape(x, shape)


reshape.vjp(lambda grad, out, x, shape: np.reshape(grad, x.shape))


@reshape.lift
def _(steps: int, timed: Any, x: Array, shape: Any) -> Array:
    return np.reshape(x, (steps, *((shape,) if isinstance(shape, int) else shape)))


@cache
def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes `axes`; both counted from the end."""
    n = len(axes)
    places = [0] * n
    for place, axis in enumerate(axes):
        places[axis + n] = place - n
    return tuple(places)


@op(linear=True, view=True, permutation=lambda axes: axes)
def _permute(x: Array, *, axes: tuple[int, ...]) -> Array:
    return x.transpose(axes)


_permute.name = "transpose"
_permute.vjp(lambda grad, out, x, axes: grad.transpose(_inverse(axes)))


@_permute.lift
def _(steps: int, timed: Any, x: Array, axes: tuple[int, ...]) -> Array:
    return np.transpose(x, (0, *axes))


def _permuted(x: Array, order: Sequence[int]) -> Array:
    n = _axes(x)
    return _permute(x, axes=tuple(axis - n for axis in order))


@implements(np.transpose)
def transpose(x: Array, axes: Any = None, *pytorchs: int) -> Array:
    """The axes of x in the order `axes`; None reverses them.

    PyTorch's transpose(x, 0, 1) is a TypeError that names `swapaxes`.

    >>> import tinygrad_rnn as tg
    >>> tg.transpose(tg.zeros(2, 3, 4), (1, 2, 0)).shape
    (3, 4, 2)
    """
    if pytorchs:
        raise TypeError(
            f"transpose(x, {axes}, {pytorchs[0]}) exchanges two axes in PyTorch: here it is "
            f"tg.swapaxes(x, {axes}, {pytorchs[0]})"
        )
    n = _axes(x)
    if axes is None:
        return _permute(x, axes=tuple(range(-1, -n - 1, -1)))
    order = normalize_axis_tuple(axes, n)
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
@op(linear=True, view=True, leading_axes=True, inserts_axes=True)
def expand_dims(x: Array, *, axis: Any) -> Array:
    """x with new axes of size 1; `axis` says where they are in the result.

    >>> import tinygrad_rnn as tg
    >>> tg.expand_dims(tg.zeros(2, 3), axis=1).shape
    (2, 1, 3)
    """
    return np.expand_dims(x, axis)


expand_dims.vjp(lambda grad, out, x, axis: np.reshape(grad, x.shape))


@op(linear=True, view=True, leading_axes=True)
def _squeeze(x: Array, *, axis: Any) -> Array:
    return np.squeeze(x, axis)


_squeeze.name = "squeeze"
_squeeze.vjp(lambda grad, out, x, axis: np.reshape(grad, x.shape))


@implements(np.squeeze)
@takes_dim
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
@op(linear=True, view=True)
def broadcast_to(x: Array, *, shape: Any) -> Array:
    """x repeated, without copying, to fill `shape`.

    >>> import tinygrad_rnn as tg
    >>> tg.broadcast_to(tg.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]], dtype=float32)
    """
    return np.broadcast_to(x, shape)


broadcast_to.vjp(lambda grad, out, x, shape: grad)  # the engine sums it back to the shape of x


@broadcast_to.lift
def _(steps: int, timed: Any, x: Array, shape: Any) -> Array:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return np.broadcast_to(aligned(x, len(shape)), (steps, *shape))


@implements(np.flip)
@op(linear=True, view=True, leading_axes=True)
def flip(x: Array, axis: Any = None) -> Array:
    """x with the order of its elements along `axis` reversed.

    >>> import tinygrad_rnn as tg
    >>> tg.flip(tg.arange(3))
    tensor([2, 1, 0], dtype=int64)
    """
    return np.flip(x, axis)


flip.vjp(lambda grad, out, x, axis: np.flip(grad, axis))


@implements("astype", *([np.astype] if hasattr(np, "astype") else []))  # NumPy 2.1 and later
@op(elementwise=True, linear=True)
def astype(x: Array, *, dtype: Any) -> Array:
    """x in another dtype; the gradient is cast back. Integer and bool results are constants.

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
