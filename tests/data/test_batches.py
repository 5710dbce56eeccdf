"""Padding and batching."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn.data import DataError, batches, pad

sequence_lists = st.lists(st.lists(st.integers(1, 99), max_size=12), min_size=1, max_size=40)


def padding_share(lengths: np.ndarray, **options: object) -> float:
    """Return how much of all batches is padding."""
    sequences = [np.ones(length, dtype=np.int64) for length in lengths]
    steps = [
        batch.inputs.size
        for batch in batches(sequences, [0] * len(lengths), 16, np.random.default_rng(0), **options)
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
    rng = None if seed is None else np.random.default_rng(seed)
    found = list(batches(sequences, labels, batch_size, rng, by_length=by_length))
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
    found = list(batches([[1, 1], [2], [3, 3], [4], [5]], [0] * 5, 2, None))
    assert [batch.indices.tolist() for batch in found] == [[0, 1], [2, 3], [4]]


def test_a_generator_makes_the_order_and_each_epoch_differs() -> None:
    sequences = [[1]] * 200

    def order(rng: np.random.Generator) -> list[int]:
        found = batches(sequences, [0] * 200, 10, rng)
        return np.concatenate([batch.indices for batch in found]).tolist()

    rng = np.random.default_rng(5)
    first, second = order(rng), order(rng)
    assert first != second
    assert order(np.random.default_rng(5)) == first


def test_batches_by_length_hold_less_padding() -> None:
    lengths = np.random.default_rng(1).integers(1, 20, 2000)
    assert padding_share(lengths, by_length=True) < 0.1
    assert padding_share(lengths, by_length=False) > 0.3


def test_batches_by_length_do_not_come_in_order_of_length() -> None:
    sequences = [[1] * length for length in range(1, 101)]
    found = list(batches(sequences, [0] * 100, 4, np.random.default_rng(0)))
    longest = [len(batch.inputs) for batch in found]
    assert longest != sorted(longest)


@pytest.mark.parametrize("by_length", [True, False])
def test_batches_mix_differently_each_epoch(by_length: bool) -> None:
    rng = np.random.default_rng(2)
    sequences = [[1] * (1 + index % 3) for index in range(64)]
    epochs = [
        {frozenset(b.indices.tolist()) for b in batches(sequences, [0] * 64, 4, rng,
                                                        by_length=by_length)}
        for _ in range(2)
    ]  # fmt: skip
    assert epochs[0] != epochs[1]


def test_no_sequences_are_no_batches() -> None:
    assert list(batches([], [], 4, np.random.default_rng(0))) == []


@pytest.mark.parametrize(
    ("sequences", "labels", "batch_size", "message"),
    [
        ([[1]], [0], 0, "batch_size is 0, but must be at least 1"),
        ([[1], [2]], [0], 1, "2 sequences, but labels of shape (1,) "
         "(expected one label a sequence, shape (2,))"),
        ([[1], [[2]]], [0, 0], 1, "sequence 1 has shape (1, 1) and type int64, "
         "but must be integers of shape (T,)"),
        ([[1]], [0.5], 1, "labels are of type float64, but must be integers"),
        ([[1.5]], [0], 1, "sequence 0 has shape (1,) and type float64, "
         "but must be integers of shape (T,)"),
    ],
)  # fmt: skip
def test_batches_report_wrong_arguments_at_the_call(sequences, labels, batch_size, message) -> None:
    with pytest.raises(DataError) as caught:
        batches(sequences, labels, batch_size, None)
    assert str(caught.value) == message


def test_nothing_to_pad() -> None:
    with pytest.raises(DataError, match=r"^nothing to pad: there are no sequences$"):
        pad([])


def test_sequence_longer_than_asked() -> None:
    with pytest.raises(DataError, match=r"^sequence 1 has 3 steps, but length is 2 "):
        pad([[1], [1, 2, 3]], length=2)
