"""Place: a region of memory that a compiled step reads or writes."""

from __future__ import annotations

from typing import Any

from numpy.lib.array_utils import byte_bounds

from .expressions import CannotCompile

__all__ = ["Place", "address_of", "strides_of"]

Array = Any


class Place:
    """Memory of one dtype that a step reads or writes, advancing by `stride` bytes per step.

    In a run it starts `offset` bytes before the array of `source`, which is a value or an array.
    """

    def __init__(self, source: Any, step: Array, stride: int) -> None:
        self.source, self.dtype, self.stride = source, step.dtype, stride
        self.low, self.high = byte_bounds(step)
        self.offset = address_of(step) - self.low
        self.name = ""

    def address(self, array: Array, backwards: bool) -> int:
        """The address at the first step that runs, given the array of its source."""
        first = array[-1 if backwards else 0, ...] if self.stride else array
        return address_of(first) - self.offset

    def element(self, array: Array) -> int:
        """The offset of an array's first element in this memory, in elements."""
        low, high = byte_bounds(array)
        if low < self.low or high > self.high:
            raise CannotCompile("elements that are not where they should be")
        return (address_of(array) - self.low) // int(array.itemsize)


def address_of(array: Array) -> int:
    """The address of its first element."""
    return int(array.__array_interface__["data"][0])


def strides_of(array: Array) -> list[int]:
    """In elements; 0 along an axis of size 1."""
    return [
        s // array.itemsize if n > 1 else 0 for s, n in zip(array.strides, array.shape, strict=True)
    ]
