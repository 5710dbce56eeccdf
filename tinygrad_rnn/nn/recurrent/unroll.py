"""Running a cell over a sequence, step by step: every op of every step is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import ops, pytree
from ...engine.mode import scope
from ...engine.tensor import Tensor
from .cell import Cell

__all__ = ["beside", "masked_step", "unroll", "valid_steps"]


def unroll(
    cell: Cell,
    x: Tensor,
    state: Any,
    *,
    reverse: bool = False,
    lengths: Any = None,
    first_step: int = 0,
) -> tuple[Tensor, Any]:
    """Run `cell` over x (T, B, ...) from `state`; returns outputs (T, B, ...) and the last state.

    `reverse`: from the last step to the first. `lengths` (B,): sequence b has that many steps;
    beyond them its state stays, its outputs are zero and its inputs are not looked at.
    """
    valid, x = valid_steps(x, lengths)
    inputs = ops.unstack(x)
    outputs: list[Any] = [None] * len(x)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        with scope(step=first_step + t):
            mask = None if valid is None or valid[t].all() else valid[t]
            state, outputs[t] = masked_step(cell, inputs[t], state, mask)
    return _stacked(outputs, cell, state), state


def valid_steps(x: Tensor, lengths: Any) -> tuple[Any, Tensor]:
    """Which steps (T, B) are real, or None for all; and x with real inputs in the others, too.

    So not even a NaN in the padding reaches a gradient, nor does one that a cell would make of
    zeros, such as by dividing by the input's length. The inputs repeated are each sequence's
    first (for one without any, the first of the longest), without gradient.
    """
    steps = len(x)
    if lengths is None or lengths.min(initial=steps) == steps:
        return None, x
    valid = np.arange(steps)[:, None] < lengths
    source = np.where(lengths > 0, np.arange(len(lengths)), lengths.argmax())
    filling = x.detach()[0, source] if valid.any() else 0
    return valid, ops.where(beside(valid, x), x, filling)


def masked_step(cell: Cell, x: Tensor, state: Any, mask: Any) -> tuple[Any, Tensor]:
    """One step; where the mask (B,) is False the state stays and the output is zero."""
    new = cell(x, state)
    output = cell.output(new)
    if mask is None:
        return new, output
    kept = pytree.map(lambda n, old: ops.where(beside(mask, n), n, old), new, state)
    return kept, ops.where(beside(mask, output), output, 0)


def _stacked(outputs: Sequence[Tensor], cell: Cell, state: Any) -> Tensor:
    if not outputs:
        return ops.zeros(0, *cell.output(state).shape, dtype=cell.output(state).dtype)
    stacked: Tensor = ops.stack(outputs)
    return stacked


def beside(mask: Any, x: Tensor) -> Any:
    """The mask with axes of size 1 added at its end, so that it broadcasts against x."""
    return ops.reshape(mask, shape=mask.shape + (1,) * (x.ndim - mask.ndim))
