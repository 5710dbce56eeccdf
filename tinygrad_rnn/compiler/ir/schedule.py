"""Schedule: the instructions of one direction, by the stage in which they run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .instruction import Instruction, inputs_of
from .rewrite import Substitution

__all__ = ["STAGES", "STATIC", "Schedule", "Stage"]

Stage = str

STAGES: dict[Stage, str] = {
    "once": "once",
    "before": "before the loop, all steps at once",
    "loop": "in the loop, step by step",
    "after": "after the loop, all steps at once",
    "total": "sums over time",
}
STATIC = ("once", "total")  # the stages whose values are the same at every step


@dataclass(frozen=True, eq=False)
class Schedule:
    """The instructions of one direction by stage, in order, and the stage of every value.

    At each step `carry_in[k]` is the `carry_out[k]` of the previous step. `results` are the
    requested values (arrays and numbers for constants). `residuals` are the values that the
    backward run reads.
    """

    carry_in: tuple[Instruction, ...]
    carry_out: tuple[Instruction, ...]
    results: tuple[Any, ...]
    stages: Mapping[Stage, tuple[Instruction, ...]]
    stage_of: Mapping[Instruction, Stage]
    residuals: tuple[Instruction, ...] = ()

    def instructions(self) -> list[Instruction]:
        """All instructions, in the order in which they run."""
        return [v for stage in STAGES for v in self.stages[stage]]

    def values_read(self) -> set[Instruction]:
        """Every value that an instruction reads or that is a result."""
        read = {x for v in self.instructions() for x in v.depends_on}
        return read | set(inputs_of([*self.carry_out, *self.results]))

    def time_varying(self, x: Any) -> bool:
        """Whether x has a different value at each step."""
        return isinstance(x, Instruction) and self.stage_of[x] not in STATIC

    def stages_of_results(self) -> list[Stage]:
        """The stage of each result; a constant is computed once."""
        return [self.stage_of[x] if isinstance(x, Instruction) else "once" for x in self.results]

    def substituted(self, substitution: Substitution) -> Schedule:
        """The schedule after a substitution of some of its instructions."""
        stages = {stage: tuple(substitution.apply(v)) for stage, v in self.stages.items()}

        def each(values: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(map(substitution, values))

        stage_of = {substitution(v): stage for v, stage in self.stage_of.items()}
        return Schedule(
            each(self.carry_in),
            each(self.carry_out),
            each(self.results),
            stages,
            stage_of,
            each(self.residuals),
        )
