"""Fuse: what is done alike to neighbouring parts of one array is done to them all at once.

A cell computes its gates in one product and splits it; then each gate has its own nonlinearity.
Where neighbouring parts meet the same ufunc, with nothing else, with numbers, or with the same
parts of another array, the ufunc is applied before the split. A sigmoid is a tanh between two
scalings, so the gates of an LSTM come out as one tanh over all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...engine.scope import Scope
from ...ops.joining import _split
from ..trace.recording import Instruction, Step

__all__ = ["fuse_horizontally"]

# What leaves a part as it is, for parts between others that are scaled or shifted.
_NEUTRAL = {(np.multiply, 0): 1.0, (np.multiply, 1): 1.0, (np.add, 0): 0.0, (np.add, 1): 0.0}
_NEXT = 2.0**-20  # between the orders of a value and of one made right after it


class Use(NamedTuple):
    """How a ufunc meets a part: `side` is the part's place among its inputs.

    `beside`: None for a unary ufunc, "number", or the array whose part of the same place is the
    other input.
    """

    primitive: Any
    side: int
    beside: Any


class Parts:
    """The parts that a split cuts an array into."""

    def __init__(self, whole: Instruction, places: tuple[int, ...], axis: int) -> None:
        self.whole, self.axis = whole, axis
        self.bounds = [0, *places, whole.shape[axis]]
        self.parts: dict[int, Instruction] = {}

    def size(self, k: int) -> int:
        return self.bounds[k + 1] - self.bounds[k]


def fuse_horizontally(step: Step, instructions: Iterable[Instruction]) -> None:
    """Rewrite a step, forward and backward, in place."""
    fuser = _Fuser(list(instructions))
    while fuser.fuse_once():
        pass
    new = fuser.renamed
    step.new_state = [new(v) for v in step.new_state]
    step.output = new(step.output)
    step.d_x = new(step.d_x)
    step.d_state = [new(v) for v in step.d_state]
    step.d_leaves = [new(v) for v in step.d_leaves]


class _Fuser:
    def __init__(self, instructions: list[Instruction]) -> None:
        self.instructions = instructions
        self._names: dict[Instruction, Instruction] = {}  # replaced values and their replacements

    def renamed(self, x: Any) -> Any:
        """What x has been replaced by, if it has."""
        while isinstance(x, Instruction) and x in self._names:
            x = self._names[x]
        return x

    def fuse_once(self) -> bool:
        """Fuse the uses of one array's parts; whether there was anything to fuse_horizontally."""
        groups = self._groups()
        part_of = {part: (g, k) for g in groups for k, part in g.parts.items()}
        uses = self._uses(part_of)
        for group in groups:
            for use, users in uses.get(id(group), {}).items():
                run = _longest_run(use, users, len(group.bounds) - 1)
                if run is not None:
                    self._fuse(group, use, users, run, groups)
                    return True
        return False

    def _groups(self) -> list[Parts]:
        found: dict[Any, Parts] = {}
        for value in self.instructions:
            if value.primitive is _split:
                whole, places = value.inputs[0], value.attributes["places"]
                key = (whole, places, value.attributes["axis"])
                if isinstance(whole, Instruction):
                    found.setdefault(key, Parts(*key)).parts[value.attributes["output"]] = value
        return list(found.values())

    def _uses(
        self, part_of: dict[Instruction, tuple[Parts, int]]
    ) -> dict[int, dict[Use, dict[int, Instruction]]]:
        """For each group, each way in which parts are used: the users by part."""
        found: dict[int, dict[Use, dict[int, Instruction]]] = {}
        for value in self.instructions:
            if not isinstance(value.primitive, np.ufunc) or len(value.inputs) > 2:
                continue
            for side, x in enumerate(value.inputs):
                if x not in part_of if isinstance(x, Instruction) else True:
                    continue
                group, k = part_of[x]
                beside = self._beside(value, side, group, k, part_of)
                if beside is not NotImplemented and value.shape == x.shape:
                    uses = found.setdefault(id(group), {})
                    uses.setdefault(Use(value.primitive, side, beside), {}).setdefault(k, value)
        return found

    def _beside(
        self,
        value: Instruction,
        side: int,
        group: Parts,
        k: int,
        part_of: dict[Instruction, tuple[Parts, int]],
    ) -> Any:
        if len(value.inputs) == 1:
            return None
        other = value.inputs[1 - side]
        if type(other) in (int, float) and group.whole.dtype.kind == "f":
            return "number"
        if isinstance(other, Instruction) and other in part_of and side == 0:
            its, its_k = part_of[other]
            if its_k == k and its.bounds == group.bounds and its.axis == group.axis:
                if its.whole.shape == group.whole.shape and its is not group:
                    return id(its)
        return NotImplemented

    def _fuse(
        self,
        group: Parts,
        use: Use,
        users: dict[int, Instruction],
        run: range,
        groups: Sequence[Parts],
    ) -> None:
        inputs: list[Any] = [self._stretch(group, run)]
        if use.beside == "number":
            numbers = [
                users[k].inputs[1 - use.side] if k in users else _NEUTRAL[use.primitive, use.side]
                for k in run
            ]
            inputs.append(self._numbers(group, run, numbers))
        elif use.beside is not None:
            inputs.append(self._stretch(next(g for g in groups if id(g) == use.beside), run))
        if use.side == 1:
            inputs.reverse()
        with np.errstate(all="ignore"):
            example = use.primitive(
                *(x.example if isinstance(x, Instruction) else x for x in inputs)
            )
        whole = self._insert(use.primitive, inputs, {}, example)
        whole.scope = _joined([users[k].scope for k in run if k in users])
        start = group.bounds[run.start]
        places = tuple(group.bounds[k] - start for k in run[1:])
        for index, k in enumerate(run):
            attributes = {"places": places, "axis": group.axis, "output": index}
            example = np.split(whole.example, places, group.axis)[index]
            part = self._insert(_split, [whole], attributes, example)
            old = users.get(k, group.parts.get(k))
            if old is not None:
                part.name, part.scope = old.name, old.scope
                self._replace(old, part)

    def _stretch(self, group: Parts, run: range) -> Instruction:
        """The run of neighbouring parts as one array."""
        low, high = group.bounds[run.start], group.bounds[run.stop]
        if (low, high) == (0, group.bounds[-1]):
            return group.whole
        places = tuple(p for p in (low, high) if 0 < p < group.bounds[-1])
        output = 1 if low else 0
        example = np.split(group.whole.example, places, group.axis)[output]
        attributes = {"places": places, "axis": group.axis, "output": output}
        return self._insert(_split, [group.whole], attributes, example)

    def _numbers(self, group: Parts, run: range, numbers: Sequence[Any]) -> Any:
        """One number for each part, as an array beside the segment of them; or as it is, if one."""
        if len(set(numbers)) == 1:
            return numbers[0]
        vector = np.repeat(np.asarray(numbers, group.whole.dtype), [group.size(k) for k in run])
        return vector.reshape((-1,) + (1,) * (-group.axis - 1))

    def _insert(self, fn: Any, inputs: list[Any], attributes: Any, example: Any) -> Instruction:
        order = max(x.order for x in inputs if isinstance(x, Instruction)) + _NEXT
        value = Instruction(fn, tuple(inputs), attributes, example, order=order)
        self.instructions.append(value)
        return value

    def _replace(self, old: Instruction, new: Instruction) -> None:
        self._names[old] = new
        self.instructions.remove(old)
        for value in self.instructions:
            if value is not new and any(x is old for x in value.inputs):
                value.inputs = tuple(new if x is old else x for x in value.inputs)


def _joined(scopes: Sequence[Scope | None]) -> Scope | None:
    """One place for what several lines of a file ask for: `cell.py:12,13`."""
    known = [scope for scope in scopes if scope is not None and scope.line]
    if not known:
        return None
    files = {str(scope.line).rpartition(":")[0] for scope in known}
    if len(files) > 1:
        return known[0]
    numbers = {n for scope in known for n in str(scope.line).rpartition(":")[2].split(",")}
    return Scope(known[0].path, line=f"{files.pop()}:{','.join(sorted(numbers, key=int))}")


def _longest_run(use: Use, users: dict[int, Instruction], count: int) -> range | None:
    """The longest run of neighbouring parts used alike: at least two, or None.

    Parts in between that are not used so are taken along if the ufunc can leave them as they are.
    """
    neutral = use.beside == "number" and (use.primitive, use.side) in _NEUTRAL
    if neutral and len(users) > 1:
        return range(count)
    best = range(0)
    start = 0
    for k in range(count + 1):
        if k == count or k not in users:
            best = max(best, range(start, k), key=len)
            start = k + 1
    return best if len(best) > 1 else None
