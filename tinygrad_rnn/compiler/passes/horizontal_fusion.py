"""Horizontal fusion: equal operations on neighbouring parts of an array become one operation.

A cell computes its gates in one product and splits it; then each gate has its own nonlinearity. If
neighbouring parts are operands of the same ufunc, alone, with numbers, or with the same parts of
another array, the ufunc is applied before the split. A sigmoid is a tanh between two scalings, so
the gates of an LSTM become one tanh over all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ...engine.primitives.primitive import traits_of
from ...engine.recording.scope import Scope
from ...ops.shapes.joining import _split
from ..ir.instruction import Instruction
from ..ir.program import Program
from ..ir.rewrite import substituted
from ..ir.step import Step

__all__ = ["fuse_horizontally", "section"]


class Use(NamedTuple):
    """How a ufunc uses a part: `side` is the part's position among its inputs.

    `beside`: the other input: None for a unary ufunc, "number", or the array of which it is the
    part at the same place.
    """

    primitive: Any
    side: int
    beside: Any

    @property
    def neutral(self) -> float | None:
        """The number that leaves a part unchanged, for a part whose neighbours have numbers."""
        if self.beside != "number":
            return None
        traits = traits_of(self.primitive)
        return traits.identity if self.side == 0 or traits.commutative else None


class Parts(NamedTuple):
    """The parts that an array is cut into along one axis, by their numbers."""

    whole: Instruction
    axis: int
    bounds: list[int]
    parts: dict[int, Instruction]

    def size(self, k: int) -> int:
        return self.bounds[k + 1] - self.bounds[k]

    def cut_like(self, other: Parts) -> bool:
        """Whether both arrays have parts at the same places."""
        places = self.bounds == other.bounds and self.axis == other.axis
        return places and self.whole.shape == other.whole.shape


class Match(NamedTuple):
    """Neighbouring parts, `run` of them, used in the same way, and their users by number."""

    parts: Parts
    use: Use
    users: dict[int, Instruction]
    run: range


def fuse_horizontally(program: Program) -> Program:
    """Needs a step. Guarantees that neighbouring parts are no longer used in the same way."""
    step = program.step
    while True:
        found = _find(step)
        if found is None:
            return replace(program, step=step)
        step = _fused(step, *found)


def section(instruction: Any) -> tuple[Instruction, int, int, int] | None:
    """The array, the axis, the start and the stop, if the instruction takes a part of an array."""
    if not isinstance(instruction, Instruction) or instruction.traits.section is None:
        return None
    whole = instruction.inputs[0]
    if not isinstance(whole, Instruction) or len(instruction.inputs) != 1:
        return None
    found = instruction.traits.section(whole.shape, instruction.output, **instruction.attributes)
    return None if found is None else (whole, *found)


def _find(step: Step) -> tuple[Match, list[Parts]] | None:
    groups = _groups(step.instructions)
    for parts, use, users in _uses(step.instructions, groups):
        run = _longest_run(use, users, len(parts.bounds) - 1)
        if run is not None:
            return Match(parts, use, users, run), groups
    return None


def _groups(instructions: Sequence[Instruction]) -> list[Parts]:
    """The arrays that are cut into parts, and the parts that are not cut further."""
    cuts: dict[Any, list[tuple[int, int, Instruction]]] = {}
    for instruction in instructions:
        found = section(instruction)
        if found is not None:
            whole, axis, start, stop = found
            cuts.setdefault((whole, axis), []).append((start, stop, instruction))
    groups = []
    for (whole, axis), its_cuts in cuts.items():
        ends = (end for start, stop, _ in its_cuts for end in (start, stop))
        bounds = sorted({0, whole.shape[axis], *ends})
        number = {pair: k for k, pair in enumerate(pairwise(bounds))}
        parts = {number[cut[:2]]: cut[2] for cut in reversed(its_cuts) if cut[:2] in number}
        groups.append(Parts(whole, axis, bounds, parts))
    return groups


def _uses(
    instructions: Sequence[Instruction], groups: Sequence[Parts]
) -> Iterator[tuple[Parts, Use, dict[int, Instruction]]]:
    """For each array, each way in which its parts are used: the users by part."""
    place = {part: (n, k) for n, group in enumerate(groups) for k, part in group.parts.items()}
    found: dict[int, dict[Use, dict[int, Instruction]]] = {n: {} for n in range(len(groups))}
    for user in instructions:
        if not user.is_ufunc or len(user.inputs) > 2:
            continue
        for side, x in enumerate(user.inputs):
            if not isinstance(x, Instruction) or x not in place or user.shape != x.shape:
                continue
            n, k = place[x]
            beside = _beside(user, side, n, k, place, groups)
            if beside is not NotImplemented:
                found[n].setdefault(Use(user.primitive, side, beside), {}).setdefault(k, user)
    for n, uses in found.items():
        for use, users in uses.items():
            yield groups[n], use, users


def _beside(
    user: Instruction,
    side: int,
    n: int,
    k: int,
    place: dict[Instruction, tuple[int, int]],
    groups: Sequence[Parts],
) -> Any:
    """The other operand of the part: see `Use`; NotImplemented if it cannot be fused."""
    if len(user.inputs) == 1:
        return None
    other = user.inputs[1 - side]
    if type(other) in (int, float) and groups[n].whole.dtype.kind == "f":
        return "number"
    if isinstance(other, Instruction) and other in place and side == 0:
        its, its_k = place[other]
        if its_k == k and its != n and groups[its].cut_like(groups[n]):
            return its
    return NotImplemented


def _longest_run(use: Use, users: dict[int, Any], count: int) -> range | None:
    """The longest run of neighbouring parts used in the same way: at least two, or None.

    Parts in between that are not used in this way are included if the ufunc can leave them
    unchanged.
    """
    if use.neutral is not None and len(users) > 1:
        return range(count)
    best = range(0)
    start = 0
    for k in range(count + 1):
        if k == count or k not in users:
            best = max(best, range(start, k), key=len)
            start = k + 1
    return best if len(best) > 1 else None


def _fused(step: Step, match: Match, groups: Sequence[Parts]) -> Step:
    """The step in which the parts' users are parts of one instruction over all of them."""
    parts, use, users, run = match
    new: list[Instruction] = []
    inputs: list[Any] = [_joined_parts(parts, run, new)]
    if use.beside == "number":
        numbers = [users[k].inputs[1 - use.side] if k in users else use.neutral for k in run]
        inputs.append(_numbers(parts, run, numbers))
    elif use.beside is not None:
        inputs.append(_joined_parts(groups[use.beside], run, new))
    if use.side == 1:
        inputs.reverse()
    origin = _origin_of_all([users[k].origin for k in run if k in users])
    whole = Instruction.of(use.primitive, *inputs, origin=origin)
    new.append(whole)
    start = parts.bounds[run.start]
    places = tuple(parts.bounds[k] - start for k in run[1:])
    replaced = {}
    for output, k in enumerate(run):
        old = users.get(k, parts.parts.get(k))
        if old is not None:
            attributes = {"places": places, "axis": parts.axis}
            part = Instruction.of(_split, whole, attributes=attributes, output=output)
            replaced[old] = part.called(old.name, old.origin)
    return substituted(step, replaced, [*new, *replaced.values()])


