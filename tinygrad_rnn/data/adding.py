"""The adding problem: a long-memory task made of random numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinygrad_rnn.data.errors import DataError


def adding_problem(
    steps: int, batch_size: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return ``(x, y)``: sequences ``(T, B, 2)`` and the sums ``(B, 1)`` to predict.

    ``x[..., 0]`` is uniform in [0, 1); ``x[..., 1]`` is 1 at two random steps, one in each half of
    the sequence, and 0 elsewhere. ``y`` is the sum of the two marked values. Always answering 1,
    the mean, gives a mean squared error of 1/6; doing better takes memory.

    After S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8),
    1997, in the form with sequences of one length that later papers use.

    >>> x, y = adding_problem(steps=6, batch_size=4, rng=np.random.default_rng(0))
    >>> x.shape, y.shape
    ((6, 4, 2), (4, 1))
    >>> bool(np.allclose((x[..., 0] * x[..., 1]).sum(axis=0), y[:, 0]))
    True
    """
    if steps < 2:
        raise DataError(f"steps is {steps}, but must be at least 2: one step for each marked value")
    if batch_size < 1:
        raise DataError(f"batch_size is {batch_size}, but must be at least 1")
    values = rng.random((steps, batch_size), dtype=np.float32)
    first = rng.integers(0, steps // 2, batch_size)
    second = rng.integers(steps // 2, steps, batch_size)
    columns = np.arange(batch_size)
    markers = np.zeros_like(values)
    markers[first, columns] = 1.0
    markers[second, columns] = 1.0
    sums = values[first, columns] + values[second, columns]
    return np.stack([values, markers], axis=-1), sums[:, np.newaxis]
