"""Chunks: a long sequence is computed chunk by chunk, so that temporary arrays stay small.

A chunk is long enough for large products, and short enough for its arrays to stay in the cache.
Arrays that only one chunk needs at a time serve all chunks; an array that the backward run reads
belongs to one chunk.

With checkpoints these are not kept either, only the state before every few chunks. The backward run
recomputes the chunks from that state when it reaches them. The chunks are the same with and without
checkpoints, so every product has the same shape and every number the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, sqrt
from typing import Any

from ..backends.numpy.executable import Executable
from ..memory.workspace import Workspace

__all__ = ["Sums", "Workspaces", "chunks", "chunks_per_checkpoint"]

# Measured by tests/benchmarks/memory.py and recurrent.py: with fewer rows in a product, or fewer
# elements in a ufunc, the fixed cost of calls and chunks matters.
ROWS = 1024
ELEMENTS = 1 << 16
MOST = 1 << 22  # elements of an array of all steps of a chunk


@lru_cache
def chunks(steps: int, batch: int, elements: int, largest: int = 1) -> tuple[tuple[int, int], ...]:
    """The first step of each chunk, and the one after its last; all but one have the same length.

    `batch`: the rows of a step; `elements`: of all its states together; `largest`: of the largest
    of its values.
    """
    wanted = max(ROWS // max(batch, 1), ELEMENTS // max(elements, 1), 1)
    wanted = min(wanted, max(MOST // max(largest, 1), 1))
    length = ceil(steps / max(1, round(steps / wanted)))
    return tuple((first, min(first + length, steps)) for first in range(0, steps, length))


def chunks_per_checkpoint(checkpoint: int | str | None, steps: int, count: int) -> int:
    """How many of `count` chunks lie between two checkpoints."""
    if checkpoint is None:
        return count
    interval = ceil(sqrt(steps)) if checkpoint == "sqrt" else int(checkpoint)
    return min(max(round(interval * count / steps), 1), count)


class Workspaces:
    """The arrays of a run: for `kept` chunks at a time.

    The arrays of a chunk are those with its number modulo `kept`.
    """

    def __init__(self, forward: Executable, backward: Executable | None, kept: int) -> None:
        self.kept = kept
        self._forward, self._backward = forward, backward
        self._ahead: dict[tuple[int, int], Workspace] = {}
        self._back: dict[tuple[int, int], Workspace] = {}
        self._shared_ahead: dict[Any, Any] = {}
        self._shared_back: dict[Any, Any] = {}
        self._bytes: dict[int, int] = {}  # of each array, by its id
        self.nbytes = 0  # of all

    def ahead(self, number: int, steps: int) -> Workspace:
        """The workspace for the forward run of a chunk of that many steps."""
        place = number % self.kept, steps
        if place not in self._ahead:
            made = self._forward.allocate(steps, None, self._shared_ahead)
            self._ahead[place] = self._counted(made)
        return self._ahead[place]

    def back(self, number: int, steps: int) -> Workspace:
        """The workspace for its backward run."""
        assert self._backward is not None
        place = number % self.kept, steps
        if place not in self._back:
            outer = self.ahead(number, steps).arrays
            made = self._backward.allocate(steps, outer, self._shared_back)
            self._back[place] = self._counted(made)
        return self._back[place]

    def _counted(self, made: Workspace) -> Workspace:
        self._bytes |= made.owners
        self.nbytes = sum(self._bytes.values())
        return made


class Sums:
    """Sums over the chunks; the first arrays belong to the caller and are not written to."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self._added = 0

    def add(self, arrays: Sequence[Any]) -> None:
        """Add each array to its sum; None stands for nothing."""
        if not self._added:
            self.arrays = list(arrays)
        else:
            for k, array in enumerate(arrays):
                if array is not None and self._added == 1:
                    self.arrays[k] = self.arrays[k] + array
                elif array is not None:
                    self.arrays[k] += array
        self._added += 1
