"""Common-subexpression elimination, by value numbering (Cocke & Schwartz 1970).

Two instructions that apply the same pure primitive to the same operands compute the same value, so
one of them is enough. A cell that writes sigmoid(z) in two places computes it once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..ir.instruction import Instruction, value_number
from ..ir.program import Program
from ..ir.rewrite import rebuilt

__all__ = ["eliminate_common_subexpressions"]


def eliminate_common_subexpressions(program: Program) -> Program:
    """Needs a step. Guarantees that no two of its pure instructions are the same operation."""
    first: dict[Any, Instruction] = {}
    names: dict[Instruction, Instruction] = {}  # the kept instruction, and the one with its name

    def numbered(_: Instruction, instruction: Instruction) -> Instruction:
        if not instruction.traits.pure:
            return instruction
        kept = first.setdefault(value_number(instruction), instruction)
        if instruction.name and not kept.name:
            names.setdefault(kept, instruction)
        return kept

    step = rebuilt(program.step, numbered)
    if names:
        step = rebuilt(
            step,
            lambda old, new: new.called(names[old].name, None) if old in names else new,
        )
    return replace(program, step=step)
