"""Functions of functions: grad, value_and_grad, jacobian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .autograd import propagate
from .dtypes import is_floating
from .recording.mode import enable_grad
from .seed import seed
from .tensor import Tensor, from_numpy, tensor

__all__ = ["grad", "jacobian", "value_and_grad"]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    create_graph: bool = False,
    allow_unused: bool = False,
    retain_graph: bool | None = None,
) -> tuple[Any, ...]:
    """The gradients of `outputs` with respect to `inputs`, a tuple; `grad` of no leaf is touched.

    `grad_outputs`: a weight for the elements of each output; may be left out for outputs of one
    element. Only what the inputs need is computed. `retain_graph` is `create_graph` by default.
    An input that the outputs do not depend on is a ValueError, or None with `allow_unused`.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor(2.0, requires_grad=True)
    >>> (dx,) = tg.grad(x * x * x, x, create_graph=True)
    >>> dx
    tensor(12., dtype=float32, op=add)
    >>> tg.grad(dx, x)
    (tensor(12., dtype=float32),)
    """
    outs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    weights = [grad_outputs] if isinstance(outputs, Tensor) else grad_outputs or [None] * len(outs)
    if len(weights) != len(outs):
        raise ValueError(f"{len(weights)} grad_outputs for {len(outs)} outputs")
    for position, x in enumerate(wanted):
        if not x.requires_grad:
            raise ValueError(f"input {position} of grad() does not require a gradient")
    found = propagate(
        outs,
        [
            seed(Tensor, out, weight, create_graph)
            for out, weight in zip(outs, weights, strict=True)
        ],
        wanted=wanted,
        create_graph=create_graph,
        retain_graph=create_graph if retain_graph is None else retain_graph,
    )
    for position, x in enumerate(wanted):
        if x not in found and not allow_unused:
            raise ValueError(
                f"the outputs do not depend on input {position} (shape {x.shape}); "
                "pass allow_unused=True to get None for it"
            )
    results = (found.get(x) for x in wanted)
    return tuple(g if g is None or create_graph else Tensor.of(g) for g in results)


def value_and_grad(
    fn: Callable[..., Tensor], argnums: int | tuple[int, ...] = 0
) -> Callable[..., tuple[Tensor, Any]]:
    """A function that returns `fn`'s value, a Tensor of one element, and its gradient.

    The gradient is with respect to the argument `argnums`, or a tuple for a tuple. Arguments may
    be Tensors, arrays or numbers.

    >>> import tinygrad_rnn as tg
    >>> value, slope = tg.value_and_grad(lambda x: x * x)(3.0)
    >>> value.item(), slope.item()
    (9.0, 6.0)
    """
    positions = (argnums,) if isinstance(argnums, int) else argnums

    def with_gradient(*arguments: Any, **keywords: Any) -> tuple[Tensor, Any]:
        leaves, call = _as_leaves(arguments, positions)
        with enable_grad():
            value = fn(*call, **keywords)
        gradients = grad(value, leaves)
        return value.detach(), gradients[0] if isinstance(argnums, int) else gradients

    return with_gradient


def jacobian(fn: Callable[..., Tensor], argnums: int = 0) -> Callable[..., Tensor]:
    """A function that returns all derivatives of `fn`'s elements: shape `out.shape + in.shape`.

    One backward pass for each element of the output.

    >>> import tinygrad_rnn as tg
    >>> tg.jacobian(lambda x: x * x)([1.0, 2.0])
    tensor([[2., 0.],
            [0., 4.]], dtype=float32)
    """

    def derivatives(*arguments: Any, **keywords: Any) -> Tensor:
        (leaf,), call = _as_leaves(arguments, (argnums,))
        with enable_grad():
            out = fn(*call, **keywords)
        rows = np.zeros((out.size, *leaf.shape), leaf.dtype)
        if out.requires_grad:
            for i in range(out.size):
                weights = np.zeros(out.size, out.dtype)
                weights[i] = 1
                weights = weights.reshape(out.shape)
                (row,) = grad(out, leaf, weights, allow_unused=True, retain_graph=True)
                if row is not None:
                    rows[i] = row._data
        return Tensor.of(rows.reshape(out.shape + leaf.shape))

    return derivatives


def _as_leaves(
    arguments: tuple[Any, ...], positions: tuple[int, ...]
) -> tuple[list[Tensor], list[Any]]:
    """New leaves for the arguments at `positions`, and all arguments with these in place."""
    call = list(arguments)
    leaves = []
    for position in positions:
        given = arguments[position]
        if isinstance(given, Tensor):
            leaf = given.detach()
        else:
            leaf = from_numpy(given) if isinstance(given, np.ndarray) else tensor(given)
        if not is_floating(leaf._data):
            raise TypeError(f"argument {position} has no gradient: its dtype is {leaf.dtype}")
        leaf.requires_grad = True
        leaves.append(leaf)
        call[position] = leaf
    return leaves, call
