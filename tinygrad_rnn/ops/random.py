"""Random numbers: the generator that they come from, and Tensors drawn from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.dtypes import get_default_dtype
from ..engine.op import op
from ..engine.primitives.reads import check_not_traced
from ..engine.tensor import Tensor
from .creation import shape_of

if TYPE_CHECKING:
    import numpy.typing as npt

    DType = npt.DTypeLike | None

Array = Any


class _Generator:
    current = np.random.default_rng()  # for all threads


_instead: ContextVar[np.random.Generator | None] = ContextVar(
    "tinygrad_rnn.generator", default=None
)


def manual_seed(seed: int) -> None:
    """Start the random numbers of this package anew from `seed`: same seed, same run, bit for bit.

    All threads share one generator. Threads that draw at the same time do no harm to one another,
    but which of them gets which numbers differs from run to run: give each thread a generator of
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
    return _instead.get() or _Generator.current


@contextmanager
def use_generator(given: np.random.Generator | None) -> Iterator[None]:
    """Inside, in this thread, `generator()` is the one given; None changes nothing."""
    token = None if given is None else _instead.set(given)
    try:
        yield
    finally:
        if token is not None:
            _instead.reset(token)


def _uniform(shape: tuple[int, ...], dtype: Any) -> Array:
    if np.dtype(dtype) in (np.float32, np.float64):
        return np.asarray(generator().random(shape, dtype=np.dtype(dtype).type))
    return np.asarray(generator().random(shape)).astype(dtype)


def _normal(shape: tuple[int, ...], dtype: Any) -> Array:
    return np.asarray(generator().standard_normal(shape)).astype(dtype)


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
    with use_generator(generator):
        values = _uniform(shape_of(shape), dtype or get_default_dtype())
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
    with use_generator(generator):
        values = _normal(shape_of(shape), dtype or get_default_dtype())
    return Tensor(values, None, requires_grad)


def randint(
    *bounds: int,
    low: int = 0,
    high: int | None = None,
    size: Any = None,
    dtype: DType = "int64",
    requires_grad: bool = False,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """Random integers in [low, high): `randint(high, size)` or `randint(low, high, size)`.

    They come from `generator`, or the one that `manual_seed` sets. ValueError if there is no
    integer in [low, high); TypeError if `high` or `size` is missing, or given twice.

    >>> import tinygrad_rnn as tg
    >>> dice = tg.randint(1, 7, (2, 5))
    >>> dice.shape, dice.dtype, bool(((1 <= dice) & (dice < 7)).data.all())
    ((2, 5), dtype('int64'), True)
    """
    given: list[Any] = list(bounds)
    if size is None and given:
        size = given.pop()
    if high is None and given:
        high = given.pop()
    if given:
        low = given.pop()
    if given or high is None or size is None:
        raise TypeError("it is called as randint(high, size) or randint(low, high, size)")
    if not low < high:
        raise ValueError(f"randint: there is no integer in [low, high) = [{low}, {high})")
    with use_generator(generator):
        values = _integers(low, high, shape_of((size,)))
    return Tensor(values, dtype, requires_grad)


def randperm(
    n: int,
    *,
    dtype: DType = "int64",
    requires_grad: bool = False,
    generator: np.random.Generator | None = None,
) -> Tensor:
    """The integers 0 ... n - 1 in random order, from `generator` or the one of `manual_seed`.

    >>> import tinygrad_rnn as tg
    >>> sorted(tg.randperm(4).tolist())
    [0, 1, 2, 3]
    """
    with use_generator(generator):
        values = _permutation(n)
    return Tensor(values, dtype, requires_grad)


def _integers(low: int, high: int, shape: tuple[int, ...]) -> Array:
    return generator().integers(low, high, shape)


def _permutation(n: int) -> Array:
    return generator().permutation(n)


@op(differentiable=False, pure=False)
def rand_like(x: Array, generator: np.random.Generator | None = None) -> Array:
    """Random numbers, uniform in [0, 1), of the shape and dtype of x, new in each call.

    They come from `generator`, or the one that `manual_seed` sets.

    >>> import tinygrad_rnn as tg
    >>> tg.rand_like(tg.zeros(4)).shape
    (4,)
    """
    with use_generator(generator):
        return _uniform(x.shape, x.dtype)


@op(differentiable=False, pure=False)
def randn_like(x: Array, generator: np.random.Generator | None = None) -> Array:
    """Random numbers from the standard normal distribution, of the shape and dtype of x.

    They are new in each call, from `generator`, or the one that `manual_seed` sets.

    >>> import tinygrad_rnn as tg
    >>> tg.randn_like(tg.zeros(4)).shape
    (4,)
    """
    with use_generator(generator):
        return _normal(x.shape, x.dtype)
