"""Along an axis: running products, differences, rolling, and joining by NumPy's other names."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from ...engine.keywords import takes_dim
from ...engine.primitives.protocol import implements
from .joining import split

Array = Any


def _part(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    """x[..., start:stop, ...] at `axis`, which is counted from the front."""
    return x[(*(slice(None),) * axis, slice(start, stop))]


@implements(np.cumprod)
@takes_dim
def cumprod(x: Array, axis: int | None = None) -> Array:
    """Running product along `axis` (None: of the flattened array).

    Composed of log2(n) products with the array shifted by 1, 2, 4, ... places, so that its
    gradients of every order are right where elements are zero, without dividing by them.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([2.0, 0.0, 4.0], requires_grad=True)
    >>> y = tg.cumprod(x)
    >>> y.sum().backward()
    >>> y.data, x.grad
    (array([2., 0., 0.], dtype=float32), tensor([ 1., 10.,  0.], dtype=float32))
    """
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    axis = normalize_axis_index(axis, np.ndim(x))
    size, shift = np.shape(x)[axis], 1
    dtype = x.dtype
    if dtype.kind in "bi":  # NumPy's sums and products of narrow integers are wide
        x = x.astype(np.result_type(dtype, np.int_))
    while shift < size:
        products = _part(x, axis, shift, None) * _part(x, axis, None, -shift)
        x = np.concatenate([_part(x, axis, None, shift), products], axis)
        shift *= 2
    return x if shift > 1 else np.copy(x)


@implements(np.diff)
@takes_dim
def diff(
    x: Array, n: int = 1, axis: int = -1, prepend: Array = None, append: Array = None
) -> Array:
    """Differences of neighbours along `axis`, taken `n` times; one element fewer each time.

    `prepend`, `append`: what is joined to x before and after, numbers or arrays.

    >>> import tinygrad_rnn as tg
    >>> tg.diff(tg.tensor([1.0, 4.0, 9.0])), tg.diff(tg.tensor([1.0, 4.0]), prepend=0.0)
    (tensor([3., 5.], dtype=float32), tensor([1., 3.], dtype=float32))
    """
    if n < 0:
        raise ValueError(f"diff: n is a number of times, got {n}")
    axis = normalize_axis_index(axis, np.ndim(x))
    if n == 0:
        return x
    shape = np.shape(x)
    one = (*shape[:axis], 1, *shape[axis + 1 :])
    ends = [part if part is None else _beside(x, part) for part in (prepend, append)]
    parts = [
        part if np.ndim(part) else np.broadcast_to(part, one)
        for part in (ends[0], x, ends[1])
        if part is not None
    ]
    x = np.concatenate(parts, axis) if len(parts) > 1 else x
    for _ in range(n):
        after, before = _part(x, axis, 1, None), _part(x, axis, None, -1)
        x = np.not_equal(after, before) if x.dtype.kind == "b" else after - before
    return x


@implements(np.roll)
@takes_dim
def roll(x: Array, shift: Any, axis: Any = None) -> Array:
    """x with its elements moved by `shift` places along `axis`; the last come first again.

    Of several axes, each with its shift or all with the same. None: the flattened x is rolled.

    >>> import tinygrad_rnn as tg
    >>> tg.roll(tg.tensor([1.0, 2.0, 3.0]), 1)
    tensor([3., 1., 2.], dtype=float32)
    """
    if axis is None:
        return np.reshape(roll(np.reshape(x, -1), shift, 0), np.shape(x))
    for places, one_axis in np.broadcast(shift, axis):
        place = normalize_axis_index(int(one_axis), np.ndim(x))
        size = np.shape(x)[place]
        start = -index(places) % size if size else 0
        x = np.concatenate([_part(x, place, start, None), _part(x, place, None, start)], place)
    return x


@implements(np.append)
def append(x: Array, values: Array, axis: int | None = None) -> Array:
    """x with `values` joined at its end along `axis` (None: both flattened).

    >>> import tinygrad_rnn as tg
    >>> tg.append(tg.tensor([1.0, 2.0]), 3.0)
    tensor([1., 2., 3.], dtype=float32)
    """
    return np.concatenate([x, _beside(x, values)], axis)


def _beside(x: Array, values: Array) -> Array:
    """The values; a Python number as an array that does not make the dtype of x wider."""
    if isinstance(values, int | float):
        return np.asarray(values, np.result_type(x.dtype, values))
    return values


def _with_axes(x: Array, ndim: int) -> Array:
    """x with axes of size 1 in front, so that it has `ndim` or more."""
    missing = max(ndim - np.ndim(x), 0)
    return np.reshape(x, (1,) * missing + np.shape(x)) if missing else x


@implements(np.hstack)
def hstack(arrays: Sequence[Array]) -> Array:
    """The arrays side by side: joined along their second axis, vectors along their only one.

    >>> import tinygrad_rnn as tg
    >>> tg.hstack([tg.ones(2, 1), tg.zeros(2, 2)])
    tensor([[1., 0., 0.],
            [1., 0., 0.]], dtype=float32)
    """
    arrays = [_with_axes(a, 1) for a in arrays]
    return np.concatenate(arrays, 0 if np.ndim(arrays[0]) == 1 else 1)


@implements(np.vstack)
def vstack(arrays: Sequence[Array]) -> Array:
    """The arrays one below the other: joined along the first axis; vectors are rows.

    >>> import tinygrad_rnn as tg
    >>> tg.vstack([tg.ones(2), tg.zeros(2)])
    tensor([[1., 1.],
            [0., 0.]], dtype=float32)
    """
    return np.concatenate([_with_axes(a, 2) for a in arrays], 0)


@implements(np.column_stack)
def column_stack(arrays: Sequence[Array]) -> Array:
    """The arrays side by side, joined along the second axis; vectors are columns.

    >>> import tinygrad_rnn as tg
    >>> tg.column_stack([tg.ones(2), tg.zeros(2)])
    tensor([[1., 0.],
            [1., 0.]], dtype=float32)
    """
    columns = [a if np.ndim(a) > 1 else np.reshape(a, (-1, 1)) for a in arrays]
    return np.concatenate(columns, 1)


@implements(np.ravel)
def ravel(x: Array) -> Array:
    """The elements of x in one axis.

    >>> import tinygrad_rnn as tg
    >>> tg.ravel(tg.ones(2, 2))
    tensor([1., 1., 1., 1.], dtype=float32)
    """
    return np.reshape(x, -1)


@implements(np.dstack)
def dstack(arrays: Sequence[Array]) -> Array:
    """The arrays one behind the other: joined along the third axis.

    >>> import tinygrad_rnn as tg
    >>> tg.dstack([tg.ones(2, 3), tg.zeros(2, 3)]).shape
    (2, 3, 2)
    """
    deep = [np.expand_dims(_with_axes(a, 2), 2) if np.ndim(a) < 3 else a for a in arrays]
    return np.concatenate(deep, 2)


@implements(np.array_split)
def array_split(x: Array, sections: Any, axis: int = 0) -> tuple[Array, ...]:
    """x cut along `axis` into `sections` parts whose sizes differ by 1 at most, or at places.

    >>> import tinygrad_rnn as tg
    >>> [part.shape for part in tg.array_split(tg.ones(5), 2)]
    [(3,), (2,)]
    """
    if isinstance(sections, int | np.integer):
        if sections < 1:
            raise ValueError(f"array_split: into {sections} parts")
        each, longer = divmod(np.shape(x)[axis], sections)
        sections = [each * k + min(k, longer) for k in range(1, int(sections))]
    return split(x, sections, axis)
