"""Putting elements in order: sort, partition, and the places that they are taken from."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.keywords import takes_dim
from ...engine.op import op
from ...engine.primitives.protocol import implements

Array = Any


@op(differentiable=False, leading_axes=True)
def _argsort(x: Array, *, axis: int) -> Array:
    return np.argsort(x, axis=axis, kind="stable")


_argsort.name = "argsort"


@op(differentiable=False, leading_axes=True)
def _argpartition(x: Array, *, kth: Any, axis: int) -> Array:
    return np.argpartition(x, kth, axis=axis)


_argpartition.name = "argpartition"


def _in_one_axis(x: Array, axis: int | None) -> tuple[Array, int]:
    """The array and the axis; None means the only axis of the flattened array."""
    return (np.reshape(x, -1), -1) if axis is None else (x, axis)


@implements(np.argsort)
@takes_dim
def argsort(x: Array, axis: int | None = -1) -> Array:
    """The places of the elements of x in ascending order along `axis` (None: flattened).

    Equal elements stay in their order.

    >>> import tinygrad_rnn as tg
    >>> tg.argsort(tg.tensor([3.0, 1.0, 2.0]))
    tensor([1, 2, 0], dtype=int64)
    """
    x, axis = _in_one_axis(x, axis)
    return _argsort(x, axis=axis)


@implements(np.sort)
@takes_dim
def sort(x: Array, axis: int | None = -1) -> Array:
    """The elements of x in ascending order along `axis` (None: flattened).

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([3.0, 1.0, 2.0], requires_grad=True)
    >>> y = tg.sort(x)
    >>> (y * tg.tensor([1.0, 10.0, 100.0])).sum().backward()
    >>> y.data, x.grad
    (array([1., 2., 3.], dtype=float32), tensor([100.,   1.,  10.], dtype=float32))
    """
    x, axis = _in_one_axis(x, axis)
    return np.take_along_axis(x, _argsort(x, axis=axis), axis=axis)


@implements(np.argpartition)
def argpartition(x: Array, kth: Any, axis: int | None = -1) -> Array:
    """The places that `partition` takes the elements from.

    >>> import tinygrad_rnn as tg
    >>> tg.argpartition(tg.tensor([3.0, 1.0, 2.0]), 0)[0]
    tensor(1, dtype=int64)
    """
    x, axis = _in_one_axis(x, axis)
    return _argpartition(x, kth=kth, axis=axis)


@implements(np.partition)
def partition(x: Array, kth: Any, axis: int | None = -1) -> Array:
    """x with the elements that belong at `kth` of the sorted axis there, smaller ones before.

    Those before and those after are in no particular order: quicker than `sort`.

    >>> import tinygrad_rnn as tg
    >>> tg.partition(tg.tensor([3.0, 1.0, 2.0]), 1)
    tensor([1., 2., 3.], dtype=float32)
    """
    x, axis = _in_one_axis(x, axis)
    return np.take_along_axis(x, _argpartition(x, kth=kth, axis=axis), axis=axis)


@implements(np.median)
@takes_dim
def median(x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """The middle of the sorted elements along `axis`, or the mean of both middles; NaN if one is.

    >>> import tinygrad_rnn as tg
    >>> tg.median(tg.tensor([3.0, 1.0, 2.0])), tg.median(tg.tensor([4.0, 1.0, 2.0, 3.0]))
    (tensor(2., dtype=float32), tensor(2.5, dtype=float32))
    """
    shape = np.shape(x)
    x, place = _in_one_axis(x, axis)
    size = np.shape(x)[place]
    if not size:
        raise ValueError(f"median of no elements: axis {axis} of shape {shape}")
    in_order = sort(x, axis=place)
    both = np.take(in_order, [(size - 1) // 2, size // 2], axis=place)
    middle = np.mean(both, axis=place, keepdims=keepdims)
    last = np.take(in_order, [-1], axis=place)  # NaN is sorted behind all numbers
    last = last if keepdims else np.squeeze(last, axis=place)
    middle = np.where(np.isnan(last), last, middle) if x.dtype.kind == "f" else middle
    return np.reshape(middle, (1,) * len(shape)) if keepdims and axis is None else middle
