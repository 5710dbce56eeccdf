"""The pool of idle workspaces: one for the process, with one bound.

A training step reuses the arrays of the previous step. Between two steps these arrays are idle,
like those of other batch sizes and lengths. The least recently used are freed first.
"""

from __future__ import annotations

import os
from typing import Any, Protocol, TypeAlias

__all__ = ["get_workspace_limit", "set_workspace_limit", "workspaces"]

Key: TypeAlias = tuple[
    int, int, int
]  # the owner, the number of steps, and the chunks that are kept

_VARIABLE = "TINYGRAD_RNN_WORKSPACE_LIMIT"
_DEFAULT = 1 << 29


def set_workspace_limit(nbytes: int) -> None:
    """Bound the memory of idle arrays that scans keep for reuse, in bytes, for this process.

    The default is 512 MiB, or the environment variable TINYGRAD_RNN_WORKSPACE_LIMIT. With 0, every
    run allocates new arrays. Arrays in use do not count. ValueError if it is negative.

    >>> import tinygrad_rnn as tg
    >>> tg.set_workspace_limit(1 << 30)
    >>> tg.get_workspace_limit()
    1073741824
    >>> tg.set_workspace_limit(1 << 29)
    """
    if nbytes < 0:
        raise ValueError(f"the memory limit must be at least 0 bytes, got {nbytes}")
    workspaces.limit = int(nbytes)
    workspaces.shrink()


def get_workspace_limit() -> int:
    """The bound on the memory of idle arrays, in bytes; see `set_workspace_limit`.

    >>> import tinygrad_rnn as tg
    >>> tg.get_workspace_limit()
    536870912
    """
    return workspaces.limit


class Workspaces(Protocol):
    """The arrays of a run, or memory for one result."""

    @property
    def nbytes(self) -> int:
        """The bytes of each block of memory; they do not change while the arrays are idle."""
        ...


class Pool:
    """Idle workspaces by their purpose; at most `limit` bytes in total.

    There is no lock, because the garbage collector may return workspaces in the middle of any of
    these methods, in any thread. Each list operation is atomic and tolerates that another thread
    took an entry first. The running count of bytes is not atomic, so the bytes are counted again
    before anything is freed.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._idle: list[tuple[Key, Any]] = []  # the most recently returned at the end
        self._count = 0  # of bytes, about

    @property
    def nbytes(self) -> int:
        """The memory of all idle workspaces."""
        return sum(held.nbytes for _, held in list(self._idle))

    def take(self, key: Key) -> Any:
        """Workspaces for that key, now reserved for the caller; None if there are none."""
        for entry in reversed(list(self._idle)):
            if entry[0] == key and self._removed(entry):
                self._count -= entry[1].nbytes
                return entry[1]
        self._count = self.nbytes
        return None

    def give_back(self, key: Key, held: Workspaces) -> None:
        """Keep the workspaces of a finished run, if the limit allows it."""
        self._idle.append((key, held))
        self._count += held.nbytes
        if self._count > self.limit:
            self.shrink()

    def drop(self, owner: int) -> None:
        """Free the workspaces whose key begins with `owner`."""
        for entry in list(self._idle):
            if entry[0][0] == owner:
                self._removed(entry)

    def shrink(self) -> None:
        """Free the least recently used workspaces until the rest is within the limit."""
        while (count := self.nbytes) > self.limit:
            for entry in self._idle[:1]:
                self._removed(entry)
        self._count = count

    def _removed(self, entry: tuple[Key, Workspaces]) -> bool:
        try:
            self._idle.remove(entry)
        except ValueError:  # another thread was faster
            return False
        return True


def _limit_of_environment() -> int:
    given = os.environ.get(_VARIABLE)
    if not given:
        return _DEFAULT
    if not given.isdigit():
        raise ValueError(f"{_VARIABLE} is {given!r}, but should be a number of bytes")
    return int(given)


workspaces = Pool(_limit_of_environment())
