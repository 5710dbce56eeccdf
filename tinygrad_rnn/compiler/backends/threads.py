"""Threads: how many run the loops of scans and the products outside them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from queue import SimpleQueue

__all__ = ["get_num_threads", "ranges", "run_parts", "set_num_threads"]

_VARIABLE = "OMP_NUM_THREADS"
_chosen: int | None = None


def set_num_threads(threads: int) -> None:
    """Set how many threads one scan may use, in this process.

    The rows of a batch are divided among them: each thread runs the compiled loop over time for its
    own rows (executor "llvm"), and computes blocks of the products before and after the loop (both
    executors). Results have the same bits for any number of threads. A scan too small to gain from
    a second thread runs on one. With 1, no thread is ever started.

    NumPy's own products may use threads as well: set OPENBLAS_NUM_THREADS=1 before Python starts,
    so that they do not compete for the cores. ValueError for less than 1, TypeError for a value
    that is not an integer.

    >>> import tinygrad_rnn as tg
    >>> before = tg.get_num_threads()
    >>> tg.set_num_threads(1)
    >>> tg.get_num_threads()
    1
    >>> tg.set_num_threads(before)
    """
    global _chosen
    if not isinstance(threads, int) or isinstance(threads, bool):
        raise TypeError(f"set_num_threads takes a whole number, not {threads!r}")
    if threads < 1:
        raise ValueError(f"set_num_threads takes at least 1, not {threads}")
    _chosen = threads


def get_num_threads() -> int:
    """How many threads one scan may use: see `set_num_threads`.

    Unless set, the value of the environment variable OMP_NUM_THREADS or, without it, the number of
    cores that this process may use. ValueError if the variable is not a number of threads.

    >>> import tinygrad_rnn as tg
    >>> tg.get_num_threads() >= 1
    True
    """
    global _chosen
    if _chosen is None:
        _chosen = _of_environment()
    return _chosen


def _of_environment() -> int:
    given = os.environ.get(_VARIABLE, "").partition(",")[0].strip()  # the first of nested levels
    if not given:
        return _cores()
    if not given.isdigit() or not int(given):
        raise ValueError(f"{_VARIABLE} is {given!r}, but should be a number of threads")
    return int(given)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ranges(size: int, unit: int, least: int) -> list[tuple[int, int]]:
    """`size` rows divided among threads: ranges of at least `least`, from multiples of `unit`.

    >>> before = get_num_threads()
    >>> set_num_threads(2)
    >>> ranges(10, 4, 4), ranges(7, 4, 4)
    ([(0, 4), (4, 10)], [(0, 7)])
    >>> set_num_threads(before)
    """
    count = max(1, min(get_num_threads(), size // least))
    edges = [size * k // count // unit * unit for k in range(count)]
    return list(zip(edges, [*edges[1:], size]))


def run_parts(parts: Sequence[Callable[[], object]]) -> None:
    """Call each part once, on this thread and on those of the pool; return when all are done.

    This thread takes parts like the others, so it never waits for a part that no thread has begun.
    Scans of several threads may run at once, or one scan inside a part of another. The first error
    of a part is raised after all parts have ended.
    """
    waiting = deque(parts)
    ended: SimpleQueue[BaseException | None] = SimpleQueue()

    def work() -> None:
        while waiting:
            try:
                part = waiting.popleft()
            except IndexError:  # another thread was quicker
                return
            try:
                part()
            except BaseException as error:
                ended.put(error)
            else:
                ended.put(None)

    helpers = min(len(parts), get_num_threads()) - 1
    begun = [_pool(get_num_threads() - 1).submit(copy_context().run, work) for _ in range(helpers)]
    work()
    errors = [ended.get() for _ in parts]
    for one in begun:
        one.cancel()
    for error in errors:
        if error is not None:
            raise error


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="tinygrad_rnn")


if hasattr(os, "register_at_fork"):  # a child process has none of the threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
