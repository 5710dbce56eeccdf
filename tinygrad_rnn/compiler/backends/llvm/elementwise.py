"""ElementwiseLoop: one loop over the elements of arrays of one shape, as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .expressions import CannotCompile, Expression, ExpressionWriter
from .pointers import Place, strides_of

__all__ = ["ElementwiseLoop", "nest"]

Array = Any
# Marks in the text, and what each stands for: a place, an array in it, and further offsets as text.
Used = Sequence[tuple[Any, ...]]


class ElementwiseLoop:
    """What the loop loads, computes and stores for each element."""

    def __init__(self, shape: tuple[int, ...], new_name: Callable[[Any], str]) -> None:
        self.shape = shape
        self.about: Any = "v"  # whose elements are computed now: temporary names follow it
        self.writer = ExpressionWriter(lambda: new_name(self.about))
        self._used: list[tuple[Any, ...]] = []

    def load(self, place: Place, array: Array, moved: Sequence[str] = ()) -> Expression:
        """The element of an array; `moved`: how many elements further, as the terms of a sum."""
        flag = " != 0" if array.dtype.kind == "b" else ""
        return self.writer.add(f"{self._mark(place, array, moved)}{flag}", array.dtype)

    def store(self, place: Place, array: Array, element: Any, moved: Sequence[str] = ()) -> None:
        """Write the element of an array."""
        text = self.writer.text(element, array.dtype)
        text = f"uint8({text})" if array.dtype.kind == "b" else text
        self.writer.lines.append(f"{self._mark(place, array, moved)} = {text}")

    def _mark(self, place: Place, array: Array, moved: Sequence[str]) -> str:
        mark = f"<{len(self._used)}>"
        self._used.append((mark, place, np.broadcast_to(array, self.shape), *moved))
        return mark

    def lines(self) -> list[str]:
        """The loop."""
        return nest(self.shape, self.writer.lines, self._used)


def nest(shape: Sequence[int], lines: Sequence[str], used: Used) -> list[str]:
    """Lines inside loops over a shape; axes that are contiguous in memory become one loop."""
    if 0 in shape:
        return []
    axes: list[tuple[int, list[int]]] = []  # (size, stride in each array)
    for k, size in enumerate(shape):
        strides = [strides_of(array)[k] for _, _, array, *_ in used]
        if size == 1:
            continue
        if axes and axes[-1][1] == [s * size for s in strides]:
            axes[-1] = axes[-1][0] * size, strides
        else:
            axes.append((size, strides))
    letters = "ijklmn"[: len(axes)]
    if len(letters) < len(axes):
        raise CannotCompile(f"arrays of {len(axes)} axes")
    marks = {}
    for number, (mark, place, array, *moved) in enumerate(used):
        offset = place.element(array)
        parts = [
            letter if strides[number] == 1 else f"{letter} * {strides[number]}"
            for letter, (_, strides) in zip(letters, axes, strict=True)
            if strides[number]
        ]
        parts += moved
        if offset or not parts:
            parts.append(str(offset))
        marks[mark] = f"{place.name}[{' + '.join(parts)}]"
    written = []
    for depth, (letter, (size, _)) in enumerate(zip(letters, axes, strict=True)):
        written.append("    " * depth + f"for {letter} in range({size}):")
    for line in lines:
        for mark, text in marks.items():
            line = line.replace(mark, text)
        written.append("    " * len(axes) + line)
    return written
