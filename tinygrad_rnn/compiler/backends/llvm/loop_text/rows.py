"""Rows: a loop whose threads each work on their own rows of a batch.

No thread has to wait for another if the rows that the loop computes are independent. This is tested
by addresses, with a dependence test as compilers use before they parallelise a loop: each loop nest
must have an axis along which everything that the loop writes advances by one row, and rows must not
overlap. Memory that the loop only reads may be read in any way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..machine_code.matmul import ROWS
from .place import Place, strides_of

__all__ = ["FEWEST", "DependentRows", "Rows", "tiles"]

Array = Any
FEWEST = 4 * ROWS  # rows of a thread


class DependentRows(Exception):
    """Rows of a loop depend on each other, or cannot be separated, in the instruction `value`."""

    def __init__(self, value: Any = None) -> None:
        super().__init__()
        self.value = value


class Rows:
    """The rows of a batch in the memory that a loop writes.

    `size`: their number. `strides`: by place, elements from one row to the next; None for memory
    whose stride the first loop nest that uses it determines.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.strides: dict[Place, int | None] = {}

    def written(self, value: Any, place: Place, array: Array) -> None:
        """Record a value that the loop writes.

        Its first axis is taken as the batch if it can be.
        """
        known = self.strides.get(place)
        stride = strides_of(array)[0] if array.shape[:1] == (self.size,) else known
        if known not in (stride, None):
            raise DependentRows(value)
        self.strides[place] = stride

    def axis(self, shape: Sequence[int], used: Sequence[tuple[Any, ...]]) -> int:
        """The axis of a loop nest that is the batch. `used`: as in `elementwise.nest`."""
        found = [(place, array, moved) for _, place, array, *moved in used if place in self.strides]
        for axis, size in enumerate(shape):
            if size == self.size and all(self._by_rows(axis, *one) for one in found):
                for place, array, _ in found:
                    self.strides[place] = strides_of(array)[axis]
                return axis
        raise DependentRows

    def _by_rows(self, axis: int, place: Place, array: Array, moved: Sequence[Any]) -> bool:
        """Whether an array advances by one row along the axis, and stays in the row along others.

        Along others it may also advance from one whole batch to another.
        """
        strides = strides_of(array)
        row = strides[axis]
        batch = row * self.size
        if row <= 0 or self.strides[place] not in (row, None):
            return False
        sizes = zip(array.shape, strides, strict=True)
        within = [(n - 1) * s for k, (n, s) in enumerate(sizes) if k != axis and s % batch]
        within += [offset.most for offset in moved]
        first = place.element(array) % batch
        low = first + sum(s for s in within if s < 0)
        high = first + sum(s for s in within if s > 0)
        return 0 <= low <= high < row


def tiles(rows: int) -> tuple[int, int]:
    """How many tall and how many short tiles (3 and 2 times ROWS) a product of those rows has.

    >>> tiles(10 * ROWS), tiles(3 * ROWS), tiles(2 * ROWS - 1)
    ((2, 2), (1, 0), (0, 1))
    """
    units = -(-rows // ROWS)
    short = -units % 3
    return (units - 2 * short) // 3, short
