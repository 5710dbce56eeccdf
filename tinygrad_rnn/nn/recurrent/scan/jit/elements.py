"""Elements: one pass over the elements of arrays of one shape, as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .memory import Place, strides_of
from .terms import CannotCompile, Term, Terms

__all__ = ["Elements", "nest"]

Array = Any
Used = Sequence[tuple[str, Place, Array]]  # marks in the text, and what each stands for


class Elements:
    """What a pass loads, computes and stores for each element."""

    def __init__(self, shape: tuple[int, ...], new_name: Callable[[Any], str]) -> None:
        self.shape = shape
        self.about: Any = "v"  # whose elements are computed now: temporary names follow it
        self.terms = Terms(lambda: new_name(self.about))
        self._used: list[tuple[str, Place, Array]] = []

    def load(self, place: Place, array: Array) -> Term:
        """The element of an array."""
        flag = " != 0" if array.dtype.kind == "b" else ""
        return self.terms.add(f"{self._mark(place, array)}{flag}", array.dtype)

    def store(self, place: Place, array: Array, element: Any) -> None:
        """Write the element of an array."""
        text = self.terms.text(element, array.dtype)
        self.terms.lines.append(
            f"{self._mark(place, array)} = {f'uint8({text})' if array.dtype.kind == 'b' else text}"
        )

    def _mark(self, place: Place, array: Array) -> str:
        mark = f"<{len(self._used)}>"
        self._used.append((mark, place, np.broadcast_to(array, self.shape)))
        return mark

    def lines(self) -> list[str]:
        """The pass."""
        return nest(self.shape, self.terms.lines, self._used)


def nest(shape: Sequence[int], lines: Sequence[str], used: Used) -> list[str]:
    """Lines in loops over a shape; axes that lie in memory one after the other are one loop."""
    axes: list[tuple[int, list[int]]] = []  # (size, stride in each array)
    for k, size in enumerate(shape):
        strides = [strides_of(array)[k] for _, _, array in used]
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
    for number, (mark, place, array) in enumerate(used):
        offset = place.element(array)
        parts = [
            letter if strides[number] == 1 else f"{letter} * {strides[number]}"
            for letter, (_, strides) in zip(letters, axes, strict=True)
            if strides[number]
        ]
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
