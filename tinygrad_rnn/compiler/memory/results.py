"""Memory of results: what leaves a run lies in memory that earlier results have left.

A large array that is allocated anew costs more to touch for the first time than to fill. A training
step leaves as much memory behind as the next one takes, so that memory is handed from one to the
other: the last array in it that goes gives it back to the pool of idle workspaces.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from .pool import workspaces

__all__ = ["Results", "is_lent"]

Array = Any
_SMALLEST = 1 << 16  # bytes; what is smaller is quick to allocate


class Results:
    """Makes arrays for the results of one program. Whoever holds them, no run writes into them.

    `owner`: the first part of the keys of its memory in the pool.
    """

    def __init__(self, owner: int) -> None:
        self._owner = owner

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array with any content."""
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


def is_lent(array: Any) -> bool:
    """Whether it is an array that some `Results` have made, and no view of one."""
    return isinstance(getattr(array, "base", None), _Loan)


class _Block:
    """Memory that is lent to one result after the other."""

    def __init__(self, memory: Array) -> None:
        self.nbytes = memory.nbytes
        self.place = memory.ctypes.data, False  # its address, and that it may be written to
        self._memory = memory


class _Loan:
    """A block on loan to an array, and to what is a view of it, until the last of them is gone."""

    private = True  # no one else holds the memory: see `engine/recording/guard.py`

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
