"""scan: a step function run over a whole sequence as one node, by a compiled program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import pytree
from ..engine.recording.node import Node
from ..engine.tensor import Tensor
from .execution import run
from .sequence import Scan
from .step_function import StepFunction, as_tensor

__all__ = ["scan"]


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    *,
    length: int | None = None,
    reverse: bool = False,
    lengths: Any = None,
    checkpoint: int | str | None = None,
    unroll: bool = False,
    executor: str | None = None,
) -> tuple[Any, Any]:
    """Run `carry, y_t = f(carry, x_t)` over a sequence; returns the last carry and all y_t.

    The signature of `jax.lax.scan`. `init`, `xs` and what `f` returns are pytrees: nests of tuples,
    named tuples, lists and dicts of Tensors, with None for nothing. Each leaf of `xs` has a leading
    time axis, (T, ...); so has each leaf of the ys. The carry keeps its structure, its shapes and
    its dtypes.

    The whole sequence is one node. `f` is traced at its first call with arguments of these shapes,
    and compiled. What it reads besides its arguments (closure, globals, attributes) may change from
    call to call, and Tensors there get their gradients. If `f` does more than apply ops, such as
    printing, it runs op by op, and one message says so.

    `length`: the number of steps, needed if `xs` is None. `reverse`: from the last step to the
    first. `lengths` (B,): sequence b has that many steps, and axis 0 of every leaf of the carry and
    of x_t is the batch; past a sequence's end its carry stays and its ys are zero. `checkpoint=k`,
    or "sqrt": keep the carry of every k-th step and recompute the rest in the backward pass.
    `unroll`: run op by op and record everything, for inspection. `executor`: "numpy" or "llvm" for
    this call, see `set_executor`.

    ValueError if the sequences differ in length or the carry in structure, TypeError if the carry
    changes its dtype or shape, or if `f` does not return a pair.

    >>> import tinygrad_rnn as tg
    >>> def running_mean(carry, x):
    ...     total, count = carry
    ...     total, count = total + x, count + 1.0
    ...     return (total, count), total / count
    >>> (total, count), means = tg.scan(running_mean, (0.0, 0.0), tg.tensor([2.0, 4.0, 9.0]))
    >>> means
    tensor([2., 3., 5.], dtype=float32)
    """
    if not callable(f):
        raise TypeError(f"scan takes a function (carry, x_t) -> (carry, y_t), not {f!r}")
    carry = pytree.map(as_tensor, init)
    xs = pytree.map(as_tensor, xs)
    length = _length(pytree.leaves(xs), length)
    lengths = _checked_lengths(lengths, length, pytree.leaves(carry), pytree.leaves(xs))
    sequence = Scan(
        StepFunction(f), carry, xs, length, reverse, lengths, checkpoint, executor=executor
    )
    return run(sequence, unroll=unroll)


def _length(xs: Sequence[Tensor], length: int | None) -> int:
    found = {len(x) if x.ndim else None for x in xs} | ({length} if length is not None else set())
    if len(found) != 1 or None in found:
        raise ValueError(
            "the leaves of xs must have one leading axis of time, of the same length"
            + (f", which is length={length}" if length is not None else "")
            + f"; their shapes are {[x.shape for x in xs]}"
            + ("" if xs else ": without xs, pass length=...")
        )
    return int(found.pop() or 0)


def _checked_lengths(
    lengths: Any, steps: int, carry: Sequence[Tensor], xs: Sequence[Tensor]
) -> Any:
    if lengths is None:
        return None
    lengths = np.asarray(lengths._data if isinstance(lengths, Node) else lengths)
    shapes = [*(leaf.shape[:1] for leaf in carry), *(x.shape[1:2] for x in xs)]
    if lengths.ndim != 1 or (lengths.dtype.kind not in "iu" and lengths.size):
        raise ValueError(
            f"lengths must hold one integer per sequence, (B,); got {lengths.dtype}{lengths.shape}"
        )
    if any(shape != lengths.shape for shape in shapes):
        raise ValueError(
            f"{len(lengths)} lengths, so axis 0 of each leaf of the carry and of x_t must be of "
            f"that size; the carry is {[t.shape for t in carry]}, xs are {[x.shape for x in xs]}"
        )
    if lengths.size and (lengths.min() < 0 or lengths.max() > steps):
        raise ValueError(
            f"lengths from {lengths.min()} to {lengths.max()} for sequences of {steps} steps"
        )
    return lengths
