"""Arrange: what a compiled loop does at each step that NumPy does better for all steps at once.

NumPy pays for each call, so it computes outside the loop whatever can be; a compiled loop pays for
each array that is written to memory and read again. Elementwise instructions beside the loop
therefore move into it, and most of their results never leave the registers.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ..emit import Plan, is_pure, values_in
from ..linear import recurrence
from ..trace import Value

__all__ = ["arranged", "is_elementwise"]


def arranged(plan: Plan) -> Plan:
    """The same plan with elementwise instructions moved into the loop."""
    stages = {stage: list(values) for stage, values in plan.stages.items()}
    stage_of = dict(plan.stage_of)
    inside = set(stages["loop"])
    readers = _readers(plan)
    if inside:
        first: list[Value] = []
        needed: set[Value] = set()  # by instructions that stay before the loop
        for value in reversed(stages["before"]):
            if value not in needed and _is_light(value) and not inside.isdisjoint(readers[value]):
                inside.add(value)
                first.append(value)
            else:
                needed.update(values_in(value.inputs))
        last: list[Value] = []
        for value in stages["after"]:
            if _is_light(value) and all(
                x in inside or stage_of[x] not in ("after", "total")
                for x in values_in(value.inputs)
            ):
                inside.add(value)
                last.append(value)
        stages["loop"] = [*reversed(first), *stages["loop"], *last]
        for stage in ("before", "after"):
            stages[stage] = [value for value in stages[stage] if value not in inside]
        stage_of.update(dict.fromkeys(stages["loop"], "loop"))
    return Plan(plan.carry_in, plan.carry_out, plan.results, plan.kept, stages, stage_of)


def is_elementwise(value: Value) -> bool:
    """Whether each element of the result comes from the elements at its place alone."""
    if isinstance(value.fn, np.ufunc) or value.fn is recurrence:
        return True
    return bool(getattr(value.fn, "elementwise", False)) and is_pure(value)


def _is_light(value: Value) -> bool:
    """Whether the instruction is elementwise, or only looks at its one input."""
    if is_elementwise(value):
        return True
    inputs: list[Any] = list(value.inputs)
    if len(inputs) != 1 or not isinstance(inputs[0], Value) or not is_pure(value):
        return False
    return np.may_share_memory(value.compute(inputs[0].example), inputs[0].example)


def _readers(plan: Plan) -> dict[Value, list[Value]]:
    readers: dict[Value, list[Value]] = defaultdict(list)
    for values in plan.stages.values():
        for value in values:
            for x in values_in(value.inputs):
                readers[x].append(value)
    return readers
