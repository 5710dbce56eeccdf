"""Sinking: light instructions outside the loop move into it, for backends that compile it.

In NumPy each call is expensive, so as much as possible is computed outside the loop. In a compiled
loop memory traffic is expensive: an array that is written and read again. So instructions that
compute little, such as elementwise ones, move into the loop, and most results never leave the
registers. So do products, unless their matrices are large.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..ir.cost import cost
from ..ir.instruction import Instruction, samples
from ..ir.primitives import Recurrence, recurrence
from ..ir.schedule import Schedule

__all__ = ["fits_in_loop", "is_elementwise", "is_light", "is_simple", "sink_into_loop"]


def sink_into_loop(schedule: Schedule, moves: Callable[[Instruction], bool]) -> Schedule:
    """The schedule with the instructions that may move sunk into its loop.

    A carry from outside the loop moves with the instruction that computes its next value.
    """
    stages = {stage: list(values) for stage, values in schedule.stages.items()}
    stage_of = dict(schedule.stage_of)
    carries = _carries_with_their_next(schedule)
    inside = set(stages["loop"])
    readers = _readers(schedule)
    late = _solved_for_what_follows(schedule, carries, readers)
    stages["before"] = [value for value in stages["before"] if value not in late]
    stages["after"][:0] = late
    stage_of.update(dict.fromkeys([*late, *(c for v in late for c in carries.get(v, ()))], "after"))
    last: list[Instruction] = []
    for value in stages["after"]:
        own = carries.get(value, ())
        if moves(value) and all(
            x in inside or x in own or stage_of[x] not in ("after", "total")
            for x in value.depends_on
        ):
            inside.add(value)
            last.append(value)
            stage_of.update(dict.fromkeys(own, "loop"))
    first: list[Instruction] = []
    needed: set[Instruction] = set()  # by instructions that stay before the loop
    for value in reversed(stages["before"]):
        own = carries.get(value, ())
        wanted = own or not inside.isdisjoint(readers[value])
        if wanted and moves(value) and needed.isdisjoint([value, *own]):
            inside.add(value)
            first.append(value)
        else:
            needed.update(value.depends_on)
    stages["loop"] = [*reversed(first), *stages["loop"], *last]
    for stage in ("before", "after"):
        stages[stage] = [value for value in stages[stage] if value not in inside]
    stage_of.update(dict.fromkeys(stages["loop"], "loop"))
    pairs = zip(schedule.carry_in, schedule.carry_out, strict=True)
    stage_of.update({carry: stage_of[new] for carry, new in pairs})
    frozen = {stage: tuple(values) for stage, values in stages.items()}
    return replace(schedule, stages=frozen, stage_of=stage_of)


def is_elementwise(value: Instruction) -> bool:
    """Whether each element of the result depends only on the elements at its place."""
    return value.traits.elementwise and value.traits.pure


def is_light(value: Instruction) -> bool:
    """Whether the instruction takes a few operations per element: no product of matrices."""
    arrays = [x.sample for x in value.depends_on] + [value.sample]
    flops = cost(value, 1, lambda _: False, in_loop=True).flops
    return value.traits.pure and flops <= _FEW * max(1, *(array.size for array in arrays))


def fits_in_loop(value: Instruction, time_varying: Callable[[Any], bool]) -> bool:
    """Whether a product is as fast in a compiled loop, which saves the way through memory.

    Outside, BLAS multiplies the rows of all steps at once by a matrix that is the same at each.
    Inside, the matrix has to stay in the cache, and the rows of one step have to fill register
    tiles. Other products are small ones outside, too, one or more for each step: there it is enough
    that the right factor is stored row by row, as the loop reads it.
    """
    if not value.is_product:
        return False
    x, y = (np.asarray(sample) for sample in samples(value.inputs))
    if value.is_matrix_product and not time_varying(value.inputs[1]):
        return min(*value.shape) >= _FEWEST and y.nbytes <= _MOST_BYTES
    return x.ndim >= 2 and y.ndim >= 2 and y.strides[-1] == y.itemsize


def is_simple(value: Instruction) -> bool:
    """Whether the instruction is elementwise, or a view of its only input."""
    return is_elementwise(value) or value.is_view


_FEW = 4
# Measured by tests/benchmarks/cells.py: rows and columns of a product, bytes of its right factor.
_FEWEST, _MOST_BYTES = 8, 1 << 18


def _solved_for_what_follows(
    schedule: Schedule,
    carries: Mapping[Instruction, Sequence[Instruction]],
    readers: Mapping[Instruction, Sequence[Instruction]],
) -> list[Instruction]:
    """The recurrences from before the loop, and what depends on them, that nothing in it reads.

    Inside the loop, with what depends on them behind it, they need no loop of their own.
    """
    before = schedule.stages["before"]
    solved = {v for v in before if v.primitive is recurrence}
    depending = {*solved, *(carry for value in solved for carry in carries[value])}
    for value in before:
        if not depending.isdisjoint(value.depends_on):
            depending.add(value)
    late: set[Instruction] = set(schedule.stages["after"]) | set(schedule.stages["total"])
    for value in reversed(before):
        own = carries[value] if value in solved else ()
        together = {value, *own, *(v for v in solved if carries[v] == own)}
        reading = {r for x in together for r in readers[x]} - together
        if value in depending and late.issuperset(reading):
            late.add(value)
    return [value for value in before if value in late]


def _carries_with_their_next(schedule: Schedule) -> dict[Instruction, tuple[Instruction, ...]]:
    """For each next carry the carries that move with it: its own, or all of its recurrence."""
    found: dict[Instruction, tuple[Instruction, ...]]
    found = {new: (old,) for old, new in zip(schedule.carry_in, schedule.carry_out, strict=True)}
    for new in found:
        if new.primitive is recurrence:
            found[new] = Recurrence.of(*new.inputs).carries
    return found


def _readers(schedule: Schedule) -> dict[Instruction, list[Instruction]]:
    readers: dict[Instruction, list[Instruction]] = defaultdict(list)
    for values in schedule.stages.values():
        for value in values:
            for x in value.depends_on:
                readers[x].append(value)
    return readers
