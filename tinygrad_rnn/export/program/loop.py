"""The primitive `loop`: a scan as one op of an exported program, with its lowered step inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...compiler.ir.instruction import Instruction
from ...compiler.ir.step import Step
from ...engine.op import op

__all__ = ["Loop", "Parts", "computed", "loop", "parts_of"]

Array = Any


@dataclass(frozen=True, eq=False)
class Loop:
    """The body of a scan: the lowered step, the direction, and whether rows may end early.

    `owner`: the cell, or the code of the function, that the step belongs to. `leaves`: for each
    array that the step reads, the name of the owner's parameter, or None. `truncate`: the number of
    steps after which the carry is detached, repeatedly; None for never.
    """

    step: Step
    reverse: bool
    has_lengths: bool
    length: Any  # an int, or a Size
    owner: Any
    leaves: tuple[str | None, ...]
    truncate: int | None = None

    def __eq__(self, other: object) -> bool:
        """Whether both repeat the same step."""
        return isinstance(other, Loop) and self._form() == other._form()

    __hash__ = None  # type: ignore[assignment]

    def detaches(self, t: Any, length: Any) -> Any:
        """Whether the carry is detached before step t: between the blocks of truncated BPTT.

        Among rows that end early, this concerns only those longer than `t + reverse`: rows that
        were running before and continue.
        """
        done = length - 1 - t if self.reverse else t
        return (done > 0) & (done % self.truncate == 0)

    def _form(self) -> Any:
        step = self.step
        given = (*step.xs, *step.carry, *step.leaves, *step.instructions)
        place = {x: k for k, x in enumerate(given)}
        each = [
            (x.op_name, x.output, repr(x.attributes), *(place.get(i, repr(i)) for i in x.inputs))
            for x in step.instructions
            if all(not isinstance(i, np.ndarray) for i in x.inputs)
        ]
        whole = self.reverse, self.has_lengths, self.length, self.truncate, self.leaves
        return *whole, each


class Parts(NamedTuple):
    """The operands of a loop."""

    lengths: Any
    xs: list[Any]
    carry: list[Any]
    leaves: list[Any]


def parts_of(made: Loop, operands: Sequence[Any]) -> Parts:
    """The operands of a loop by role."""
    rest = list(operands)
    lengths = rest.pop(0) if made.has_lengths else None
    xs, carries = len(made.step.xs), len(made.step.carry)
    return Parts(lengths, rest[:xs], rest[xs : xs + carries], rest[xs + carries :])


@op
def loop(*arrays: Array, loop: Loop) -> tuple[Array, ...]:
    """The ys of all steps, then the last carry; no row may end early here."""
    given = parts_of(loop, arrays)
    carry: list[Any] = given.carry
    ys: list[list[Any]] = []
    for t in range(loop.length)[:: -1 if loop.reverse else 1]:
        results = computed(loop.step, [x[t] for x in given.xs], carry, given.leaves)
        carry, y = results[: len(carry)], results[len(carry) :]
        ys.append(y)
    if loop.reverse:
        ys.reverse()
    return (*map(np.stack, zip(*ys)), *map(np.asarray, carry))


def computed(
    step: Step, xs: Sequence[Array], carry: Sequence[Array], leaves: Sequence[Array]
) -> list[Array]:
    """The next carry and y_t of a lowered step, on arrays; random numbers as recorded."""
    of: dict[Instruction, Array] = dict(
        zip((*step.xs, *step.carry, *step.leaves), (*xs, *carry, *leaves), strict=True)
    )
    for instruction in step.instructions:
        if not instruction.is_ufunc and not instruction.traits.pure:
            of[instruction] = instruction.sample
            continue
        operands = [of[x] if isinstance(x, Instruction) else x for x in instruction.inputs]
        of[instruction] = instruction.compute(*operands)
    return [of[x] if isinstance(x, Instruction) else x for x in step.forward_results()]
