"""Expansion: an op without a counterpart in the target, rewritten in ops that have one.

The value of an op is written in NumPy functions, and these work on Tensors. So the value is run on
Tensors and recorded, and the recorded ops replace the op.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np

from ...compiler.ir.instruction import Instruction
from ...compiler.ir.step import Step
from ...compiler.trace.differentiation import step_of
from ...compiler.trace.recording import record
from ...engine.tensor import Tensor
from ..errors import ExportError, at

__all__ = ["expanded"]


def expanded(step: Step, known: Collection[str], target: str) -> Step:
    """The step in ufuncs and the `known` ops only.

    ExportError for an op that cannot be expanded, with the line that uses it.
    """
    stands_for: dict[Instruction, Any] = {}
    instructions: list[Instruction] = []
    loops: dict[int, Any] = {}  # one for all outputs of a loop

    def now(x: Any) -> Any:
        return stands_for.get(x, x) if isinstance(x, Instruction) else x

    def add(instruction: Instruction) -> Instruction:
        made = instruction.with_inputs([now(x) for x in instruction.inputs])
        if "loop" in made.attributes:
            inner = made.attributes["loop"]
            if id(inner) not in loops:
                inside = expanded(inner.step, known, target)
                loops[id(inner)] = {"loop": replace(inner, step=inside)}
            made = replace(made, attributes=loops[id(inner)])
        instructions.append(made)
        return made

    for instruction in step.instructions:
        whole = instruction.is_ufunc or {"loop", "module"} & instruction.attributes.keys()
        if whole or instruction.op_name in known:
            stands_for[instruction] = add(instruction)
            continue
        parts, result = _composed(instruction, known, target)
        for part in parts:
            stands_for[part] = add(part)
        stands_for[instruction] = now(result)
    return step.rewritten(instructions, now)


def _composed(
    instruction: Instruction, known: Collection[str], target: str
) -> tuple[list[Instruction], Any]:
    """The instructions that an instruction's op is composed of, and which of them is its result."""
    op = instruction.primitive
    places = [k for k, x in enumerate(instruction.inputs) if isinstance(x, Instruction)]
    given = [Tensor.of(instruction.inputs[k].sample) for k in places]

    def call(_: Any, leaves: Any) -> Any:
        operands = list(instruction.inputs)
        for place, leaf in zip(places, leaves):
            operands[place] = leaf
        result = op.value(*operands, **instruction.attributes)
        return [], [result if instruction.output is None else result[instruction.output]]

    name = instruction.op_name
    no_counterpart = f"{name} has no counterpart in {target}{at(instruction.origin)}"
    try:
        with np.errstate(all="ignore"):
            _, results, made = record(call, [], given)
    except Exception as error:
        raise ExportError(f"{no_counterpart}: {error}") from error
    if made.refusal is not None or not isinstance(results[0], Tensor):
        reason = f": {made.refusal}" if made.refusal else ""
        raise ExportError(f"{no_counterpart}{reason}")
    made.calls = [call._replace(grad=False) for call in made.calls]
    if any(call.op is op for call in made.calls):
        raise ExportError(no_counterpart)
    inner, _ = step_of(made, 0, name, [False] * len(given), ())
    inner = expanded(inner, known, target)
    stands_for: dict[Any, Any] = {
        x: instruction.inputs[k] for x, k in zip(inner.xs, places, strict=True)
    }
    parts = []
    for part in inner.instructions:
        inputs = [stands_for.get(x, x) if _is(x) else x for x in part.inputs]
        moved = replace(part.with_inputs(inputs), origin=instruction.origin)
        stands_for[part] = moved
        parts.append(moved)
    result = inner.ys[0]
    return parts, stands_for.get(result, result) if _is(result) else result


_is: Callable[[Any], bool] = lambda x: isinstance(x, Instruction)