def _joined_parts(parts: Parts, run: range, new: list[Instruction]) -> Instruction:
    """The run of neighbouring parts as one array."""
    low, high, end = parts.bounds[run.start], parts.bounds[run.stop], parts.bounds[-1]
    if (low, high) == (0, end):
        return parts.whole
    places = tuple(p for p in (low, high) if 0 < p < end)
    attributes = {"places": places, "axis": parts.axis}
    made = Instruction.of(_split, parts.whole, attributes=attributes, output=1 if low else 0)
    new.append(made)
    return made


def _numbers(parts: Parts, run: range, numbers: Sequence[Any]) -> Any:
    """The numbers as an array aligned with the run of parts; a single number stays as it is."""
    if len(set(numbers)) == 1:
        return numbers[0]
    vector = np.repeat(np.asarray(numbers, parts.whole.dtype), [parts.size(k) for k in run])
    return vector.reshape((-1,) + (1,) * (-parts.axis - 1))


def _origin_of_all(origins: Sequence[Scope | None]) -> Scope | None:
    """One origin for several lines of a file: `cell.py:12,13`."""
    known = [origin for origin in origins if origin is not None and origin.line]
    if not known:
        return None
    files = {str(origin.line).rpartition(":")[0] for origin in known}
    if len(files) > 1:
        return known[0]
    numbers = {n for origin in known for n in str(origin.line).rpartition(":")[2].split(",")}
    return Scope(known[0].path, line=f"{files.pop()}:{','.join(sorted(numbers, key=int))}")
