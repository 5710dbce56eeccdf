"""Wrapper: a cell that delegates to another; each wrapper changes a part of the step."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ... import ops, pytree
from ...nn import Cell

__all__ = ["Wrapper", "dropout_mask", "floating", "shown", "with_first"]


class Wrapper(Cell):
    """A cell around `cell`, with the same sizes, state and further inputs.

    >>> import tinygrad_rnn as tg
    >>> class Halved(tg.cells.wrappers.Wrapper):
    ...     def step(self, x, state, **inputs):
    ...         output, state = self.cell.advance(x, state, **inputs)
    ...         return 0.5 * output, state
    >>> Halved(tg.nn.GRUCell(3, 4)).output_size
    4
    """

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.feature_axis = cell.feature_axis
        for name in ("input_size", "hidden_size"):
            if hasattr(cell, name):
                setattr(self, name, getattr(cell, name))

    @cached_property
    def output_size(self) -> int:
        """That of the wrapped cell."""
        return self.cell.output_size

    def initial_state(self, batch_size: int) -> Any:
        """That of the wrapped cell."""
        return self.cell.initial_state(batch_size)

    def step(self, x: Any, state: Any, **inputs: Any) -> tuple[Any, Any]:
        """The step of the wrapped cell."""
        return self.cell.advance(x, state, **inputs)


def shown(output: Any, before: Any, after: Any) -> Any:
    """The output for a changed state: the new first leaf if the output was the first leaf."""
    return pytree.leaves(after)[0] if output is pytree.leaves(before)[0] else output


def with_first(state: Any, leaf: Any) -> Any:
    """The state with another first leaf, such as h."""
    return pytree.unflatten(state, [leaf, *pytree.leaves(state)[1:]])


def dropout_mask(like: Any, rate: float) -> Any:
    """0 with probability `rate`, otherwise 1 / (1 - rate), in the shape and dtype of `like`."""
    ones = ops.ones_like(like).detach()
    return ops.where(ops.rand_like(ones) >= rate, ones / (1 - rate), ops.zeros_like(ones))


def floating(fn: Any, state: Any, *others: Any) -> Any:
    """`fn` on the floating leaves; the others as they are in `state`."""
    return pytree.map(
        lambda leaf, *rest: fn(leaf, *rest) if leaf.dtype.kind in "fc" else leaf, state, *others
    )
