"""ElementwiseLoop: one loop over the elements of arrays of one shape, as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .expressions import CannotCompile, Expression, ExpressionWriter
from .place import Place, strides_of
from .rows import Rows

__all__ = ["ElementwiseLoop", "Offset", "nest"]

Array = Any
# Marks in the text, and their meaning: a place, an array in it, and further offsets.
Used = Sequence[tuple[Any, ...]]


class Offset(NamedTuple):
    """An offset in elements from the array's own place: as text, and its largest value."""

    text: str
    most: int


class ElementwiseLoop:
    """What the loop loads, computes and stores for each element."""

    def __init__(
        self, shape: tuple[int, ...], new_name: Callable[[Any], str], rows: Rows | None
    ) -> None:
        self.shape, self._rows = shape, rows
        self.about: Any = (
            "v"  # the value whose elements are being computed: temporary names follow it
        )
        self.writer = ExpressionWriter(lambda: new_name(self.about))
        self._used: list[tuple[Any, ...]] = []

    def load(self, place: Place, array: Array, moved: Sequence[Offset] = ()) -> Expression:
        """The element of an array; `moved`: further offsets in elements, as the terms of a sum."""
        flag = " != 0" if array.dtype.kind == "b" else ""
        return self.writer.add(f"{self._mark(place, array, moved)}{flag}", array.dtype)

    def store(self, place: Place, array: Array, element: Any, moved: Sequence[Offset] = ()) -> None:
        """Write the element of an array."""
        text = self.writer.text(element, array.dtype)
        text = f"uint8({text})" if array.dtype.kind == "b" else text
        self.writer.lines.append(f"{self._mark(place, array, moved)} = {text}")

    def _mark(self, place: Place, array: Array, moved: Sequence[Offset]) -> str:
        mark = f"<{len(self._used)}>"
        self._used.append((mark, place, np.broadcast_to(array, self.shape), *moved))
        return mark

    def lines(self) -> list[str]:
        """The loop."""
        return nest(self.shape, self.writer.lines, self._used, self._rows)


def nest(shape: Sequence[int], lines: Sequence[str], used: Used, rows: Rows | None) -> list[str]:
    """Lines inside loops over a shape; axes that are contiguous in memory become one loop.

    `rows`: the loop over rows of the batch goes from the `first` to the `last` of a thread.
    """
    if 0 in shape:
        return []
    batch = None if rows is None else rows.axis(shape, used)
    axes: list[tuple[int, list[int], int]] = []  # size, stride in each array, elements of a row
    for k, size in enumerate(shape):
        strides = [strides_of(array)[k] for _, _, array, *_ in used]
        if size == 1:
            continue
        if axes and k != batch and axes[-1][1] == [s * size for s in strides]:
            axes[-1] = axes[-1][0] * size, strides, axes[-1][2] * size
        else:
            axes.append((size, strides, int(k == batch)))
    letters = "ijklmn"[: len(axes)]
    if len(letters) < len(axes):
        raise CannotCompile(f"arrays of {len(axes)} axes")
    marks = {}
    for number, (mark, place, array, *moved) in enumerate(used):
        offset = place.element(array)
        parts = [
            letter if strides[number] == 1 else f"{letter} * {strides[number]}"
            for letter, (_, strides, _) in zip(letters, axes, strict=True)
            if strides[number]
        ]
        parts += [further.text for further in moved]
        if offset or not parts:
            parts.append(str(offset))
        marks[mark] = f"{place.name}[{' + '.join(parts)}]"
    written = []
    for depth, (letter, (size, _, row)) in enumerate(zip(letters, axes, strict=True)):
        bounds = f"first * {row}, last * {row}" if row else size
        written.append("    " * depth + f"for {letter} in range({bounds}):")
    for line in lines:
        for mark, text in marks.items():
            line = line.replace(mark, text)
        written.append("    " * len(axes) + line)
    return written
