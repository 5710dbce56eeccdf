"""The cost of an instruction: floating-point operations and bytes of memory traffic.

Both are counted from the shapes, not measured. Every ufunc counts as one operation per element of
its result: a tanh counts like an addition, although it takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .instruction import Instruction
from .primitives import over_time, summed_product
from .schedule import Schedule

__all__ = ["Cost", "cost", "loop_seconds", "row_seconds"]

# Per second of one thread, roughly, to compare the work of a step with fixed costs.
FLOPS = 5e10
BYTES = 1e10


class Cost(NamedTuple):
    """Floating-point operations, and bytes read and written.

    >>> Cost(2, 8) + Cost(1, 4)
    Cost(flops=3, bytes=12)
    """

    flops: int
    bytes: int

    def __add__(self, other: tuple[Any, ...]) -> Cost:
        return Cost(self.flops + other[0], self.bytes + other[1])


def cost(
    value: Instruction, steps: int, time_varying: Callable[[Any], bool], in_loop: bool
) -> Cost:
    """The cost of an instruction in a run of `steps` steps.

    `time_varying` tells whether a value differs between steps. A value that does not is read once
    by an instruction outside the loop, and at each step by one inside it.
    """
    if value.is_view:
        return Cost(0, 0)
    arrays = [x.sample if isinstance(x, Instruction) else np.asarray(x) for x in value.inputs]
    times = steps if time_varying(value) or in_loop else 1
    if value.primitive is over_time:  # of all steps, once
        flops = arrays[0].size * steps
    elif value.primitive is summed_product:
        flops = 2 * arrays[0].size * arrays[1].shape[-1] * steps
    else:
        flops = times * _flops_of_a_step(value, arrays)
    read = sum(
        array.nbytes * (steps if time_varying(x) or in_loop else 1)
        for x, array in zip(value.inputs, arrays, strict=True)
        if array.ndim
    )
    return Cost(flops, read + times * value.sample.nbytes)


def _flops_of_a_step(instruction: Instruction, arrays: list[Any]) -> int:
    """A product counts a multiplication and an addition for each pair of factors."""
    contraction = instruction.traits.contraction
    if contraction is None:
        return int(max([instruction.sample.size, *(int(array.size) for array in arrays)]))
    subscripts = contraction(*(array.ndim for array in arrays), **instruction.attributes)
    sizes: dict[str, int] = {}
    for term, array in zip(subscripts.partition("->")[0].split(","), arrays, strict=True):
        letters = term.replace("...", "")
        sizes.update(zip(letters, array.shape[array.ndim - len(letters) :]))
        if "..." in term:
            sizes["..."] = max(sizes.get("...", 1), prod(array.shape[: array.ndim - len(letters)]))
    return int(len(arrays) * prod(sizes.values()))


def loop_seconds(schedule: Schedule) -> float:
    """An estimate of the time of one step of the loop on one thread, in seconds."""
    of_all = Cost(0, 0)
    for value in schedule.stages["loop"]:
        of_all += cost(value, 1, schedule.time_varying, in_loop=True)
    return of_all.flops / FLOPS + of_all.bytes / BYTES


def row_seconds(schedules: Iterable[Schedule], batch: int, steps: int = 100) -> float:
    """The estimated time of one step of these schedules for one of `batch` rows, in seconds."""
    of_all = Cost(0, 0)
    for schedule in schedules:
        for stage, values in schedule.stages.items():
            for value in values:
                of_all += cost(value, steps, schedule.time_varying, stage == "loop")
    return (of_all.flops / FLOPS + of_all.bytes / BYTES) / (steps * batch)
