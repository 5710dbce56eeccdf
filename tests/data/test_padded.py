"""Padding and batching."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn.data import DataError, PaddedBatches, pad

sequence_lists = st.lists(st.lists(st.integers(1, 99), max_size=12), min_size=1, max_size=40)


def padding_share(lengths: np.ndarray, **options: object) -> float:
    """Return how much of all batches is padding."""
    sequences = [np.ones(length, dtype=np.int64) for length in lengths]
    steps = [
        batch.inputs.size
        for batch in PaddedBatches(sequences, batch_size=16, generator=0, **options)
    ]
    return 1 - lengths.sum() / sum(steps)


@given(sequence_lists, st.integers(-3, 3), st.integers(0, 4))
def test_padded_columns_hold_the_sequences(sequences, value, extra) -> None:
    longest = max(map(len, sequences))
    padded, lengths = pad(sequences, longest + extra, value)
    assert padded.shape == (longest + extra, len(sequences))
    assert lengths.tolist() == [len(sequence) for sequence in sequences]
    for column, sequence in zip(padded.T.tolist(), sequences, strict=True):
        assert column == sequence + [value] * (longest + extra - len(sequence))


def test_pad_fits_the_longest_by_default() -> None:
    padded, lengths = pad([[1], [2, 3, 4]])
    assert padded.tolist() == [[1, 2], [0, 3], [0, 4]]
    assert padded.dtype == lengths.dtype == np.int64


@given(sequence_lists, st.integers(1, 9), st.booleans(), st.integers(0, 99) | st.none())
def test_every_sequence_comes_once_with_its_label_and_length(
    sequences, batch_size, by_length, seed
) -> None:
    labels = np.arange(len(sequences)) * 10
    found = list(
        PaddedBatches(sequences, labels, batch_size=batch_size, generator=seed, by_length=by_length)
    )
    indices = np.concatenate([batch.indices for batch in found])
    assert sorted(indices.tolist()) == list(range(len(sequences)))
    assert all(len(batch.indices) == batch_size for batch in found[:-1])
    assert 1 <= len(found[-1].indices) <= batch_size
    for batch in found:
        assert batch.inputs.shape == (batch.lengths.max(), len(batch.indices))
        np.testing.assert_array_equal(batch.labels, labels[batch.indices])
        for column, length, index in zip(
            batch.inputs.T.tolist(), batch.lengths, batch.indices, strict=True
        ):
            assert column[:length] == sequences[index]
            assert not any(column[length:])


def test_without_a_generator_the_order_is_kept() -> None:
    found = list(PaddedBatches([[1, 1], [2], [3, 3], [4], [5]], batch_size=2))
    assert [batch.indices.tolist() for batch in found] == [[0, 1], [2, 3], [4]]


def test_a_generator_makes_the_order_and_each_epoch_differs() -> None:
    def order(data: PaddedBatches) -> list[int]:
        return np.concatenate([batch.indices for batch in data]).tolist()

    def data() -> PaddedBatches:
        return PaddedBatches([[1]] * 200, batch_size=10, generator=5)

    shuffled = data()
    first, second = order(shuffled), order(shuffled)
    assert first != second
    assert order(data()) == first


def test_batches_by_length_hold_less_padding() -> None:
    lengths = np.random.default_rng(1).integers(1, 20, 2000)
    assert padding_share(lengths, by_length=True) < 0.1
    assert padding_share(lengths, by_length=False) > 0.3


def test_batches_by_length_do_not_come_in_order_of_length() -> None:
    sequences = [[1] * length for length in range(1, 101)]
    found = list(PaddedBatches(sequences, batch_size=4, generator=0))
    longest = [len(batch.inputs) for batch in found]
    assert longest != sorted(longest)


@pytest.mark.parametrize("by_length", [True, False])
def test_batches_mix_differently_each_epoch(by_length: bool) -> None:
    sequences = [[1] * (1 + index % 3) for index in range(64)]
    data = PaddedBatches(sequences, batch_size=4, generator=2, by_length=by_length)
    epochs = [{frozenset(batch.indices.tolist()) for batch in data} for _ in range(2)]
    assert epochs[0] != epochs[1]


def test_no_sequences_are_no_batches() -> None:
    assert list(PaddedBatches([], [], batch_size=4, generator=0)) == []


@pytest.mark.parametrize(
    ("sequences", "labels", "batch_size", "message"),
    [
        ([[1]], [0], 0, "batch_size is 0, but must be at least 1"),
        ([[1], [2]], [0], 1, "2 sequences, but labels of shape (1,) "
         "(expected one label a sequence, shape (2, ...))"),
        ([[1], [[2]]], [0, 0], 1, "sequence 1 has shape (1, 1), but the first one that is not "
         "empty (1,): only the first axis, time, may differ"),
        (["ab"], [0], 1, "sequence 0 has shape () and type <U2, "
         "but must be numbers of shape (T,) or (T, ...)"),
    ],
)  # fmt: skip
def test_batches_report_wrong_arguments_at_the_call(sequences, labels, batch_size, message) -> None:
    with pytest.raises(DataError) as caught:
        PaddedBatches(sequences, labels, batch_size=batch_size)
    assert str(caught.value) == message


def test_nothing_to_pad() -> None:
    with pytest.raises(DataError, match=r"^nothing to pad: there are no sequences$"):
        pad([])


def test_sequence_longer_than_asked() -> None:
    with pytest.raises(DataError, match=r"^sequence 1 has 3 steps, but length is 2 "):
        pad([[1], [1, 2, 3]], length=2)
