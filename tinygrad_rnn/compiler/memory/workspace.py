"""Workspace: the arrays for runs of one length, and their views step by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..ir.instruction import Instruction
from .allocation import Arrays

__all__ = ["Workspace", "outside", "owner", "rows"]

Array = Any


class Workspace:
    """Arrays for runs of one length, one at a time."""

    def __init__(self, arrays: Arrays, stored: Sequence[Array], rows: Any) -> None:
        self.arrays = arrays
        self.stored = stored  # the arrays named in the executable's source, in order
        self.rows = rows
        held = [*arrays.time_varying.values(), *arrays.scratch.values(), *arrays.carries]
        held += arrays.besides.values()
        self.owners = {id(array): array.nbytes for array in map(owner, held)}  # their bytes


def owner(array: Any) -> Any:
    """The array that owns the memory."""
    while (below := getattr(array, "base", None)) is not None:
        array = below
    return array


def outside(workspace: Workspace, array: Any) -> Any:
    """The array, or a copy if it is in the workspace, where the next run would overwrite it."""
    return np.array(array, order="C") if id(owner(array)) in workspace.owners else array


def rows(
    arrays: Arrays, columns: Sequence[tuple[Instruction, str]], steps: int, reverse: bool
) -> Any:
    """What a loop iterates over: for each step, in running order, views of its operands.

    A column is a value and one of its forms: "" for the value itself, "T" for its transpose, or the
    name of a further array.
    """
    order = slice(None, None, -1 if reverse else 1)
    found = [_steps_of(_column(arrays, *column)[order]) for column in columns]
    # Row by row, so that the views of a step are adjacent in memory.
    return list(zip(*found, strict=True)) if found else [()] * steps


def _column(arrays: Arrays, value: Instruction, what: str) -> Array:
    if what == "T":
        return arrays.time_varying[value].swapaxes(-1, -2)
    return arrays.besides[value, what] if what else arrays.time_varying[value]


def _steps_of(array: Array) -> Iterable[Array]:
    """Views of the array at each step."""
    return array if array.ndim > 1 else (array[t, ...] for t in range(len(array)))
