"""Put sequences of different lengths into padded, time-major batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_rnn.data.errors import DataError

BATCHES_A_CHUNK = 32
"""Sequences are sorted by length within random chunks of this many batches.

Sorting the whole set would put the same sequences together in every epoch; chunks keep the
batches random while lengths within one stay close.
"""


class Batch(NamedTuple):
    """One padded batch of B sequences, the longest of T steps.

    ``inputs`` is ``(T, B)``, padded with 0 after each sequence; ``lengths``, ``labels`` and
    ``indices`` are ``(B,)``; ``indices`` says where each sequence stood in the whole set.

    >>> batch = next(batches([[1, 2], [3]], [0, 1], batch_size=2, rng=None))
    >>> batch.inputs.shape, batch.lengths, batch.labels, batch.indices
    ((2, 2), array([2, 1]), array([0, 1]), array([0, 1]))
    """

    inputs: NDArray[np.int64]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]


def pad(
    sequences: Sequence[ArrayLike], length: int | None = None, value: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ``(array, lengths)``: integer sequences as the columns of a ``(T, B)`` array.

    ``T`` is ``length``, or that of the longest sequence; ``value`` fills the rest.

    >>> pad([[5, 6, 7], [8]])
    (array([[5, 8],
           [6, 0],
           [7, 0]]), array([3, 1]))
    """
    if len(sequences) == 0:
        raise DataError("nothing to pad: there are no sequences")
    codes, lengths = _end_to_end(sequences)
    steps = int(lengths.max()) if length is None else length
    if steps < lengths.max():
        longest = int(lengths.argmax())
        raise DataError(
            f"sequence {longest} has {lengths[longest]} steps, but length is {length} "
            "(leave length out to fit the longest sequence)"
        )
    return _columns(codes, np.cumsum(lengths) - lengths, lengths, steps, value), lengths


def _end_to_end(sequences: Sequence[ArrayLike]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all sequences in one array, checked, and the length of each."""
    arrays = [_integers(sequence, position) for position, sequence in enumerate(sequences)]
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    codes = np.concatenate([np.empty(0, np.int64), *arrays], dtype=np.int64, casting="unsafe")
    return codes, lengths


def _integers(sequence: ArrayLike, position: int) -> NDArray[np.integer]:
    values = np.asarray(sequence)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
        raise DataError(
            f"sequence {position} has shape {values.shape} and type {values.dtype}, "
            "but must be integers of shape (T,)"
        )
    return values


def _columns(
    codes: NDArray[np.int64],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    steps: int,
    value: int,
) -> NDArray[np.int64]:
    """Return the sequences that start there in `codes`, padded, as columns (steps, B)."""
    step = np.arange(steps)[:, None]
    padded = np.full((steps, len(lengths)), value, dtype=np.int64)
    real = step < lengths
    padded[real] = codes[(starts + step)[real]]
    return padded


def batches(
    sequences: Sequence[ArrayLike],
    labels: Sequence[int] | NDArray[np.int64],
    batch_size: int,
    rng: np.random.Generator | None,
    *,
    by_length: bool = True,
) -> Iterator[Batch]:
    """Yield every sequence exactly once in padded batches; the last one may be smaller.

    With a generator the order is random, and ``by_length`` puts sequences of similar length
    together: less padding is less to compute. With ``rng=None`` the sequences come in their
    order, for evaluation.

    >>> rng = np.random.default_rng(0)
    >>> sequences = [[1], [2, 3], [4], [5, 6, 7]]
    >>> [len(batch.labels) for batch in batches(sequences, [0, 1, 0, 1], 3, rng)]
    [3, 1]
    """
    if batch_size < 1:
        raise DataError(f"batch_size is {batch_size}, but must be at least 1")
    values = np.asarray(labels)
    if values.shape != (len(sequences),):
        raise DataError(
            f"{len(sequences)} sequences, but labels of shape {values.shape} "
            f"(expected one label a sequence, shape ({len(sequences)},))"
        )
    if values.size and values.dtype.kind not in "iu":
        raise DataError(f"labels are of type {values.dtype}, but must be integers")
    codes, lengths = _end_to_end(sequences)
    # The checks run at the call; a generator function would put them off to the first batch.
    chosen = _index_batches(lengths, batch_size, rng, by_length)
    return _padded_batches(codes, lengths, values.astype(np.int64), chosen)


def _padded_batches(
    codes: NDArray[np.int64],
    lengths: NDArray[np.int64],
    labels: NDArray[np.int64],
    index_batches: Sequence[NDArray[np.int64]],
) -> Iterator[Batch]:
    starts = np.cumsum(lengths) - lengths
    for indices in index_batches:
        its = lengths[indices]
        inputs = _columns(codes, starts[indices], its, int(its.max()), value=0)
        yield Batch(inputs, its, labels[indices], indices)


def _index_batches(
    lengths: NDArray[np.int64],
    batch_size: int,
    rng: np.random.Generator | None,
    by_length: bool,
) -> list[NDArray[np.int64]]:
    """Choose which sequences go into which batch, and the order of the batches."""
    if rng is None:
        return _cut(np.arange(len(lengths), dtype=np.int64), batch_size)
    order = rng.permutation(len(lengths)).astype(np.int64)
    if not by_length:
        return _cut(order, batch_size)
    # A chunk is a whole number of batches, so no batch straddles two chunks.
    chunks = _cut(order, batch_size * BATCHES_A_CHUNK)
    sorted_chunks = [chunk[np.argsort(lengths[chunk], kind="stable")] for chunk in chunks]
    chosen = [batch for chunk in sorted_chunks for batch in _cut(chunk, batch_size)]
    # Shuffled, or training would meet the short sequences of each chunk first. A smaller batch
    # stays last.
    full = [batch for batch in chosen if len(batch) == batch_size]
    smaller = [batch for batch in chosen if len(batch) < batch_size]
    return [full[position] for position in rng.permutation(len(full))] + smaller


def _cut(order: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    return [order[start : start + size] for start in range(0, len(order), size)]
