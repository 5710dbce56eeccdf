"""The schedule of one direction under construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from ...engine.recording.scope import Scope
from ...ops import astype
from ..ir.instruction import Instruction, inputs_of, may_reassociate, value_number
from ..ir.schedule import STAGES, Schedule, Stage

__all__ = ["Builder"]

B = TypeVar("B", bound="Builder")


class Builder:
    """Places instructions at stages, each once, as early and on as little data as possible."""

    def __init__(self, stage_of: Mapping[Instruction, Stage]) -> None:
        self.stage_of = dict(stage_of)
        self.stages: dict[Stage, list[Instruction]] = {stage: [] for stage in STAGES}
        self.carry_in: tuple[Instruction, ...] = ()
        self.carry_out: list[Instruction] = []
        self.results: list[Any] = []
        self.origin: Scope | None = None  # of the instruction being placed
        self.used_once: set[Instruction] = set()  # values with a single reader
        self._emitted: dict[Any, Instruction] = {}

    @classmethod
    def of(cls: type[B], schedule: Schedule) -> B:
        """A builder that starts from a schedule."""
        builder = cls(schedule.stage_of)
        for stage, instructions in schedule.stages.items():
            builder.stages[stage] = list(instructions)
            builder._emitted.update({(stage, *value_number(v)): v for v in instructions})
        builder.carry_in, builder.carry_out = schedule.carry_in, list(schedule.carry_out)
        builder.results = list(schedule.results)
        return builder

    def schedule(self) -> Schedule:
        """The current schedule."""
        return Schedule(
            tuple(self.carry_in),
            tuple(self.carry_out),
            tuple(self.results),
            {stage: tuple(instructions) for stage, instructions in self.stages.items()},
            dict(self.stage_of),
        )

    def start_again(self, stage: Stage) -> list[Instruction]:
        """Empty a stage; returns its previous content, which is no longer found for reuse."""
        before, self.stages[stage] = self.stages[stage], []
        self._emitted = {key: v for key, v in self._emitted.items() if key[0] != stage}
        return before

    def emit(self, instruction: Instruction, stage: Stage) -> Instruction:
        """Place the instruction, unless an equal one exists; return the one that is placed."""
        number = value_number(instruction)
        for place in dict.fromkeys((stage, "loop" if stage == "after" else stage)):
            if (place, *number) in self._emitted and instruction.traits.pure:
                return self._emitted[(place, *number)]
        placed = instruction.called(None, instruction.origin or self.origin)
        self._emitted[(stage, *number)] = placed
        self.place(placed, stage)
        return placed

    def place(self, instruction: Instruction, stage: Stage) -> None:
        """Put the instruction at the end of the stage."""
        self.stages[stage].append(instruction)
        self.stage_of[instruction] = stage

    def apply(
        self, primitive: Any, inputs: Sequence[Any], stage: Stage, name: str | None = None
    ) -> Instruction:
        """The primitive applied to placed values and constants, at that stage."""
        return self.emit(Instruction.of(primitive, *inputs, name=name), stage)

    def outside(self, ufunc: np.ufunc, *inputs: Any) -> Any:
        """A ufunc of values from outside the loop; of constants only, the constant result."""
        if not inputs_of(inputs):
            result = ufunc(*inputs)
            return result if isinstance(result, np.ndarray) else float(result)
        made = self.apply(ufunc, inputs, self.stage_for(inputs))
        if not self.is_invariant(made):
            self.used_once.add(made)
        return made

    def stage_for(self, inputs: Sequence[Any]) -> Stage:
        """The earliest stage outside the loop at which all of these are known."""
        stages = {self.stage_of[x] for x in inputs_of(inputs)}
        if stages <= {"once"}:
            return "once"
        return "before" if stages <= {"once", "before"} else "after"

    def in_dtype(self, x: Any, dtype: np.dtype[Any]) -> Any:
        """x, from outside the loop, in the dtype in which its reader computes.

        NumPy casts an operand before it computes with it. So an operand that moves out of the loop
        is cast first, and rounds and overflows as it would inside. Python numbers take the dtype of
        the other operand anyway.
        """
        if type(x) in (bool, int, float):
            return float(x)
        if not isinstance(x, Instruction):
            return np.asarray(x, dtype)
        if x.dtype == dtype:
            return x
        cast = Instruction.of(astype, x, attributes={"dtype": dtype}, origin=x.origin)
        return self.emit(cast, self.stage_for([x]))

    def sum(self, x: Any, y: Any) -> Any:
        """x + y of one dtype, both from outside the loop.

        (x + b) + c is x + (b + c) for invariant b and c: two biases become one.
        """
        for a, c in ((x, y), (y, x)):
            rest, b = self._invariant_summand(a)
            if b is not None and self.is_invariant(c):
                shapes = _shape(b), _shape(c)
                if np.broadcast_shapes(*shapes) in shapes:
                    return self.outside(np.add, rest, self.outside(np.add, b, c))
        return self.outside(np.add, x, y)

    def _invariant_summand(self, a: Any) -> tuple[Any, Any]:
        """x and b, if a is x + b, only b is invariant, and a has no other reader."""
        if isinstance(a, Instruction) and a.is_sum and a in self.used_once:
            for b, rest in (a.inputs, a.inputs[::-1]):
                if self.is_invariant(b) and not self.is_invariant(rest):
                    if may_reassociate(a.dtype):
                        return rest, self.in_dtype(b, a.dtype)
        return None, None

    def is_invariant(self, x: Any) -> bool:
        """Whether x is the same at each step."""
        return not isinstance(x, Instruction) or self.stage_of[x] == "once"


def _shape(x: Any) -> tuple[int, ...]:
    return x.shape if hasattr(x, "shape") else ()
