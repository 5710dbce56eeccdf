"""Tensors from nothing: constants, ranges and random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.dtypes import get_default_dtype
from ..engine.op import op
from ..engine.protocol import implements
from ..engine.reads import check_not_traced
from ..engine.tensor import Tensor, tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    DType = npt.DTypeLike | None

Array = Any


class _Generator:
    current = np.random.default_rng()


def manual_seed(seed: int) -> None:
    """Start the random numbers of this package anew from `seed`: same seed, same run, bit for bit.

    The generator is one for all threads. Threads that draw at the same time do no harm to one
    another, but which of them gets which numbers differs from run to run: give each a generator of
    its own, `generator=np.random.default_rng(seed)` where numbers are drawn.

    >>> manual_seed(0)
    >>> a = randn(2)
    >>> manual_seed(0)
    >>> bool((a == randn(2)).data.all())
    True
    """
    _Generator.current = np.random.default_rng(seed)


def generator() -> np.random.Generator:
    """The NumPy generator that all random numbers of this package come from.

    >>> import tinygrad_rnn as tg
    >>> tg.manual_seed(0)
    >>> 0.0 <= tg.generator().random() < 1.0
    True
    """
    check_not_traced("random numbers are drawn")
    return _here.get() or _Generator.current


current_generator = generator  # for functions with a parameter `generator`


def _drawing_from(given: np.random.Generator | None) -> AbstractContextManager[None]:
    return nullcontext() if given is None else generator_here(given)


_here: ContextVar[np.random.Generator | None] = ContextVar("tinygrad_rnn.generator", default=None)


@contextmanager
def generator_here(instead: np.random.Generator) -> Iterator[None]:
    """Inside, in this thread, all random numbers come from that generator, and none are lost."""
    token = _here.set(instead)
    try:
        yield
    finally:
        _here.reset(token)


def _shape(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` mean the same."""
    return tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], tuple | list) else sizes


def zeros(*shape: Any, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Zeros of `shape`; the dtype is the default (float32) unless given.

    >>> zeros(2)
    tensor([0., 0.], dtype=float32)
    """
    return full(_shape(shape), 0, dtype or get_default_dtype(), requires_grad)


def ones(*shape: Any, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Ones of `shape`; the dtype is the default (float32) unless given.

    >>> ones(2)
    tensor([1., 1.], dtype=float32)
    """
    return full(_shape(shape), 1, dtype or get_default_dtype(), requires_grad)


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


def rand(
    *shape: Any,
    dtype: DType = None,
    requires_grad: bool = False,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Random numbers, uniform in [0, 1); from `generator`, or the one that `manual_seed` sets.

    >>> rand(2, 3).shape
    (2, 3)
    """
    with _drawing_from(generator):
        values = _uniform(_shape(shape), dtype or get_default_dtype())
    return Tensor(values, None, requires_grad)


def randn(
    *shape: Any,
    dtype: DType = None,
    requires_grad: bool = False,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Standard normal numbers; from `generator`, or the one that `manual_seed` sets.

    >>> randn(2, 3).shape
    (2, 3)
    """
    with _drawing_from(generator):
        values = current_generator().standard_normal(_shape(shape))
    return Tensor(values, dtype or get_default_dtype(), requires_grad)


@op(differentiable=False, pure=False)
def rand_like(x: Array) -> Array:
    """Random numbers, uniform in [0, 1), of the shape and dtype of x, new in each call.

    >>> import tinygrad_rnn as tg
    >>> rand_like(tg.zeros(4)).shape
    (4,)
    """
    return _uniform(x.shape, x.dtype)


@op(differentiable=False, pure=False)
def randn_like(x: Array) -> Array:
    """Random numbers from the standard normal distribution, of the shape and dtype of x.

    They are new in each call.

    >>> import tinygrad_rnn as tg
    >>> randn_like(tg.zeros(4)).shape
    (4,)
    """
    return np.asarray(generator().standard_normal(x.shape)).astype(x.dtype)


def _uniform(shape: tuple[int, ...], dtype: Any) -> Array:
    if np.dtype(dtype) in (np.float32, np.float64):
        return np.asarray(generator().random(shape, dtype=np.dtype(dtype).type))
    return np.asarray(generator().random(shape)).astype(dtype)


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
