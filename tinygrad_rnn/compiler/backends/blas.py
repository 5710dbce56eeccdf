"""The threads of NumPy's matrix products. For small networks one thread is best.

OpenBLAS computes these products with as many threads as there are cores, and its idle threads spin.
At these matrix sizes that gains little, and products take several times as long when other programs
need the cores.
"""

from __future__ import annotations

import ctypes
import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["blas_threads", "one_blas_thread"]

_CHOSEN_BY_USER = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within this context OpenBLAS uses one thread, unless the environment sets their number.

    Does nothing if NumPy uses another library, or if OpenBLAS cannot be found.

    >>> with one_blas_thread():
    ...     pass
    """
    set_threads, get_threads = _openblas("set"), _openblas("get")
    if set_threads is None or get_threads is None or any(map(os.environ.get, _CHOSEN_BY_USER)):
        yield
        return
    before = get_threads()
    set_threads(1)
    try:
        yield
    finally:
        set_threads(before)


def blas_threads() -> int | None:
    """The number of threads that OpenBLAS uses; None if it cannot be determined.

    >>> with one_blas_thread():
    ...     blas_threads() in (1, None) or "chosen by the user"
    True
    """
    get_threads = _openblas("get")
    return None if get_threads is None else get_threads()


@cache
def _openblas(verb: str) -> Callable[..., int] | None:
    """OpenBLAS's function that gets or sets the number of threads, if NumPy is linked to it."""
    try:
        # A handle of NumPy's core also finds symbols of the libraries that it is linked to.
        core = ctypes.CDLL(importlib.import_module("numpy._core._multiarray_umath").__file__)
    except (ImportError, OSError):
        return None
    for name in ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads"):
        found: Callable[..., int] | None = getattr(core, name.format(verb), None)
        if found is not None:
            return found
    return None
