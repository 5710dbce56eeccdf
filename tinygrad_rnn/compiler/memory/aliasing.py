"""Aliasing: which values are views of other values' memory. Only this file decides it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.instruction import Instruction

__all__ = ["viewed", "viewed_input"]

Array = Any


def viewed_input(value: Instruction) -> Instruction | None:
    """The input that the value may be a view of: an op with the `view` trait moves no element."""
    x = value.inputs[0] if value.is_view else None
    return x if isinstance(x, Instruction) else None


def viewed(value: Instruction, source: Array, steps: int, time_varying: bool) -> Array | None:
    """The value as a view of its input's array; None where NumPy has to copy.

    `time_varying`: the array has a leading axis of `steps` steps.
    """
    if not source.size or (time_varying and not value.can_batch([True])):
        return None
    seen = value.compute_batched(steps, [True], source) if time_varying else value.compute(source)
    right = np.shape(seen) == (steps,) * time_varying + value.shape
    return seen if right and np.may_share_memory(seen, source) else None
