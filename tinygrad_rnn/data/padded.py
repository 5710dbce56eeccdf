"""Sequences of different lengths as padded, time-major batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_rnn.data.batches import Batches, Randomness
from tinygrad_rnn.data.errors import DataError

__all__ = ["Batch", "PaddedBatches", "pad"]

BATCHES_A_CHUNK = 32
"""Sequences are sorted by length within random chunks of this many batches.

Sorting the whole set would put the same sequences together in every epoch; chunks keep the
batches random while lengths within one stay close.
"""

Indices = NDArray[np.int64]


class Batch(NamedTuple):
    """One padded batch of B sequences, the longest of T steps.

    ``inputs`` is ``(T, B)``, or ``(T, B, ...)`` if a step is a vector or an image, padded after
    each sequence; ``lengths`` and ``indices`` are ``(B,)``, ``labels`` ``(B, ...)``, or None if
    there are none. ``indices`` are the positions of the sequences in the whole set. ``weight`` is
    B.

    >>> batch = next(iter(PaddedBatches([[1, 2], [3]], [0, 1], batch_size=2)))
    >>> batch.inputs.shape, batch.lengths, batch.labels, batch.indices, batch.weight
    ((2, 2), array([2, 1]), array([0, 1]), array([0, 1]), 2)
    """

    inputs: NDArray[Any]
    lengths: Indices
    labels: Any
    indices: Indices

    @property
    def weight(self) -> int:
        """The number of sequences in the batch: its weight in the mean of an epoch."""
        return len(self.lengths)


class PaddedBatches(Batches[Batch]):
    """Every sequence once per epoch, in padded batches; the last one may be smaller.

    ``sequences``: N arrays, each ``(T,)`` (such as codes of letters) or ``(T, ...)``, of any
    lengths. ``labels``: an array ``(N, ...)``, if there are any. ``generator`` (or a seed): the
    order is shuffled in each epoch, and ``by_length`` puts sequences of similar length in the same
    batch, which reduces padding. None: the given order, for evaluation. ``padding`` fills the
    shorter sequences. Integers become int64, all else ``dtype``.

    DataError if the arguments do not fit. See `Batches` for resuming within an epoch.

    >>> sequences = [[1], [2, 3], [4], [5, 6, 7]]
    >>> data = PaddedBatches(sequences, [0, 1, 0, 1], batch_size=3, generator=0)
    >>> len(data), [len(batch.labels) for batch in data]
    (2, [3, 1])
    """

    def __init__(
        self,
        sequences: Sequence[ArrayLike],
        labels: ArrayLike | None = None,
        *,
        batch_size: int,
        generator: Randomness = None,
        by_length: bool = True,
        padding: float = 0,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(generator)
        if batch_size < 1:
            raise DataError(f"batch_size is {batch_size}, but must be at least 1")
        self._labels = None if labels is None else np.asarray(labels)
        if self._labels is not None and self._labels.shape[:1] != (len(sequences),):
            raise DataError(
                f"{len(sequences)} sequences, but labels of shape {self._labels.shape} "
                f"(expected one label a sequence, shape ({len(sequences)}, ...))"
            )
        if self._labels is not None and self._labels.dtype.kind == "f":
            self._labels = self._labels.astype(dtype)
        self._steps, self.lengths = _end_to_end(sequences, dtype)
        self._starts = np.cumsum(self.lengths) - self.lengths
        self.batch_size, self._by_length, self._padding = batch_size, by_length, padding

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def order(self, rng: np.random.Generator | None) -> list[Indices]:
        """The indices of the sequences in each batch, batches in order."""
        count, size = len(self.lengths), self.batch_size
        if rng is None:
            return _cut(np.arange(count, dtype=np.int64), size)
        order = rng.permutation(count).astype(np.int64)
        if not self._by_length:
            return _cut(order, size)
        # A chunk is a whole number of batches, so no batch straddles two chunks.
        chunks = _cut(order, size * BATCHES_A_CHUNK)
        by_length = [chunk[np.argsort(self.lengths[chunk], kind="stable")] for chunk in chunks]
        chosen = [batch for chunk in by_length for batch in _cut(chunk, size)]
        # Shuffled, or training would meet the short sequences of each chunk first. A smaller
        # batch stays last.
        full = [batch for batch in chosen if len(batch) == size]
        smaller = [batch for batch in chosen if len(batch) < size]
        return [full[position] for position in rng.permutation(len(full))] + smaller

    def batch(self, key: Indices) -> Batch:
        """The sequences of these indices."""
        its = self.lengths[key]
        inputs = _columns(self._steps, self._starts[key], its, int(its.max()), self._padding)
        return Batch(inputs, its, None if self._labels is None else self._labels[key], key)


def pad(
    sequences: Sequence[ArrayLike],
    length: int | None = None,
    value: float = 0,
    dtype: Any = "float32",
) -> tuple[NDArray[Any], Indices]:
    """Return ``(array, lengths)``: sequences as the columns of a ``(T, B, ...)`` array.

    ``T`` is ``length``, or that of the longest sequence; ``value`` fills the rest. Integers become
    int64, all else ``dtype``.

    >>> pad([[5, 6, 7], [8]])
    (array([[5, 8],
           [6, 0],
           [7, 0]]), array([3, 1]))
    """
    if len(sequences) == 0:
        raise DataError("nothing to pad: there are no sequences")
    values, lengths = _end_to_end(sequences, dtype)
    steps = int(lengths.max()) if length is None else length
    if steps < lengths.max():
        longest = int(lengths.argmax())
        raise DataError(
            f"sequence {longest} has {lengths[longest]} steps, but length is {length} "
            "(leave length out to fit the longest sequence)"
        )
    return _columns(values, np.cumsum(lengths) - lengths, lengths, steps, value), lengths


def _end_to_end(sequences: Sequence[ArrayLike], dtype: Any) -> tuple[NDArray[Any], Indices]:
    """All sequences in one array (sum of T, ...), checked, and the length of each."""
    arrays = [np.asarray(sequence) for sequence in sequences]
    filled = [array for array in arrays if array.size] or [np.empty(0, np.int64)]
    step = filled[0].shape[1:]
    for position, array in enumerate(arrays):
        if array.ndim == 0 or array.dtype.kind not in "biuf":
            raise DataError(
                f"sequence {position} has shape {array.shape} and type {array.dtype}, "
                "but must be numbers of shape (T,) or (T, ...)"
            )
        if array.size and array.shape[1:] != step:
            raise DataError(
                f"sequence {position} has shape {array.shape}, but the first one that is not "
                f"empty {filled[0].shape}: only the first axis, time, may differ"
            )
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    integers = all(array.dtype.kind in "biu" for array in filled)
    joined = np.concatenate(filled, dtype=np.int64 if integers else dtype, casting="unsafe")
    return joined, lengths


def _columns(
    values: NDArray[Any], starts: Indices, lengths: Indices, steps: int, padding: float
) -> NDArray[Any]:
    """The sequences that start there in `values`, padded, as columns (steps, B, ...)."""
    step = np.arange(steps)[:, None]
    padded = np.full((steps, len(lengths), *values.shape[1:]), padding, dtype=values.dtype)
    real = step < lengths
    padded[real] = values[(starts + step)[real]]
    return padded


def _cut(order: Indices, size: int) -> list[Indices]:
    return [order[start : start + size] for start in range(0, len(order), size)]
