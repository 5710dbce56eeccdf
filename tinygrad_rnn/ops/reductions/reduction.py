"""Reductions over axes, and the functions built on them. `axis` and `keepdims` as in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...engine.keywords import takes_dim
from ...engine.op import op
from ...engine.primitives.protocol import implements
from ..elementwise.arithmetic import sqrt

_MOST_IN_FLOAT16 = 65504  # its largest number

Array = Any


def _restored(reduced: Array, axis: Any, keepdims: bool) -> Array:
    """A reduced array with its reduced axes back, of size 1, so that it broadcasts."""
    return reduced if keepdims or not reduced.ndim else np.expand_dims(reduced, axis)


def _count(x: Array, axis: Any) -> int:
    """How many elements go into one element of a reduction of `x` over `axis`."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    return math.prod(x.shape[a] for a in axes)


def _divided(total: Array, count: int) -> Array:
    """`total / count`, where a count that float16 does not hold is not infinite beside it."""
    return total / count if count <= _MOST_IN_FLOAT16 else total * (1 / count)


# The engine broadcasts a gradient to its input's shape, so these rules need not.


@implements(np.sum)
@op(symbol="Σ", linear=True, leading_axes=True)
def sum(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Sum over `axis`: None (all), an int or a tuple.

    >>> import tinygrad_rnn as tg
    >>> tg.sum(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([4., 6.], dtype=float32)
    """
    return np.sum(x, axis=axis, keepdims=keepdims)


sum.vjp(lambda grad, out, x, axis, keepdims: _restored(grad, axis, keepdims))


@implements(np.mean)
@op(linear=True, leading_axes=True)
def mean(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Mean over `axis`: the sum divided by the number of elements.

    >>> import tinygrad_rnn as tg
    >>> tg.mean(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1, keepdims=True)
    tensor([[1.5],
            [3.5]], dtype=float32)
    """
    return np.mean(x, axis=axis, keepdims=keepdims)


mean.vjp(
    lambda grad, out, x, axis, keepdims: _divided(
        _restored(grad, axis, keepdims), _count(x, axis) or 1
    )
)


@implements(np.max, np.amax)
@op(leading_axes=True)
def max(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Largest element over `axis`; equal largest elements share the gradient evenly.

    >>> import tinygrad_rnn as tg
    >>> tg.max(tg.tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    tensor([5., 4.], dtype=float32)
    """
    return np.max(x, axis=axis, keepdims=keepdims)


@implements(np.min, np.amin)
@op(leading_axes=True)
def min(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Smallest element over `axis`; equal smallest elements share the gradient evenly.

    >>> import tinygrad_rnn as tg
    >>> tg.min(tg.tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    tensor([1., 3.], dtype=float32)
    """
    return np.min(x, axis=axis, keepdims=keepdims)


def _to_the_extreme(grad: Array, out: Array, x: Array, axis: Any, keepdims: bool) -> Array:
    chosen = np.equal(x, _restored(out, axis, keepdims))
    share = _restored(grad, axis, keepdims) / np.sum(chosen, axis=axis, keepdims=True)
    return np.where(chosen, share, 0)


max.vjp(_to_the_extreme)
min.vjp(_to_the_extreme)


@implements(np.prod)
@takes_dim
def prod(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Product over `axis`.

    Composed of products of two halves, so that its gradients of every order are right where
    elements are zero, without dividing by them.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([2.0, 0.0, 4.0], requires_grad=True)
    >>> tg.prod(x).backward()
    >>> x.grad
    tensor([0., 8., 0.], dtype=float32)
    """
    ndim = np.ndim(x)
    axes = np.lib.array_utils.normalize_axis_tuple(range(ndim) if axis is None else axis, ndim)
    kept = [a for a in range(ndim) if a not in axes]
    size = math.prod(np.shape(x)[a] for a in axes)
    factors = np.transpose(x, [*axes, *kept])
    factors = np.reshape(factors, (size, *(np.shape(x)[a] for a in kept)))
    if size == 0:
        factors = np.concatenate([factors, np.ones_like(factors, shape=(1, *factors.shape[1:]))])
    while len(factors) > 1:
        half = len(factors) // 2
        left_over = factors[2 * half :]
        factors = factors[:half] * factors[half : 2 * half]
        if len(left_over):
            factors = np.concatenate([factors, left_over])
    product = factors[0]
    return np.expand_dims(product, axes) if keepdims else product


@implements(np.var)
@takes_dim
def var(x: Array, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Array:
    """Variance over `axis`: the mean squared distance from the mean, with divisor n - ddof.

    `ddof` is 0 as in NumPy (PyTorch's default is 1).

    >>> import tinygrad_rnn as tg
    >>> tg.var(tg.tensor([1.0, 3.0])), tg.var(tg.tensor([1.0, 3.0]), ddof=1)
    (tensor(1., dtype=float32), tensor(2., dtype=float32))
    """
    squares = np.square(x - mean(x, axis=axis, keepdims=True))
    if ddof == 0:
        return mean(squares, axis=axis, keepdims=keepdims)
    total = sum(squares, axis=axis, keepdims=keepdims)
    count = np.size(x) // (np.size(total) or 1)
    return _divided(total, count - ddof)


@implements(np.std)
@takes_dim
def std(x: Array, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Array:
    """Standard deviation over `axis`, sqrt(var). Where it is 0, so is its gradient.

    >>> import tinygrad_rnn as tg
    >>> tg.std(tg.tensor([1.0, 3.0]))
    tensor(1., dtype=float32)
    """
    variance = var(x, axis=axis, ddof=ddof, keepdims=keepdims)
    return sqrt(variance, where=np.not_equal(variance, 0))


@implements("logsumexp")
@op(leading_axes=True)
def logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """log(sum(exp(x))) over `axis`, without overflow.

    >>> import tinygrad_rnn as tg
    >>> tg.logsumexp(tg.tensor([1000.0, 0.0]))
    tensor(1000., dtype=float32)
    """
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):  # log(0) = -inf is the value where all are -inf
        out = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return out if keepdims else np.squeeze(out, axis)


logsumexp.vjp(
    lambda grad, out, x, axis, keepdims: (
        _restored(grad, axis, keepdims) * np.exp(x - _restored(out, axis, keepdims))
    )
)


@implements("softmax")
@op(leading_axes=True)
def softmax(x: Array, axis: Any = -1) -> Array:
    """exp(x) / sum(exp(x)) along `axis`, which sums to 1; never overflows.

    >>> import tinygrad_rnn as tg
    >>> tg.softmax(tg.tensor([1000.0, 1000.0]))
    tensor([0.5, 0.5], dtype=float32)
    """
    powers = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    return powers / np.sum(powers, axis=axis, keepdims=True)


softmax.vjp(lambda grad, out, x, axis: out * (grad - np.sum(grad * out, axis=axis, keepdims=True)))


@implements("log_softmax")
@op(leading_axes=True)
def log_softmax(x: Array, axis: Any = -1) -> Array:
    """log(softmax(x)) along `axis`, accurate where softmax is tiny.

    >>> import tinygrad_rnn as tg
    >>> tg.log_softmax(tg.tensor([0.0, 1000.0]))
    tensor([-1000.,     0.], dtype=float32)
    """
    shifted = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    total = np.sum(np.exp(shifted), axis=axis, keepdims=True, initial=0 if x.size else 1)
    return shifted - np.log(total)


log_softmax.vjp(
    lambda grad, out, x, axis: grad - np.exp(out) * np.sum(grad, axis=axis, keepdims=True)
)


@op(leading_axes=True)
def norm(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Euclidean norm: the root of the sum of squares over `axis`; the gradient at 0 is 0.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([3.0, 4.0], requires_grad=True)
    >>> length = tg.norm(x)
    >>> length.backward()
    >>> length, x.grad
    (tensor(5., dtype=float32, op=norm), tensor([0.6, 0.8], dtype=float32))
    """
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


@norm.vjp
def _(grad: Array, out: Array, x: Array, axis: Any, keepdims: bool) -> Array:
    length = _restored(out, axis, keepdims)
    return _restored(grad, axis, keepdims) * x / (length + np.equal(length, 0))


@implements(np.linalg.norm)
def _numpys_norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    vectors = isinstance(axis, int) or (axis is None and np.ndim(x) == 1)
    if ord is None or ord == (2 if vectors else "fro"):
        return norm(x, axis=axis, keepdims=keepdims)
    if vectors and ord == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    if vectors and ord in (np.inf, -np.inf):
        extreme = np.max if ord > 0 else np.min
        return extreme(np.abs(x), axis=axis, keepdims=keepdims)
    raise TypeError(
        f"np.linalg.norm of a Tensor has no ord= (here {ord!r}) but 1, 2 and inf along one axis; "
        "write it out, for a vector: np.sum(np.abs(x) ** p, axis=-1) ** (1 / p)"
    )


@op(linear=True, leading_axes=True)
def _cumsum(x: Array, *, axis: int) -> Array:
    return np.cumsum(x, axis=axis)


_cumsum.name = "cumsum"
_cumsum.vjp(lambda grad, out, x, axis: np.flip(np.cumsum(np.flip(grad, axis), axis), axis))


@implements(np.cumsum)
@takes_dim
def cumsum(x: Array, axis: int | None = None) -> Array:
    """Running sum along `axis` (None: of the flattened array).

    >>> import tinygrad_rnn as tg
    >>> tg.cumsum(tg.tensor([1.0, 2.0, 3.0]))
    tensor([1., 3., 6.], dtype=float32)
    """
    return _cumsum(np.reshape(x, -1), axis=-1) if axis is None else _cumsum(x, axis=axis)


@implements(np.argmax)
@op(differentiable=False)
def argmax(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Position of the largest element along `axis` (None: in the flattened array).

    >>> import tinygrad_rnn as tg
    >>> tg.argmax(tg.tensor([[1.0, 5.0], [3.0, 2.0]]), axis=1)
    tensor([1, 0], dtype=int64)
    """
    return np.argmax(x, axis=_one_axis(axis), keepdims=keepdims)


@implements(np.argmin)
@op(differentiable=False)
def argmin(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Position of the smallest element along `axis` (None: in the flattened array).

    >>> import tinygrad_rnn as tg
    >>> tg.argmin(tg.tensor([[1.0, 5.0], [3.0, 2.0]]), axis=1)
    tensor([0, 1], dtype=int64)
    """
    return np.argmin(x, axis=_one_axis(axis), keepdims=keepdims)


def _one_axis(axis: Any) -> int | None:
    return None if isinstance(axis, tuple) else axis
