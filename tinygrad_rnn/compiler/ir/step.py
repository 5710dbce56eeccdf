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
    """A traced step. Its inputs, its instructions in their order, and its results by name.

    Each of x_t, the carry and y_t is the leaves of a pytree. Forward: from `xs`, `carry` and the
    `leaves` (what the step reads besides: parameters, mostly) to `next_carry`, `ys`, and `sums`,
    which are summed over time. Backward: from these and `grad_carry`, `grad_ys` and `grad_sums`
    (the gradients of the results) to `d_xs`, `d_carry` and `d_leaves`; None where nothing depends
    on the input. The last ys may be values that are `observed`, no results of the step; the
    gradients of these go to as many of the xs, the last before the mask, which no instruction
    reads.
    """

    label: str  # what the step is called in messages
    xs: tuple[Instruction, ...]
    masked: bool  # whether rows may have ended: a mask is the last of the xs
    carry: tuple[Instruction, ...]
    leaves: tuple[Instruction, ...]
    constants: tuple[Any, ...]  # arrays of others that it reads
    instructions: tuple[Instruction, ...]
    next_carry: tuple[Result, ...]
    ys: tuple[Result, ...]
    drawn: tuple[Result, ...]  # random numbers, also those that nothing depends on
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
        """The size of the first axis of what is carried: the batch, for a batch."""
        shapes = [value.shape for value in (*self.carry, *self.xs)]
        return max((shape[0] for shape in shapes[:1] if shape), default=1)

    def forward_results(self) -> list[Result]:
        """What the forward step computes: the next carry, y_t, and what is summed over time."""
        return [*self.next_carry, *self.ys, *self.sums]

    def gradients(self) -> list[Result | None]:
        """What the backward step computes: of x_t, of the carry, of the leaves."""
        return [*self.d_xs, *self.d_carry, *self.d_leaves]

    def results(self) -> list[Result]:
        """All results that there are."""
        found = [*self.forward_results(), *self.drawn, *self.gradients()]
        return [x for x in found if x is not None]

    def pruned(self) -> Step:
        """The step without instructions that no result depends on."""
        needed = needed_for(self.results(), self.instructions)
        return replace(self, instructions=tuple(needed))

    def rewritten(
        self, instructions: Iterable[Instruction], stands_for: Callable[[Any], Any]
    ) -> Step:
        """The step made of other instructions; `stands_for` tells what each result became."""

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
    """Those of the instructions that the results depend on, in their order."""
    needed: set[Instruction] = set()
    waiting = inputs_of(results)
    while waiting:
        instruction = waiting.pop()
        if instruction not in needed:
            needed.add(instruction)
            waiting.extend(instruction.depends_on)
    return [instruction for instruction in instructions if instruction in needed]
