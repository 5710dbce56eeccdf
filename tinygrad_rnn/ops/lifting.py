"""How the ops act on all time steps at once: their rules for a leading time axis.

Axes are counted from the end, so most ops take an array with one more axis in front as it is; the
others are told here. An elementwise op needs no rule (its inputs are aligned from the front), and
an op that has none, or whose rule raises NotImplementedError, is run step by step. A compiled
scan reads these rules, see `Op.lift`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.op import Op
from . import indexing, linalg, reduction, shape

Array = Any


def _as_it_is(op: Op) -> None:
    """An op on one array whose attributes mean the same when there is one more axis in front."""
    value = op.value
    op.lift(lambda steps, timed, x, **attributes: value(x, **attributes))


for op in (
    reduction.sum,
    reduction.mean,
    reduction.max,
    reduction.min,
    reduction.logsumexp,
    reduction.softmax,
    reduction.log_softmax,
    reduction.norm,
    reduction._cumsum,
    shape.expand_dims,
    shape._squeeze,
    shape._split,
    shape._unstack,
    shape.flip,
    shape._pad,
):
    _as_it_is(op)

# A sum over time may be taken before these, on less data.
for op in (
    reduction.sum,
    reduction.mean,
    shape.reshape,
    shape._permute,
    shape.expand_dims,
    shape._squeeze,
    shape.broadcast_to,
    shape.flip,
    shape.astype,
):
    op.linear = True


@shape.reshape.lift
def _(steps: int, timed: Any, x: Array, shape: Any) -> Array:
    return np.reshape(x, (steps, *((shape,) if isinstance(shape, int) else shape)))


@shape._permute.lift
def _(steps: int, timed: Any, x: Array, axes: tuple[int, ...]) -> Array:
    return np.transpose(x, (0, *axes))


@shape.broadcast_to.lift
def _(steps: int, timed: Any, x: Array, shape: Any) -> Array:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return np.broadcast_to(aligned(x, len(shape)), (steps, *shape))


def aligned(x: Array, ndim: int) -> Array:
    """x, whose first axis is time, with axes of size 1 after it, so that `ndim` others follow."""
    return x.reshape(x.shape[:1] + (1,) * (ndim + 1 - x.ndim) + x.shape[1:])


def _all_timed(steps: int, timed: tuple[bool, ...], arrays: tuple[Array, ...]) -> list[Array]:
    return [
        a if has_time else np.broadcast_to(a, (steps, *np.shape(a)))
        for a, has_time in zip(arrays, timed, strict=True)
    ]


@shape._concatenate.lift
def _(steps: int, timed: tuple[bool, ...], *arrays: Array, axis: int) -> Array:
    return np.concatenate(_all_timed(steps, timed, arrays), axis)


@shape._stack.lift
def _(steps: int, timed: tuple[bool, ...], *arrays: Array, axis: int) -> Array:
    return np.stack(_all_timed(steps, timed, arrays), axis)


def _parts_of_concatenated(result: Array, *arrays: Array, axis: int) -> list[Array]:
    ends = np.cumsum([a.shape[axis] for a in arrays])[:-1]
    parts: list[Array] = np.split(result, ends, axis)
    return parts


def _parts_of_stacked(result: Array, *arrays: Array, axis: int) -> list[Array]:
    return list(np.moveaxis(result, axis, 0))


shape._concatenate.places = _parts_of_concatenated
shape._stack.places = _parts_of_stacked


@linalg.matmul.lift
def _(steps: int, timed: tuple[bool, bool], x: Array, y: Array) -> Array:
    x_axes, y_axes = x.ndim - timed[0], y.ndim - timed[1]
    if x_axes >= 2 and y_axes == 2 and not timed[1]:  # one product of a long matrix
        long = np.matmul(linalg._as_matrix(x), y)
        return long.reshape(*x.shape[:-1], y.shape[-1])
    if x_axes == 1:
        x = x[..., None, :]
    if y_axes == 1:
        y = y[..., None]
    ndim = max(x_axes, y_axes, 2)
    out = np.matmul(
        aligned(x, ndim) if timed[0] else x,
        aligned(y, ndim) if timed[1] else y,
    )
    if x_axes == 1:
        out = out[..., 0, :]
    return out[..., 0] if y_axes == 1 else out


@linalg._einsum.lift
def _(steps: int, timed: tuple[bool, ...], *operands: Array, subscripts: str) -> Array:
    time = next(letter for letter in linalg._LETTERS if letter not in subscripts)
    inputs, _, output = subscripts.partition("->")
    terms = [time * t + term for t, term in zip(timed, inputs.split(","), strict=True)]
    return np.einsum(f"{','.join(terms)}->{time}{output}", *operands, optimize=len(operands) > 1)


@indexing._getitem.lift
def _(steps: int, timed: tuple[bool, ...], x: Array, *arrays: Array, template: Any) -> Array:
    if not arrays:
        return x[(slice(None), *template)]
    if timed[0]:
        raise NotImplementedError("indices into an array that changes with time")
    return indexing._getitem.value(x, *arrays, template=template)  # rows of a table, at all times


@indexing._put.lift
def _(
    steps: int, timed: tuple[bool, ...], values: Array, *arrays: Array, template: Any, shape: Any
) -> Array:
    if arrays:
        raise NotImplementedError("adding into places that change with time")
    return indexing._put.value(values, template=(slice(None), *template), shape=(steps, *shape))


def summed_product(x: Array, y: Array) -> Array:
    """sum_t x_t @ y_t for x (T, M, K) and y (T, K, N), as one product of two long matrices."""
    rows = x.transpose(1, 0, 2).reshape(x.shape[1], -1)
    return np.dot(rows, y.reshape(-1, y.shape[-1]))
