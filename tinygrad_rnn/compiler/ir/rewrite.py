"""Rewriting: a new step in which some instructions are replaced and their readers adapted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from .instruction import Instruction
from .step import Step

__all__ = ["Rule", "Substitution", "rebuilt", "substituted"]

Rule: TypeAlias = Callable[[Instruction, Instruction], Any]


class Substitution:
    """A substitution of instructions. Called with an operand, it returns the replacement."""

    def __init__(self, replaced: Mapping[Instruction, Any] | None = None) -> None:
        self._new: dict[Any, Any] = dict(replaced or {})

    def __call__(self, x: Any) -> Any:
        """The replacement of the operand."""
        while isinstance(x, Instruction) and x in self._new:
            x = self._new[x]
        return x

    def add(self, old: Instruction, new: Any) -> None:
        """From now on, replace `old` by `new`."""
        if new is not old:
            self._new[old] = new

    def inputs(self, instruction: Instruction) -> Instruction:
        """The instruction with its inputs replaced."""
        inputs = [self(x) for x in instruction.inputs]
        changed = any(new is not x for new, x in zip(inputs, instruction.inputs))
        return instruction.with_inputs(inputs) if changed else instruction

    def apply(self, instructions: Iterable[Instruction]) -> list[Instruction]:
        """The remaining instructions, in order, with their inputs replaced."""
        found = []
        for old in instructions:
            if old not in self._new:
                new = self.inputs(old)
                self.add(old, new)
                found.append(new)
        return found


def rebuilt(step: Step, rule: Rule, new: list[Instruction] | None = None) -> Step:
    """The step after `rule(old, adapted)` for each instruction, which returns its substitute.

    `adapted` is `old` with its inputs replaced. A rule that needs further instructions appends them
    to the list `new` that it was created with; they are placed before the substitute.
    """
    substitution = Substitution()
    instructions: list[Instruction] = []
    placed: set[Any] = set()
    new = [] if new is None else new
    for old in step.instructions:
        result = rule(old, substitution.inputs(old))
        substitution.add(old, result)
        for made in [*new, result]:
            if isinstance(made, Instruction) and made.primitive is not None and made not in placed:
                placed.add(made)
                instructions.append(made)
        new.clear()
    return step.rewritten(instructions, substitution)


def substituted(
    step: Step, replaced: Mapping[Instruction, Any], new: Sequence[Instruction]
) -> Step:
    """The step with some instructions replaced, and without those that have become dead.

    Each `new` instruction follows the last of its inputs.
    """
    substitution = Substitution(replaced)
    instructions = substitution.apply(_inserted(step.instructions, new))
    return step.rewritten(instructions, substitution).pruned()


def _inserted(instructions: Sequence[Instruction], new: Sequence[Instruction]) -> list[Instruction]:
    """All instructions, the new ones included, each as early as its inputs are available."""
    waiting = {*instructions, *new}  # not placed yet; inputs of the step need no place
    found: list[Instruction] = []

    def place(instruction: Instruction) -> None:
        found.append(instruction)
        waiting.discard(instruction)

    def place_ready() -> None:
        for instruction in new:
            if instruction in waiting and waiting.isdisjoint(instruction.depends_on):
                place(instruction)

    place_ready()
    for instruction in instructions:
        place(instruction)
        place_ready()
    return found
