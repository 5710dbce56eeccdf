"""Matrix products: matmul, einsum, outer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...engine.op import op
from ...engine.primitives.protocol import implements
from ..shapes.lifting import aligned

Array = Any


def _subscripts(x: int, y: int) -> str:
    """What matmul computes for inputs of so many axes: a vector has no axis of rows or columns."""
    rows, columns = "m" * (x > 1), "n" * (y > 1)
    batch = "..." * (x > 2 or y > 2)
    left, right = "..." * (x > 2), "..." * (y > 2)
    return f"{left}{rows}k,{right}k{columns}->{batch}{rows}{columns}"


@implements(np.matmul)
@op(multilinear="x y", contraction=_subscripts)
def matmul(x: Array, y: Array) -> Array:
    """The matrix product x @ y, in every form NumPy has: vectors, matrices, and batches of them.

    Batch axes broadcast. ValueError if the inner sizes differ or an input is 0-d.

    >>> import tinygrad_rnn as tg
    >>> tg.matmul(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([1.0, 10.0]))
    tensor([21., 43.], dtype=float32)
    """
    return _product(x, y)


def _product(x: Array, y: Array) -> Array:
    """x @ y; of two matrices by `np.dot`, which takes those with a side of 1 to BLAS as well."""
    both = getattr(x, "ndim", 0) == 2 == getattr(y, "ndim", 0)
    return np.dot(x, y) if both else np.matmul(x, y)


def _gradient_of_left(grad: Array, out: Array, x: Array, y: Array) -> Array:
    if y.ndim == 1:
        return grad[..., None] * y
    if x.ndim == 1:
        return np.matmul(y, grad[..., None])[..., 0]
    return _product(grad, y.swapaxes(-1, -2))


def _gradient_of_right(grad: Array, out: Array, x: Array, y: Array) -> Array:
    if x.ndim == 1:
        return x * grad if y.ndim == 1 else x[:, None] * grad[..., None, :]
    if y.ndim == 1:
        return np.matmul(x.swapaxes(-1, -2), grad[..., None])[..., 0]
    if y.ndim == 2 and x.ndim > 2:  # one product of two long matrices instead of a batch, summed
        return _product(_as_matrix(x).T, _as_matrix(grad))
    return _product(x.swapaxes(-1, -2), grad)


def _as_matrix(x: Array) -> Array:
    """All rows of x, one below the other; a -1 could not be worked out for an x of size 0."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


matmul.vjp(x=_gradient_of_left, y=_gradient_of_right)


@matmul.lift
def _(steps: int, timed: tuple[bool, bool], x: Array, y: Array) -> Array:
    x_axes, y_axes = x.ndim - timed[0], y.ndim - timed[1]
    if x_axes >= 2 and y_axes == 2 and not timed[1]:  # one product of a long matrix
        long = np.matmul(_as_matrix(x), y)
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


@implements(np.outer)
def outer(x: Array, y: Array) -> Array:
    """The matrix of all products of an element of x with one of y, both flattened.

    >>> import tinygrad_rnn as tg
    >>> tg.outer(tg.tensor([1.0, 2.0]), tg.tensor([1.0, 10.0]))
    tensor([[ 1., 10.],
            [ 2., 20.]], dtype=float32)
    """
    return np.reshape(x, (-1, 1)) * np.reshape(y, (1, -1))


@op(multilinear="operands", contraction=lambda *ndims, subscripts: subscripts)
def _einsum(*operands: Array, subscripts: str) -> Array:
    return np.einsum(subscripts, *operands, optimize=len(operands) > 1)


_einsum.name = "einsum"


@implements(np.einsum)
def einsum(subscripts: str, *operands: Array) -> Array:
    """Einstein summation: `einsum("bi,ij->bj", x, w)`; with or without `->`, with ellipses.

    ValueError if the subscripts do not fit the operands.

    >>> import tinygrad_rnn as tg
    >>> tg.einsum("i,i->", tg.tensor([1.0, 2.0]), tg.tensor([3.0, 4.0]))
    tensor(11., dtype=float32)
    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: the subscripts come first, as a string; got {subscripts!r}")
    return _einsum(*operands, subscripts=_explicit(subscripts, [np.ndim(x) for x in operands]))


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _explicit(subscripts: str, ndims: list[int]) -> str:
    """The same subscripts with their output written out and every ellipsis spelled in letters."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} has {len(terms)} terms for {len(ndims)} operands")
    if not arrow:
        letters = sorted(c for c in set(inputs) if c.isalpha() and inputs.count(c) == 1)
        output = "..." * ("..." in inputs) + "".join(letters)
    hidden = [n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True)]
    for term, ndim, count in zip(terms, ndims, hidden, strict=True):
        if count < 0 or (count and "..." not in term):
            raise ValueError(f"einsum: the term {term!r} of {subscripts!r} for {ndim} axes")
    free = [c for c in _LETTERS if c not in subscripts]
    spelled = "".join(free[: max(hidden, default=0)])
    terms = [
        t.replace("...", spelled[len(spelled) - n :]) for t, n in zip(terms, hidden, strict=True)
    ]
    return f"{','.join(terms)}->{output.replace('...', spelled)}"


@_einsum.vjp
def _(grad: Array, out: Array, *operands: Array, subscripts: str, position: int) -> Array:
    inputs, _, output = subscripts.partition("->")
    terms = inputs.split(",")
    x, term = operands[position], terms[position]
    others = [o for i, o in enumerate(operands) if i != position]
    terms = [output, *(t for i, t in enumerate(terms) if i != position)]
    # A letter twice in one term is a diagonal: give it a second name and tie both by an identity.
    for i, letter in enumerate(term):
        if letter in term[:i]:
            second = next(c for c in _LETTERS if c not in subscripts + term)
            term = term[:i] + second + term[i + 1 :]
            others.append(np.eye(x.shape[i], dtype=x.dtype))
            terms.append(letter + second)
    # A letter only in this term was summed over: its gradient is the same along that axis.
    known = [c for c in term if any(c in t for t in terms)]
    part = np.einsum(f"{','.join(terms)}->{''.join(known)}", grad, *others)
    for axis, letter in enumerate(term):
        if letter not in known:
            part = np.expand_dims(part, axis)
    return part


@_einsum.lift
def _(steps: int, timed: tuple[bool, ...], *operands: Array, subscripts: str) -> Array:
    time = next(letter for letter in _LETTERS if letter not in subscripts)
    inputs, _, output = subscripts.partition("->")
    terms = [time * t + term for t, term in zip(timed, inputs.split(","), strict=True)]
    return np.einsum(f"{','.join(terms)}->{time}{output}", *operands, optimize=len(operands) > 1)
