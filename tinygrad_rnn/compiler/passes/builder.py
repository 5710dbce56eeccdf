"""Emit: the plan under construction, and the making of instructions in it.

Work from outside the loop is done as early and on as little data as possible: two shifts become
one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...engine.scope import Scope
from ...ops import astype
from ..ir.instruction import Instruction, structural_key

__all__ = ["Affine", "Builder", "Schedule", "Stage", "instructions_in", "is_pure"]

Stage = str  # "once", "before", "loop", "after", or "total": sums over time, after all else


class Affine(NamedTuple):
    """scale * base + offset; None stands for 1 and 0. Base is a value of the loop."""

    scale: Any
    base: Instruction
    offset: Any


@dataclass(eq=False)
class Schedule:
    """Instructions by stage, in order, and the stage of every value.

    `carry_in[k]` is at each step what `carry_out[k]` was at the step before. `results` are what was
    asked for (arrays and numbers for constants); `kept` are needed by the backward run.
    """

    carry_in: list[Instruction]
    carry_out: list[Instruction] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    kept: list[Instruction] = field(default_factory=list)
    stages: dict[Stage, list[Instruction]] = field(
        default_factory=lambda: {"once": [], "before": [], "loop": [], "after": [], "total": []}
    )
    stage_of: dict[Instruction, Stage] = field(default_factory=dict)

    def values_read(self) -> set[Instruction]:
        """Every value that an instruction reads, or that is a result."""
        instructions = (value for values in self.stages.values() for value in values)
        read = {x for value in instructions for x in instructions_in(value.inputs)}
        return read | set(instructions_in([*self.carry_out, *self.results]))

    def time_varying(self, x: Any) -> bool:
        """Whether x has another value at each step."""
        return isinstance(x, Instruction) and self.stage_of[x] not in ("once", "total")


class Builder:
    """Adds instructions to a plan, each once."""

    def __init__(self, plan: Schedule) -> None:
        self.plan = plan
        self._made: dict[Any, Instruction] = {}
        self.used_once: set[Instruction] = (
            set()
        )  # planned values that only one instruction will read
        self.scope: Scope | None = None  # of the instruction that is being placed

    def emit(self, value: Instruction, inputs: Sequence[Any], stage: Stage) -> Instruction:
        """The instruction at that stage; if the loop has computed it already, that."""
        what = (value.primitive, structural_key(value.attributes), *map(structural_key, inputs))
        for place in dict.fromkeys((stage, "loop" if stage == "after" else stage)):
            if (place, *what) in self._made and is_pure(value):
                return self._made[(place, *what)]
        planned = Instruction(
            value.primitive,
            tuple(inputs),
            value.attributes,
            value.example,
            value.name,
            value.scope or self.scope,
        )
        self._made[(stage, *what)] = planned
        self.plan.stages[stage].append(planned)
        self.plan.stage_of[planned] = stage
        return planned

    def ufunc(self, fn: Any, inputs: Sequence[Any], stage: Stage) -> Instruction:
        """`fn` of planned values and constants, at that stage."""
        examples = [x.example if isinstance(x, Instruction) else x for x in inputs]
        with np.errstate(all="ignore"):
            example = np.asarray(fn(*examples))
        return self.emit(Instruction(fn, tuple(inputs), {}, example), inputs, stage)

    def outside(self, fn: Any, *inputs: Any) -> Any:
        """`fn` of values from outside the loop; of constants alone, the constant."""
        if not instructions_in(inputs):
            result = fn(*inputs)
            return result if isinstance(result, np.ndarray) else float(result)
        if all(self._known_once(x) for x in inputs):
            return self.ufunc(fn, inputs, "once")
        made = self.ufunc(fn, inputs, "before")
        self.used_once.add(made)
        return made

    def in_dtype(self, x: Any, dtype: np.dtype[Any]) -> Any:
        """x, from outside the loop, in the dtype that its reader computes in.

        NumPy casts an operand before it computes with it. So what is moved out of the loop is cast
        first, and rounds and overflows as it would have done inside. Python numbers take the dtype
        of what they meet in any case.
        """
        if type(x) in (bool, int, float):
            return float(x)
        if not isinstance(x, Instruction):
            return np.asarray(x, dtype)
        if x.dtype == dtype:
            return x
        example = x.example.astype(dtype)
        cast = Instruction(astype, (x,), {"dtype": dtype}, example, scope=x.scope)
        return self.emit(cast, (x,), "once" if self._known_once(x) else "before")

    def sum(self, x: Any, y: Any) -> Any:
        """x + y of one dtype, both from outside the loop.

        (x + b) + c is x + (b + c) for b and c known once.
        """
        for a, c in ((x, y), (y, x)):
            if isinstance(a, Instruction) and a.primitive is np.add and self._known_once(c):
                for b, rest in (a.inputs, a.inputs[::-1]):
                    if self._known_once(b) and not self._known_once(rest):
                        b = self.in_dtype(b, a.dtype)
                        if a in self.used_once and np.broadcast_shapes(_shape(b), _shape(c)) in (
                            _shape(b),
                            _shape(c),
                        ):
                            return self.outside(np.add, rest, self.outside(np.add, b, c))
        return self.outside(np.add, x, y)

    def _known_once(self, x: Any) -> bool:
        return not isinstance(x, Instruction) or self.plan.stage_of[x] == "once"


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if hasattr(x, "shape") else ()


def instructions_in(operands: Iterable[Any]) -> list[Instruction]:
    """The operands that are values, not constants."""
    return [x for x in operands if isinstance(x, Instruction)]


def is_pure(value: Instruction) -> bool:
    """Whether the instruction gives the same result each time."""
    return bool(getattr(value.primitive, "pure", True))
