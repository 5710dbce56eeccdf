"""Memory of results: arrays returned by a run reuse the memory of earlier results.

The first write to newly allocated memory causes page faults, which cost more than the write. A
training step frees as much memory as the next one needs, so the blocks are reused: when the last
array that refers to a block is freed, the block returns to the pool of idle workspaces.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from .pool import workspaces

__all__ = ["Results"]

Array = Any
_SMALLEST = 1 << 16  # bytes; smaller arrays are quick to allocate


class Results:
    """Allocates arrays for the results of one program; no run overwrites one still in use.

    `owner`: the first part of the keys of its memory in the pool.
    """

    def __init__(self, owner: int) -> None:
        self._owner = owner

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array of arbitrary content."""
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes < _SMALLEST:
            return np.empty(shape, dtype)
        key = self._owner, nbytes, 0
        block = workspaces.take(key) or _Block(np.empty(nbytes, np.uint8))
        return np.asarray(_Loan(block, shape, dtype, key, self))

    def zeros(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array of zeros."""
        made = self.empty(shape, dtype)
        made.fill(0)
        return made

    def copy(self, array: Array) -> Array:
        """A copy of an array, in the usual memory order."""
        made = self.empty(array.shape, array.dtype)
        made[...] = array
        return made


class _Block:
    """A block of memory that is used for one result after another."""

    def __init__(self, memory: Array) -> None:
        self.nbytes = memory.nbytes
        self.place = memory.ctypes.data, False  # address, and whether it is read-only
        self._memory = memory


class _Loan:
    """Lends a block to an array and its views, until the last of them is freed."""

    private = True  # nothing else refers to the memory: see `engine/recording/guard.py`

    def __init__(
        self,
        block: _Block,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        key: tuple[int, int, int],
        of: Results,
    ) -> None:
        self._block, self._key, self._of = block, key, weakref.ref(of)
        self.__array_interface__ = {
            "version": 3,
            "data": block.place,
            "shape": shape,
            "typestr": dtype.str,
        }

    def __del__(self) -> None:
        if self._of() is not None:
            workspaces.give_back(self._key, self._block)
