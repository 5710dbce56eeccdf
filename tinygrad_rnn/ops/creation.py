"""Tensors from nothing: constants and ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.dtypes import get_default_dtype
from ..engine.op import op
from ..engine.primitives.protocol import implements
from ..engine.tensor import Tensor, tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    DType = npt.DTypeLike | None

Array = Any


def shape_of(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` mean the same."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], tuple | list) else sizes


def zeros(*shape: Any, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Zeros of `shape`; the dtype is the default (float32) unless given.

    >>> zeros(2)
    tensor([0., 0.], dtype=float32)
    """
    return full(shape_of(shape), 0, dtype or get_default_dtype(), requires_grad)


def ones(*shape: Any, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Ones of `shape`; the dtype is the default (float32) unless given.

    >>> ones(2)
    tensor([1., 1.], dtype=float32)
    """
    return full(shape_of(shape), 1, dtype or get_default_dtype(), requires_grad)


def full(shape: Any, value: Any, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """`value` at every place of `shape`.

    >>> full((2,), 7.0)
    tensor([7., 7.], dtype=float32)
    """
    value = tensor(value, dtype)._data
    return Tensor(np.full(shape, value), None, requires_grad)


def arange(*bounds: Any, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """start, start + step, ...: `arange(stop)`, `arange(start, stop)`, `arange(start, stop, step)`.

    >>> arange(3)
    tensor([0, 1, 2], dtype=int64)
    """
    values = np.arange(*bounds)
    if dtype is None and values.dtype.kind == "f":
        dtype = get_default_dtype()
    return Tensor(values, dtype, requires_grad)


def eye(n: int, m: int | None = None, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """The identity matrix, n x m (default n x n).

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]], dtype=float32)
    """
    return Tensor(np.eye(n, m), dtype or get_default_dtype(), requires_grad)


@implements(np.zeros_like)
@op(differentiable=False)
def zeros_like(x: Array, dtype: Any = None) -> Array:
    """Zeros of the shape and dtype of x.

    >>> import tinygrad_rnn as tg
    >>> tg.zeros_like(tg.tensor([1.0, 2.0]))
    tensor([0., 0.], dtype=float32)
    """
    return np.zeros_like(x, dtype=dtype)


@implements(np.full_like)
def full_like(x: Array, fill_value: Array, dtype: Any = None) -> Array:
    """`fill_value` at every place of the shape of x, in the dtype of x.

    >>> import tinygrad_rnn as tg
    >>> tg.full_like(tg.tensor([1.0, 2.0]), 7)
    tensor([7., 7.], dtype=float32)
    """
    zeros = np.zeros_like(x, dtype=dtype)
    return zeros + np.asarray(fill_value).astype(zeros.dtype)


@implements(np.ones_like)
@op(differentiable=False)
def ones_like(x: Array, dtype: Any = None, shape: Any = None) -> Array:
    """Ones of the shape and dtype of x (or of another `shape`).

    >>> import tinygrad_rnn as tg
    >>> tg.ones_like(tg.tensor([1.0, 2.0]))
    tensor([1., 1.], dtype=float32)
    """
    return np.ones_like(x, dtype=dtype, shape=shape)
