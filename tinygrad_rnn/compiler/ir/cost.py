"""What an instruction costs: floating-point operations and bytes of memory traffic.

Counted from the shapes, not measured. A ufunc is one operation an element of its result, whatever
it computes: a tanh counts as an addition does, and takes ten times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ...ops import linalg, reduction
from ...ops.lifting import summed_product
from ..passes.affine_recurrence import recurrence
from ..passes.builder import Schedule
from ..passes.hoisting import over_time
from ..trace.recording import Instruction

__all__ = ["Cost", "cost", "is_view", "row_seconds"]

# Per second of one thread, roughly: to weigh a step's work against fixed costs.
FLOPS = 5e10
BYTES = 1e10

Rule = Callable[..., int]


class Cost(NamedTuple):
    """Floating-point operations, and bytes read and written.

    >>> Cost(2, 8) + Cost(1, 4)
    Cost(flops=3, bytes=12)
    """

    flops: int
    bytes: int

    def __add__(self, other: tuple[Any, ...]) -> Cost:
        return Cost(self.flops + other[0], self.bytes + other[1])


def _of_product(out: Any, x: Any, y: Any, **_: Any) -> int:
    return int(2 * out.size * x.shape[-1])


def _of_einsum(out: Any, *operands: Any, subscripts: str) -> int:
    sizes: dict[str, int] = {}
    for term, operand in zip(subscripts.partition("->")[0].split(","), operands, strict=True):
        sizes.update(zip(term, operand.shape, strict=True))
    return len(operands) * prod(sizes.values())


def _of_reduction(out: Any, x: Any, *_: Any, **__: Any) -> int:
    return int(x.size)


_RULES: dict[Any, Rule] = {
    linalg.matmul: _of_product,
    linalg._einsum: _of_einsum,
    recurrence: lambda out, *_: int(2 * out.size),
}
for _reduction in (
    reduction.sum,
    reduction.mean,
    reduction.max,
    reduction.min,
    reduction.norm,
    reduction._cumsum,
):
    _RULES[_reduction] = _of_reduction
for _normalisation in (reduction.logsumexp, reduction.softmax, reduction.log_softmax):
    _RULES[_normalisation] = lambda out, x, **_: int(4 * x.size)  # max, subtract, exp, sum


def cost(
    value: Instruction, steps: int, time_varying: Callable[[Any], bool], in_loop: bool
) -> Cost:
    """The cost of an instruction in a run of `steps` steps.

    `time_varying` tells whether a value differs between steps. One that does not is read once by an
    instruction outside the loop, and at each step by one inside it.
    """
    if is_view(value):
        return Cost(0, 0)
    arrays = [x.example if isinstance(x, Instruction) else np.asarray(x) for x in value.inputs]
    times = steps if time_varying(value) or in_loop else 1
    if value.primitive in (over_time, summed_product):  # of all steps, once
        flops = prod(arrays[0].shape) * steps
        if value.primitive is summed_product:
            flops *= 2 * arrays[1].shape[-1]
    else:
        flops = times * _flops_of_a_step(value, arrays)
    read = sum(
        array.nbytes * (steps if time_varying(x) or in_loop else 1)
        for x, array in zip(value.inputs, arrays, strict=True)
        if array.ndim
    )
    return Cost(flops, read + times * value.example.nbytes)


def _flops_of_a_step(value: Instruction, arrays: list[Any]) -> int:
    rule = _RULES.get(value.primitive)
    if rule is not None:
        attributes = {k: v for k, v in value.attributes.items() if k != "output"}
        return rule(value.example, *arrays, **attributes)
    computes = isinstance(value.primitive, np.ufunc) or getattr(
        value.primitive, "elementwise", False
    )
    return int(value.example.size) if computes else 0


def is_view(value: Instruction) -> bool:
    """Whether the instruction only views at its input in another way, as a transpose does."""
    if isinstance(value.primitive, np.ufunc) or not getattr(value.primitive, "pure", False):
        return False
    arrays = [x.example for x in value.inputs if isinstance(x, Instruction)]
    if len(arrays) != 1 or len(value.inputs) != 1:
        return False
    with np.errstate(all="ignore"):
        return bool(np.may_share_memory(value.compute(arrays[0]), arrays[0]))


def row_seconds(plans: Iterable[Schedule], batch: int, steps: int = 100) -> float:
    """About how long these plans take for one step of one of `batch` rows, in seconds."""
    of_all = Cost(0, 0)
    for plan in plans:
        for stage, values in plan.stages.items():
            for value in values:
                of_all += cost(value, steps, plan.time_varying, stage == "loop")
    return (of_all.flops / FLOPS + of_all.bytes / BYTES) / (steps * batch)
