"""Products of tall matrices, computed in blocks of rows that threads share."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from ....ops.shapes import lifting
from ...ir.primitives import summed_product
from ..blas import blas_threads
from ..threads import run_parts

__all__ = ["KERNELS", "dot_in_blocks"]

Array = Any
# The blocks of a product are the same for any number of threads, and so are its bits. A BLAS
# packs the right factor for each block: with smaller blocks that would show.
BLOCK, LOWEST = 512, 128
WORTH = 1 << 24  # multiplications and additions of two blocks, about 0.2 ms


def dot_in_blocks(x: Array, y: Array, out: Array | None = None) -> Array:
    """np.dot of two matrices, on several threads if they are large."""
    (rows, inner), columns = x.shape, y.shape[1]
    count = min(max(2, round(rows / BLOCK)), rows // LOWEST)
    if count < 2 or 2 * rows * inner * columns < WORTH or x.dtype.kind != "f":
        return np.dot(x, y, out)
    if out is None:
        out = np.empty((rows, columns), np.result_type(x, y))
    edges = [rows * k // count for k in range(count + 1)]
    blocks = [partial(np.dot, x[a:b], y, out[a:b]) for a, b in pairwise(edges)]
    if blas_threads() == 1:
        run_parts(blocks)
    else:  # the library has threads of its own for each block
        for block in blocks:
            block()
    return out


# How this backend computes primitives that passes introduce.
KERNELS = {summed_product: partial(lifting.summed_product, dot=dot_in_blocks)}
