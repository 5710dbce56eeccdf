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

    Forward: from `x`, `mask`, `state` and the `leaf_values` (what the step reads besides:
    parameters, mostly) to `new_state` and `output`. Backward: from these and `grad_state` and
    `grad_output` (the gradients of `new_state` and `output`) to `d_x`, `d_state` and `d_leaves`;
    None where nothing depends on the input.
    """

    label: str  # what the step is called in messages
    x: Instruction
    mask: Instruction | None
    state: tuple[Instruction, ...]
    leaves: tuple[Any, ...]  # the tensors behind `leaf_values`
    leaf_values: tuple[Instruction, ...]
    learned: tuple[bool, ...]  # whether those want a gradient
    constants: tuple[tuple[Any, int], ...]  # arrays of others that it reads, with fingerprints
    instructions: tuple[Instruction, ...]
    new_state: tuple[Result, ...]
    output: Result
    drawn: tuple[Result, ...]  # random numbers, also those that nothing depends on
    grad_state: tuple[Instruction, ...] = ()
    grad_output: Instruction | None = None
    d_x: Result | None = None
    d_state: tuple[Result | None, ...] = ()
    d_leaves: tuple[Result | None, ...] = ()

    def forward_results(self) -> list[Result]:
        """What the forward step computes, the output last."""
        return [*self.new_state, self.output]

    def gradients(self) -> list[Result | None]:
        """What the backward step computes: of x, of the states, of the leaves."""
        return [self.d_x, *self.d_state, *self.d_leaves]

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
            new_state=each(self.new_state),
            output=stands_for(self.output),
            drawn=each(self.drawn),
            d_x=stands_for(self.d_x),
            d_state=each(self.d_state),
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
            waiting.extend(inputs_of(instruction.inputs))
    return [instruction for instruction in instructions if instruction in needed]
