"""Windows of one long series: the past as input, and the future to forecast."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_rnn.data.batches import Batches, Randomness
from tinygrad_rnn.data.errors import DataError

__all__ = ["WindowBatch", "Windows"]

Indices = NDArray[np.int64]


class WindowBatch(NamedTuple):
    """A batch of B windows: ``inputs`` ``(T, B, F)`` and what follows, ``targets`` ``(H, B, K)``.

    ``starts`` ``(B,)``: the step of the series at which each window begins. ``weight`` is B.

    >>> batch = next(iter(Windows(np.arange(6.0), 3, batch_size=2)))
    >>> batch.inputs[:, 0, 0], batch.targets[:, 0, 0], batch.starts, batch.weight
    (array([0., 1., 2.], dtype=float32), array([3.], dtype=float32), array([0, 1]), 2)
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    starts: Indices

    @property
    def weight(self) -> int:
        """The number of windows in the batch: its weight in the mean of an epoch."""
        return len(self.starts)


class Windows(Batches[WindowBatch]):
    """All windows of ``length`` steps of a series, each with the ``horizon`` steps after it.

    ``series``: ``(N,)`` or ``(N, F)``; ``targets`` ``(N, K)`` at the same times, unless the series
    itself is to be forecast. The window that begins at ``s`` reads ``series[s : s + length]`` and
    predicts ``targets[s + length : s + length + horizon]``. Windows begin every ``stride`` steps.
    ``generator`` (or a seed): the order is random; None: it is chronological. The last batch may be
    smaller. Arrays are cast to ``dtype``.

    A window never extends past the end of its series. So split the series first (`time_split`) and
    cut windows from each part: then training sees no held-out target.

    DataError if the arguments do not fit, or the series is too short for one window.

    >>> train = Windows(np.sin(np.arange(100)), 20, horizon=5, batch_size=32, generator=0)
    >>> len(train), next(iter(train)).inputs.shape
    (3, (20, 32, 1))
    """

    def __init__(
        self,
        series: ArrayLike,
        length: int,
        *,
        targets: ArrayLike | None = None,
        horizon: int = 1,
        stride: int = 1,
        batch_size: int,
        generator: Randomness = None,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(generator)
        sizes = {"length": length, "horizon": horizon, "stride": stride, "batch_size": batch_size}
        for name, size in sizes.items():
            if size < 1:
                raise DataError(f"{name} is {size}, but must be at least 1")
        self._series = _columns("series", series, dtype)
        self._targets = self._series if targets is None else _columns("targets", targets, dtype)
        steps = len(self._series)
        if len(self._targets) != steps:
            raise DataError(f"the series has {steps} steps, but the targets {len(self._targets)}")
        if steps < length + horizon:
            raise DataError(
                f"a series of {steps} steps has no window of {length} with a horizon of {horizon}"
            )
        self.starts = np.arange(0, steps - length - horizon + 1, stride, dtype=np.int64)
        self.length, self.horizon, self.batch_size = length, horizon, batch_size

    def __len__(self) -> int:
        return -(-len(self.starts) // self.batch_size)

    def order(self, rng: np.random.Generator | None) -> list[Indices]:
        """The starts of the windows of each batch."""
        starts = self.starts if rng is None else rng.permutation(self.starts)
        size = self.batch_size
        return [starts[start : start + size] for start in range(0, len(starts), size)]

    def batch(self, key: Indices) -> WindowBatch:
        """The windows that begin there."""
        past = np.arange(self.length)[:, None] + key
        future = np.arange(self.length, self.length + self.horizon)[:, None] + key
        return WindowBatch(self._series[past], self._targets[future], key)


def _columns(name: str, values: ArrayLike, dtype: Any) -> NDArray[Any]:
    """A series as an array (N, F) of floating numbers."""
    found = np.asarray(values)
    if found.ndim not in (1, 2) or found.dtype.kind not in "biuf":
        raise DataError(
            f"{name}: shape {found.shape} and type {found.dtype}, "
            "but must be numbers of shape (N,) or (N, F)"
        )
    return found.reshape(len(found), -1).astype(dtype)
