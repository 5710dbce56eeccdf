"""The heap: memory that a backward pass frees stays with the process, for the next forward pass."""

from __future__ import annotations

import numpy as np

__all__ = ["keep_freed_memory"]

_MOST_THAT_IS_KEPT = 2**26  # bytes; glibc takes its half as the size of one block at most


def keep_freed_memory() -> None:
    """Let the C library keep up to 64 MB of freed memory instead of giving it back at once.

    An unrolled run holds the arrays of all steps, and its backward pass frees them one by one. By
    default glibc returns the free end of the heap to the system as soon as it is 128 KB long, and
    each page costs a fault when the next forward pass asks for it again: a quarter of the time of
    an LSTM's training step. glibc raises that limit to twice the size of the largest block that
    was ever freed (`man mallopt`, M_MMAP_THRESHOLD), so one block of half the size is allocated,
    not touched, and freed. With any other C library nothing happens.
    """
    np.empty(_MOST_THAT_IS_KEPT // 2 - 2**16, np.uint8)
