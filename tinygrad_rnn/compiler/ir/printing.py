"""Printing: a program as readable text, and what a pass changed in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from os.path import basename
from textwrap import indent, wrap
from typing import Any

import numpy as np

from .instruction import Instruction
from .program import Program
from .schedule import STAGES, Schedule
from .step import Step, needed_for

__all__ = ["Printer", "changes", "input_names"]

_WIDTH = 76  # of an instruction: 80 columns minus the indentation and the change mark
_LEAST, _MOST = 30, 49  # of what it computes
_NO_BREAK = "\N{NO-BREAK SPACE}"


def input_names(step: Step, leaf_names: Sequence[str | None]) -> dict[Instruction, str]:
    """Names for the inputs of a step; `leaf_names`: those of the tensors that it reads."""
    names = _numbered(step.xs[: len(step.xs) - step.masked], "x")
    if step.masked:
        names[step.xs[-1]] = "mask"
    for k, (old, new) in enumerate(zip(step.carry, step.next_carry, strict=True)):
        name = getattr(new, "name", None) or f"state {k}"
        names[old] = f"{name} before"
        if step.grad_carry:
            names[step.grad_carry[k]] = f"grad of {name}"
    names |= _numbered(step.grad_ys, "grad of output")
    names |= _numbered(step.grad_sums, "grad of sum")
    for given, leaf in zip(leaf_names, step.leaves, strict=True):
        names[leaf] = given or leaf.name or "constant"
    return names


def _numbered(values: Sequence[Instruction], name: str) -> dict[Instruction, str]:
    several = len(values) > 1
    return {value: f"{name} {k}" if several else name for k, value in enumerate(values)}


class Printer:
    """Names values, the same after every pass, and prints programs.

    A value has its author's name, or its primitive's name and a number. A pass that changes the
    inputs of an instruction keeps its sample, which identifies the value.
    """

    def __init__(self, names: Mapping[Instruction, str]) -> None:
        self._names: dict[int, str] = {id(value): name for value, name in names.items()}
        self._named: list[Any] = [*names]  # kept alive, so that their ids are not reused
        self._count: dict[str, int] = {}
        self._by_author: dict[str, list[int]] = {}  # in the program that is being printed

    def name(self, x: Any) -> str:
        """The name of an operand."""
        if not isinstance(x, Instruction):
            return f"{x:.6g}" if np.ndim(x) == 0 else f"constants {np.shape(x)}"
        known_by = x if x.primitive is None else x.sample
        key = id(known_by)
        if key in self._names:
            return self._names[key]
        self._named.append(known_by)
        if x.name:
            return self._authors_name(x.name, key)
        self._count[x.op_name] = number = self._count.get(x.op_name, 0) + 1
        self._names[key] = f"{x.op_name} {number}"
        return self._names[key]

    def _authors_name(self, name: str, key: int) -> str:
        """The author's name, with a number if other values of the program have the same name."""
        keys = self._by_author.setdefault(name, [])
        if key not in keys:
            keys.append(key)
        number = keys.index(key) + 1
        return name if number == 1 else f"{name} {number}"

    def call(self, instruction: Instruction) -> str:
        """The primitive and its operands: `add(x, h before)`."""
        operands = ", ".join(map(self.name, instruction.inputs))
        part = "" if instruction.output is None else f"[{instruction.output}]"
        return f"{instruction.op_name}({operands}){part}"

    def line(self, instruction: Instruction) -> str:
        """One instruction: its name, what it computes, shape and dtype, and its line of source.

        A call with many operands takes several lines; shape and source follow its end.
        """
        shape = "x".join(map(str, instruction.shape)) or "number"
        line = getattr(instruction.origin, "line", None)
        written = f"  {basename(line)}" if line else ""
        right = f"{shape} {instruction.dtype}{written}"
        room = max(_LEAST, min(_MOST, _WIDTH - 1 - len(right)))
        text = f"{self.name(instruction)} = {self.call(instruction)}"
        kept = text.replace(" ", _NO_BREAK).replace(f",{_NO_BREAK}", ", ")  # broken after commas
        *lines, last = wrap(kept, room, subsequent_indent="    ", break_long_words=False)
        return "\n".join([*lines, f"{last:<{room}} {right}"]).replace(_NO_BREAK, " ")

    def lines(self, program: Program) -> list[str]:
        """The program: as a step or, once scheduled, stage by stage."""
        self._by_author.clear()
        if program.forward is None:
            return list(self._step(program.step))
        found = list(self._schedule("forward", program.forward))
        if program.backward is not None:
            found += self._schedule("backward", program.backward)
        return found

    def _step(self, step: Step) -> Iterator[str]:
        ahead = needed_for([*step.forward_results(), *step.drawn], step.instructions)
        made_ahead = set(ahead)
        yield "forward step"
        yield from self._section(ahead)
        yield from self._listed("return", step.forward_results())
        back = [v for v in step.instructions if v not in made_ahead]
        if back:
            yield "backward step"
            yield from self._section(back)
            gradients = (d for d in step.gradients() if d is not None)
            yield from self._listed("return", gradients)

    def _schedule(self, direction: str, schedule: Schedule) -> Iterator[str]:
        for stage, title in STAGES.items():
            if schedule.stages[stage]:
                yield f"{direction}: {title}"
                yield from self._section(schedule.stages[stage])
        if schedule.residuals:
            yield from self._listed("keep", schedule.residuals)
        yield from self._listed("return", schedule.results)

    def _listed(self, word: str, values: Iterable[Any]) -> list[str]:
        text = f"  {word} {', '.join(map(self.name, values))}"
        return wrap(text, 78, initial_indent="  ", subsequent_indent="    ")

    def _section(self, instructions: Iterable[Instruction]) -> Iterator[str]:
        yield from (indent(self.line(instruction), "  ") for instruction in instructions)


def changes(before: list[str], after: list[str]) -> Iterator[str]:
    """The lines after a pass: new lines marked `+`, removed ones marked `-`."""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, first, last, start, stop in matcher.get_opcodes():
        if tag != "equal":
            yield from (indent(line, "- ") for line in before[first:last])
        yield from (indent(line, "  " if tag == "equal" else "+ ") for line in after[start:stop])
