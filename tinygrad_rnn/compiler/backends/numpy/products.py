"""Large products of matrices, computed in blocks that threads share."""

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
# The blocks of a product, and so its bits, are the same for any number of threads. BLAS packs both
# factors of each block; with smaller blocks this cost would matter.
BLOCK, LOWEST = 512, 128
MOST_SUMMED = 2  # blocks whose products are summed: each needs an array as large as the result
WORTH = 1 << 24  # operations in two blocks, about 0.2 ms


def dot_in_blocks(x: Array, y: Array, out: Array | None = None) -> Array:
    """np.dot of two matrices, on several threads if they are large.

    The axis of x that is outermost in memory is split, because NumPy would copy other parts. These
    are its rows or, if x is a transpose, the inner axis, as in the gradient of weights, which sums
    over steps.
    """
    (rows, inner), columns = x.shape, y.shape[1]
    if 2 * rows * inner * columns < WORTH or x.dtype.kind != "f":
        return np.dot(x, y, out)
    by_rows = x.strides[0] >= x.strides[1]
    length = rows if by_rows else inner
    count = min(max(2, round(length / BLOCK)), length // LOWEST)
    if count < 2:
        return np.dot(x, y, out)
    if out is None:
        out = np.empty((rows, columns), np.result_type(x, y))
    if by_rows:
        edges = _edges(rows, count)
        _compute([partial(np.dot, x[a:b], y, out[a:b]) for a, b in edges])
        return out
    edges = _edges(inner, min(count, MOST_SUMMED))
    parts = [out, *(np.empty_like(out) for _ in edges[1:])]
    _compute([partial(np.dot, x[:, a:b], y[a:b], p) for (a, b), p in zip(edges, parts)])
    for part in parts[1:]:  # in this order, whichever thread computed them
        out += part
    return out


def _edges(length: int, count: int) -> list[tuple[int, int]]:
    return list(pairwise(length * k // count for k in range(count + 1)))


def _compute(blocks: list[Any]) -> None:
    if blas_threads() == 1:
        run_parts(blocks)
    else:  # the library has its own threads for each block
        for block in blocks:
            block()


# How this backend computes primitives that passes introduce.
KERNELS = {summed_product: partial(lifting.summed_product, dot=dot_in_blocks)}
