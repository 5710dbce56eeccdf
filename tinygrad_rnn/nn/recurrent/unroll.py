"""Running a cell over a sequence, step by step: every op of every step is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import ops
from ...engine.mode import scope
from ...engine.tensor import Tensor
from .cell import Cell
from .nest import map_leaves

__all__ = ["unroll"]


def unroll(
    cell: Cell,
    x: Tensor,
    state: Any,
    *,
    reverse: bool = False,
    lengths: Any = None,
    truncate: int | None = None,
) -> tuple[Tensor, Any]:
    """Run `cell` over x (T, B, ...) from `state`; returns outputs (T, B, ...) and the last state.

    `reverse`: from the last step to the first. `lengths` (B,): sequence b has that many steps;
    beyond them its state stays, its outputs are zero and its inputs are not looked at.
    `truncate=k`: no gradient flows from a step to those more than k steps back, in blocks of k.
    """
    steps = range(len(x))
    valid = None
    if lengths is not None and len(x) and lengths.min(initial=len(x)) < len(x):
        valid = np.arange(len(x))[:, None] < lengths
        x = ops.where(
            _beside(valid, x), x, 0
        )  # so that not even a NaN of the padding has a gradient
    inputs = ops.unstack(x)
    outputs: list[Any] = [None] * len(x)
    for count, t in enumerate(reversed(steps) if reverse else steps):
        with scope(step=t):
            if truncate is not None and count and count % truncate == 0:
                state = map_leaves(Tensor.detach, state)
            new = cell(inputs[t], state)
            output = cell.output(new)
            if valid is not None and not valid[t].all():
                new = map_leaves(
                    lambda n, o, m=valid[t]: ops.where(_beside(m, n), n, o), new, state
                )
                output = ops.where(_beside(valid[t], output), output, 0)
            state, outputs[t] = new, output
    return _stacked(outputs, cell, state), state


def _stacked(outputs: Sequence[Tensor], cell: Cell, state: Any) -> Tensor:
    if not outputs:
        return ops.zeros(0, *cell.output(state).shape, dtype=cell.output(state).dtype)
    stacked: Tensor = ops.stack(outputs)
    return stacked


def _beside(mask: Any, x: Tensor) -> Any:
    """The mask with axes of size 1 added at its end, so that it broadcasts against x."""
    return mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))
