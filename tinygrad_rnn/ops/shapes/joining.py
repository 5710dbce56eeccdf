"""Joining and cutting arrays, and repeating them: concatenate, stack, split, unstack, pad, tile."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...engine.keywords import takes_dim
from ...engine.op import op
from ...engine.primitives.protocol import implements
from ...engine.primitives.traits import Section
from .lifting import all_timed

Array = Any


def _parts_of_concatenated(result: Array, *arrays: Array, axis: int) -> list[Array]:
    ends = np.cumsum([a.shape[axis] for a in arrays])[:-1]
    parts: list[Array] = np.split(result, ends, axis)
    return parts


@op(linear=True, places=_parts_of_concatenated)
def _concatenate(*arrays: Array, axis: int) -> Array:
    return np.concatenate(arrays, axis)


_concatenate.name = "concatenate"


@_concatenate.vjp
def _(grad: Array, out: Array, *arrays: Array, axis: int, position: int) -> Array:
    start = sum(a.shape[axis] for a in arrays[:position])
    return _along(grad, axis, slice(start, start + arrays[position].shape[axis]))


@_concatenate.lift
def _(steps: int, timed: tuple[bool, ...], *arrays: Array, axis: int) -> Array:
    return np.concatenate(all_timed(steps, timed, arrays), axis)


def _along(x: Array, axis: int, part: slice | int) -> Array:
    """x[..., part, ...] with `part` at `axis`, which is counted from the end."""
    return x[(..., part, *(slice(None),) * (-axis - 1))]


@implements(np.concatenate)
@takes_dim
def concatenate(arrays: Sequence[Array], axis: int | None = 0) -> Array:
    """The arrays joined along an existing axis (None: flattened first).

    >>> import tinygrad_rnn as tg
    >>> tg.concatenate([tg.zeros(2), tg.ones(1)])
    tensor([0., 0., 1.], dtype=float32)
    """
    if axis is None:
        arrays, axis = [np.reshape(a, -1) for a in arrays], 0
    return _concatenate(*arrays, axis=axis)


def _parts_of_stacked(result: Array, *arrays: Array, axis: int) -> list[Array]:
    return list(np.moveaxis(result, axis, 0))


@op(linear=True, inserts_axes=True, places=_parts_of_stacked)
def _stack(*arrays: Array, axis: int) -> Array:
    return np.stack(arrays, axis)


_stack.name = "stack"
_stack.vjp(
    arrays=lambda grad, out, *arrays, axis, position: _along(grad, axis, position),
)


@_stack.lift
def _(steps: int, timed: tuple[bool, ...], *arrays: Array, axis: int) -> Array:
    return np.stack(all_timed(steps, timed, arrays), axis)


@implements(np.stack)
@takes_dim
def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """The arrays, all of one shape, joined along a new axis.

    >>> import tinygrad_rnn as tg
    >>> tg.stack([tg.zeros(2), tg.ones(2)])
    tensor([[0., 0.],
            [1., 1.]], dtype=float32)
    """
    return _stack(*arrays, axis=axis)


@op(linear=True, view=True, leading_axes=True)
def _unstack(x: Array, *, axis: int) -> tuple[Array, ...]:
    parts: tuple[Array, ...] = tuple(np.moveaxis(x, axis, 0))
    return parts


_unstack.name = "unstack"
_unstack.vjp(lambda grad, out, x, axis: np.stack(grad, axis))


@takes_dim
def unstack(x: Array, axis: int = 0) -> tuple[Array, ...]:
    """x cut along `axis` into parts that lack that axis: the inverse of `stack`.

    >>> import tinygrad_rnn as tg
    >>> tg.unstack(tg.tensor([1.0, 2.0]))
    (tensor(1., dtype=float32), tensor(2., dtype=float32))
    """
    parts: tuple[Array, ...] = _unstack(x, axis=axis)
    return parts


def _section_of_split(
    shape: tuple[int, ...], output: int, places: tuple[int, ...], axis: int
) -> Section:
    start, stop, _ = slice(*_bounds(shape, places, axis)[output : output + 2]).indices(shape[axis])
    return Section(axis, start, max(start, stop))


def _bounds(shape: tuple[int, ...], places: tuple[int, ...], axis: int) -> list[int]:
    return [0, *places, shape[axis]]


@op(linear=True, view=True, leading_axes=True, section=_section_of_split)
def _split(x: Array, *, places: tuple[int, ...], axis: int) -> tuple[Array, ...]:
    ends = pairwise(_bounds(x.shape, places, axis))
    return tuple([_along(x, axis, slice(start, stop)) for start, stop in ends])


_split.name = "split"
_split.vjp(lambda grad, out, x, places, axis: np.concatenate(grad, axis))


@implements(np.split)
@takes_dim
def split(x: Array, sections: Any, axis: int = 0) -> tuple[Array, ...]:
    """x cut along `axis` into `sections` equal parts, or at the places in a sequence of ints.

    ValueError if the axis cannot be cut into equal parts.

    >>> import tinygrad_rnn as tg
    >>> i, f = tg.split(tg.arange(4), 2)
    >>> i, f
    (tensor([0, 1], dtype=int64), tensor([2, 3], dtype=int64))
    """
    if isinstance(sections, (int, np.integer)):
        size = (x.shape if hasattr(x, "shape") else np.shape(x))[axis]
        if sections < 1 or size % sections:
            raise ValueError(
                f"split: an axis of size {size} cannot be cut into {sections} equal parts"
            )
        part = size // sections
        places = tuple(range(part, size, part)) if size else (0,) * (sections - 1)
    else:
        places = tuple([int(place) for place in sections])
    parts: tuple[Array, ...] = _split(x, places=places, axis=axis)
    return parts


@op(linear=True, leading_axes=True)
def _pad(x: Array, *, widths: tuple[tuple[int, int], ...]) -> Array:
    lead = ((0, 0),) * (np.ndim(x) - len(widths))
    if not np.ndim(x):  # np.pad refuses to add nothing to no axes
        return np.array(x)
    return np.pad(x, (*lead, *widths))


_pad.name = "pad"


@_pad.vjp
def _(grad: Array, out: Array, x: Array, widths: Any) -> Array:
    kept = (slice(before, before + n) for (before, _), n in zip(widths, x.shape, strict=True))
    return grad[(..., *kept)]


@implements(np.pad)
def pad(x: Array, pad_width: Any, mode: str = "constant", constant_values: float = 0) -> Array:
    """x with constant elements added at both ends of its axes.

    `pad_width`: an int, a pair (before, after), or such a pair for each axis. Only the mode
    "constant" has a gradient rule; ValueError for others, and for several constants.

    >>> import tinygrad_rnn as tg
    >>> tg.pad(tg.ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.], dtype=float32)
    """
    if mode != "constant":
        raise ValueError(f"pad: mode {mode!r} has no gradient rule; use 'constant' or np.take")
    if np.ndim(constant_values):
        raise ValueError(f"pad: constant_values is one number, got {constant_values!r}")
    n = np.ndim(x)
    widths = np.broadcast_to(np.asarray(pad_width), (n, 2)) if n else np.zeros((0, 2), int)
    pairs = tuple((int(before), int(after)) for before, after in widths)
    padded: Array = _pad(x, widths=pairs)
    if not constant_values:
        return padded
    inside = _pad(np.ones_like(x, dtype=bool), widths=pairs)
    return np.where(inside, padded, np.asarray(constant_values).astype(padded.dtype))


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
@takes_dim
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
