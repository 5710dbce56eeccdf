"""Vertical fusion: which elementwise instructions of a step share one loop over elements.

Instructions on arrays of one shape are fused into one loop; values that only that loop reads are
never written to memory.
"""

from __future__ import annotations

import math
from collections import defaultdict

from ....ir.instruction import Instruction, inputs_of
from ....ir.schedule import Schedule
from ....memory.allocation import Arrays
from ....passes.sinking import is_elementwise

__all__ = ["FusedLoop", "fused_loops", "read_from_memory"]


class FusedLoop:
    """Instructions that run together: elementwise ones of one shape, or one that is not."""

    def __init__(self, shape: tuple[int, ...] | None) -> None:
        self.shape = shape  # None: not elementwise
        self.instructions: list[Instruction] = []


# The number of the loop that computes a value; half a number more for a view of its results, which
# needs no loop.
Numbers = dict[Instruction, float]


def fused_loops(schedule: Schedule, trial: Arrays) -> list[FusedLoop]:
    """The instructions of the step, each in the first loop that it can be part of."""
    found: list[FusedLoop] = []
    number: Numbers = {}
    views = {value for value in schedule.stages["loop"] if value in trial.views}
    for value in schedule.stages["loop"]:
        inputs = [x for x in value.depends_on if x in number]
        if value in views:
            number[value] = max((number[x] for x in inputs), default=-1) + 0.5
            continue
        shape = value.shape if is_elementwise(value) else None
        first = 0
        for x in inputs:
            beside = shape is not None and x.shape == shape and is_elementwise(x)
            first = max(first, math.ceil(number[x]) if beside else math.floor(number[x]) + 1)
        for k in range(first, len(found)):
            if shape is not None and found[k].shape == shape:
                break
        else:
            k = len(found)
            found.append(FusedLoop(shape))
        found[k].instructions.append(value)
        number[value] = k
    _delay(found, number, views)
    return [one for one in found if one.instructions]


def _delay(found: list[FusedLoop], number: Numbers, views: set[Instruction]) -> None:
    """Move instructions into the first loop that reads them, if it has their shape."""
    readers: dict[Instruction, list[float]] = defaultdict(list)
    for k in reversed(range(len(found))):
        kept: list[Instruction] = []
        for value in reversed(found[k].instructions):
            target = min(readers[value], default=k)
            movable = found[k].shape is not None and k < target == int(target)
            if movable and found[int(target)].shape == found[k].shape:
                found[int(target)].instructions.insert(0, value)
                number[value] = target
            else:
                kept.insert(0, value)
            for x in value.depends_on:
                readers[x].append(number[value])
                while x in views:
                    x = x.inputs[0]
                    readers[x].append(number[value] - 0.5)  # before, but not with it
        found[k].instructions = kept


def read_from_memory(schedule: Schedule, found: list[FusedLoop]) -> set[Instruction]:
    """The values that must be written to memory, because other loops read them."""
    read = set(inputs_of([*schedule.results, *schedule.residuals, *schedule.carry_out]))
    for stage in ("after", "total"):
        for value in schedule.stages[stage]:
            read.update(value.depends_on)
    pass_of = {value: one for one in found if one.shape is not None for value in one.instructions}
    for value in schedule.stages["loop"]:
        mine = pass_of.get(value)
        read.update(x for x in value.depends_on if mine is None or pass_of.get(x) is not mine)
    return read
