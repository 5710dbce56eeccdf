"""Passes: which elementwise instructions of a step are one loop over elements.

Instructions on arrays of one shape are fused into one pass; what only that pass reads is never
written to memory.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from ..emit import Plan, values_in
from ..trace import Value
from .arrange import is_elementwise
from .memory import Memory

__all__ = ["Pass", "passes", "read_from_memory"]


class Pass:
    """Instructions carried out together: elementwise ones of one shape, or one other."""

    def __init__(self, shape: tuple[int, ...] | None) -> None:
        self.shape = shape  # None: not elementwise
        self.instructions: list[Value] = []


# The number of the pass that a value is computed in. Half of one more: seen in that pass's
# results in another way, which takes no pass.
Numbers = dict[Value, float]


def passes(plan: Plan, memory: Memory) -> list[Pass]:
    """The instructions of the loop, each in the first pass that it can be part of."""
    found: list[Pass] = []
    number: Numbers = {}
    looks = {value for value in plan.stages["loop"] if _is_look(value, memory)}
    for value in plan.stages["loop"]:
        inputs = [x for x in values_in(value.inputs) if x in number]
        if value in looks:
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
            found.append(Pass(shape))
        found[k].instructions.append(value)
        number[value] = k
    _delay(found, number, looks)
    return [one for one in found if one.instructions]


def _delay(found: list[Pass], number: Numbers, looks: set[Value]) -> None:
    """Move instructions to the pass where they are first read, if it is of their shape."""
    readers: dict[Value, list[float]] = defaultdict(list)
    for k in reversed(range(len(found))):
        kept: list[Value] = []
        for value in reversed(found[k].instructions):
            target = min(readers[value], default=k)
            movable = found[k].shape is not None and k < target == int(target)
            if movable and found[int(target)].shape == found[k].shape:
                found[int(target)].instructions.insert(0, value)
                number[value] = target
            else:
                kept.insert(0, value)
            for x in values_in(value.inputs):
                readers[x].append(number[value])
                while x in looks:
                    x = x.inputs[0]
                    readers[x].append(number[value] - 0.5)  # before, but not with it
        found[k].instructions = kept


def _is_look(value: Value, memory: Memory) -> bool:
    """Whether the value is its only input, seen in another way."""
    if isinstance(value.fn, np.ufunc) or len(value.inputs) != 1:
        return False
    x = value.inputs[0]
    return isinstance(x, Value) and np.may_share_memory(memory[value][1], memory[x][1])


def read_from_memory(plan: Plan, found: list[Pass]) -> set[Value]:
    """The values that must be written because something else than their pass reads them."""
    read = set(values_in([*plan.results, *plan.kept, *plan.carry_out]))
    for stage in ("after", "total"):
        for value in plan.stages[stage]:
            read.update(values_in(value.inputs))
    pass_of = {value: one for one in found if one.shape is not None for value in one.instructions}
    for value in plan.stages["loop"]:
        mine = pass_of.get(value)
        read.update(
            x for x in values_in(value.inputs) if mine is None or pass_of.get(x) is not mine
        )
    return read
