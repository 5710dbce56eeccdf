"""Pointers: the memory regions that a compiled step reads and writes, each under one name.

A compiled loop promises LLVM that its places share no memory, so that a write to one cannot change
another. Arrays whose elements overlap are therefore one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from ....ir.instruction import Instruction, structural_key
from ....ir.schedule import Schedule
from ....memory.allocation import Arrays
from .expressions import CannotCompile, type_name
from .place import Place, strides_of
from .rows import DependentRows, Rows

__all__ = ["Memory", "op_name"]

Array = Any


class Memory:
    """The places of a loop's values and constants, and the place of each operand.

    `rows`: of the batch, if threads are to share them.
    """

    def __init__(
        self,
        schedule: Schedule,
        trial: Arrays,
        new_name: Callable[[Any, str], str],
        rows: Rows | None,
    ) -> None:
        self.rows = rows
        self.places: list[Place] = []
        self.prepared: list[str] = []  # lines before the first step
        self._new_name = new_name
        self._arrays: dict[
            Any, tuple[Place, Array]
        ] = {}  # by value or structural_key of a constant
        self._packed: dict[Place, Place] = {}
        self.checks: list[tuple[int, int]] = []  # the number and the size of each indexed axis
        self.wrong: Place | None = None  # which check failed first, and for which index
        found: dict[Any, tuple[Any, Array, int]] = {}
        for value in schedule.stages["loop"]:
            for x in [*value.inputs, value]:
                if isinstance(x, Instruction):
                    array = trial[x]
                    if array is None:
                        raise CannotCompile(f"{x.op_name} without an array")
                    time_varying = x in trial.time_varying
                    step = (
                        array[0, ...] if time_varying else np.asarray(array)
                    )  # a view, of a number too
                    found[x] = x, step, array.strides[0] if time_varying else 0
                elif isinstance(x, np.ndarray) and x.ndim:
                    constant = np.array(x, order="C")  # a copy, so that it overlaps nothing
                    found[structural_key(x)] = constant, constant, 0
        self._join(found)
        if rows is not None:
            for value in [*schedule.carry_in, *schedule.stages["loop"]]:
                if value in self._arrays and value not in trial.views:
                    rows.written(value, *self[value])

    def _join(self, found: dict[Any, tuple[Any, Array, int]]) -> None:
        """Make the places: from low to high addresses, merging each region with those it overlaps.

        They are named and listed in the order in which the program mentions them, because addresses
        differ between runs.
        """
        for _, step, _ in found.values():
            type_name(step.dtype)
        place: Place | None = None
        for key, (source, step, stride) in sorted(
            found.items(), key=lambda entry: byte_bounds(entry[1][1])[0]
        ):
            low, high = byte_bounds(step)
            if not step.size:  # without elements nothing can overlap
                self._arrays[key] = Place(source, step, stride), step
                continue
            if place is not None and low < place.high:
                if (place.stride, place.dtype) != (stride, step.dtype):
                    raise CannotCompile("memory that is seen in two ways")
                place.high = max(high, place.high)
            else:
                place = Place(source, step, stride)
            self._arrays[key] = place, step
        for key in found:
            place = self._arrays[key][0]
            if not place.name:
                place.name = self._new_name(place.source, "_at")
                self.places.append(place)

    def __getitem__(self, x: Any) -> tuple[Place, Array]:
        """The place of an operand, and the operand at the first step."""
        return self._arrays[x if isinstance(x, Instruction) else structural_key(x)]

    def check(self, place: str, axis: int, size: int) -> str:
        """The text of a checked index along an axis: 0, and recorded, if it is out of bounds."""
        if self.rows is not None:  # two threads might record an error at once
            raise DependentRows
        if self.wrong is None:
            self.wrong, _ = self.room("wrong", np.zeros(2, np.int64))
        self.checks.append((axis, size))
        return f"within({place}, {size}, {self.wrong.name}, {len(self.checks)})"

    def room(self, name: str, content: Array) -> tuple[Place, Array]:
        """A place that belongs to no value, such as that of a constant."""
        array = np.ascontiguousarray(content).reshape(np.shape(content))
        place = Place(array, array, 0)
        place.name = self._new_name(name, "_at")
        self.places.append(place)
        return place, array

    def scratch(self, name: str, shape: Sequence[int], dtype: Any) -> tuple[Place, Array]:
        """A place for an intermediate result."""
        place, array = self.room(name, np.zeros(shape, dtype))
        if self.rows is not None:
            self.rows.strides[place] = None
        return place, array

    def packed(self, y: Any, width: int) -> Place:
        """The place of a matrix (k, n), packed before the loop into panels of `width` columns."""
        place, array = self[y]
        if place not in self._packed:
            k, n = array.shape
            panels, _ = self.room(place.name, np.zeros(-(-n // width) * width * k, array.dtype))
            sizes = k, n, *strides_of(array), width
            self.prepared.append(
                f"pack({self.start(y)}, {panels.name}, {', '.join(map(str, sizes))})"
            )
            self._packed[place] = panels
        return self._packed[place]

    def start(self, x: Any) -> str:
        """The address of an operand's first element, as text."""
        place, array = self[x]
        elements = place.element(array)
        return f"{place.name} + {elements}" if elements else place.name

    def keep(self, words: Iterable[str]) -> None:
        """Drop the places that the text does not mention."""
        mentioned = set(words)
        self.places = [place for place in self.places if place.name in mentioned]


def op_name(value: Any) -> str:
    """The name of a value's op or ufunc."""
    return str(
        getattr(value.primitive, "name", None) or getattr(value.primitive, "__name__", "input")
    )
