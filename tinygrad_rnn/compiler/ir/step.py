"""Step: one step of a recurrence and its backward step, as one straight-line program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from .instruction import Instruction, inputs_of

__all__ = ["Step", "needed_for"]

Result = Any  # an instruction, or an array for a constant


@dataclass(frozen=True, eq=False)
class Step:
    """A traced step. Its inputs, its instructions in order, and its results by name.

    Each of x_t, the carry and y_t is the leaves of a pytree. Forward: from `xs`, `carry` and the
    `leaves` (everything else the step reads, mostly parameters) to `next_carry`, `ys`, and `sums`,
    which are summed over time. Backward: from these and `grad_carry`, `grad_ys` and `grad_sums`
    (the gradients of the results) to `d_xs`, `d_carry` and `d_leaves`; None where no result depends
    on the input. The last ys may be `observed` values, which are not results of the step. Their
    gradients enter through an equal number of xs, the last before the mask, which no instruction
    reads.
    """

    label: str  # the name of the step in messages
    xs: tuple[Instruction, ...]
    masked: bool  # whether rows may have ended: the last of the xs is then a mask
    carry: tuple[Instruction, ...]
    leaves: tuple[Instruction, ...]
    constants: tuple[Any, ...]  # arrays that others may change
    instructions: tuple[Instruction, ...]
    next_carry: tuple[Result, ...]
    ys: tuple[Result, ...]
    drawn: tuple[Result, ...]  # random numbers, including unused ones
    sums: tuple[Result, ...] = ()
    grad_carry: tuple[Instruction, ...] = ()
    grad_ys: tuple[Instruction, ...] = ()
    grad_sums: tuple[Instruction, ...] = ()
    d_xs: tuple[Result | None, ...] = ()
    d_carry: tuple[Result | None, ...] = ()
    d_leaves: tuple[Result | None, ...] = ()
    observed: int = 0

    @property
    def rows(self) -> int:
        """The size of the first axis of the carry: the batch size, for a batch."""
        shapes = [value.shape for value in (*self.carry, *self.xs)]
        return max((shape[0] for shape in shapes[:1] if shape), default=1)

    def forward_results(self) -> list[Result]:
        """The results of the forward step: the next carry, y_t, and what is summed over time."""
        return [*self.next_carry, *self.ys, *self.sums]

    def gradients(self) -> list[Result | None]:
        """The results of the backward step: the gradients of x_t, of the carry, of the leaves."""
        return [*self.d_xs, *self.d_carry, *self.d_leaves]

    def results(self) -> list[Result]:
        """All results."""
        found = [*self.forward_results(), *self.drawn, *self.gradients()]
        return [x for x in found if x is not None]

    def pruned(self) -> Step:
        """The step without dead instructions."""
        needed = needed_for(self.results(), self.instructions)
        return replace(self, instructions=tuple(needed))

    def rewritten(
        self, instructions: Iterable[Instruction], stands_for: Callable[[Any], Any]
    ) -> Step:
        """The step with other instructions; `stands_for` gives the replacement of each result."""

        def each(results: Iterable[Any]) -> tuple[Any, ...]:
            return tuple(map(stands_for, results))

        return replace(
            self,
            instructions=tuple(instructions),
            next_carry=each(self.next_carry),
            ys=each(self.ys),
            sums=each(self.sums),
            drawn=each(self.drawn),
            d_xs=each(self.d_xs),
            d_carry=each(self.d_carry),
            d_leaves=each(self.d_leaves),
        )


def needed_for(results: Iterable[Any], instructions: Iterable[Instruction]) -> list[Instruction]:
    """The instructions that the results depend on, in order."""
    needed: set[Instruction] = set()
    waiting = inputs_of(results)
    while waiting:
        instruction = waiting.pop()
        if instruction not in needed:
            needed.add(instruction)
            waiting.extend(instruction.depends_on)
    return [instruction for instruction in instructions if instruction in needed]
