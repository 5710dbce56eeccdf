"""The place in the data: saved in the midst of any epoch, it is found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn.data import (
    Batch,
    Batches,
    DataError,
    PaddedBatches,
    TextBatches,
    WindowBatch,
    Windows,
)

SERIES = np.arange(23.0)
SEQUENCES = [np.arange(1 + n % 5) for n in range(17)]


def padded(generator: Any) -> Batches[Any]:
    return PaddedBatches(SEQUENCES, np.arange(17), batch_size=3, generator=generator)


def windows(generator: Any) -> Batches[Any]:
    return Windows(SERIES, 4, horizon=2, batch_size=4, generator=generator)


def text(generator: Any) -> Batches[Any]:
    return TextBatches(np.arange(50), batch_size=3, length=4)


MAKERS = st.sampled_from([padded, windows, text])
GENERATORS = st.integers(0, 5) | st.none()


def flat(batch: Any) -> list[Any]:
    return [np.asarray(part).tolist() for part in batch]


@given(MAKERS, GENERATORS, st.integers(0, 2), st.integers(0, 6))
def test_the_place_is_found_again(make: Any, seed: Any, epochs: int, steps: int) -> None:
    one = make(seed)
    for _ in range(epochs):
        list(one)
    going = iter(one)
    for _ in range(min(steps, len(one))):
        next(going)
    state = one.state_dict()
    rest = [flat(batch) for batch in going]
    later = [flat(batch) for batch in one]
    other = make(None if seed is None else seed + 1)
    other.load_state_dict(state)
    assert [flat(batch) for batch in other] == rest
    assert [flat(batch) for batch in other] == later


def test_the_place_goes_through_a_file(tmp_path: Path) -> None:
    one = padded(np.random.Generator(np.random.MT19937(3)))
    going = iter(one)
    next(going)
    tg.save({"data": one.state_dict()}, tmp_path / "m")
    other = padded(np.random.Generator(np.random.MT19937(4)))
    other.load_state_dict(tg.load(tmp_path / "m")["data"])
    assert [flat(batch) for batch in other] == [flat(batch) for batch in going]


@given(MAKERS, st.integers(0, 5))
def test_the_same_seed_gives_the_same_epochs_and_each_another_order(make: Any, seed: int) -> None:
    one, other = make(seed), make(np.random.default_rng(seed))
    for _ in range(2):
        assert [flat(b) for b in one] == [flat(b) for b in other]


def test_who_else_draws_from_the_generator_does_not_change_the_rest_of_an_epoch() -> None:
    generator = np.random.default_rng(0)
    one, alone = padded(generator), padded(np.random.default_rng(0))
    going = iter(one)
    found = [flat(next(going))]
    generator.random(10)
    assert found + [flat(b) for b in going] == [flat(b) for b in alone]


def test_a_loop_that_was_left_begins_a_new_epoch() -> None:
    one = windows(None)
    next(iter(one))
    assert len(list(one)) == len(one)


def test_states_that_do_not_fit() -> None:
    state = padded(0).state_dict()
    with pytest.raises(DataError, match="6 batches an epoch, but this Windows has 5"):
        windows(0).load_state_dict(state)
    with pytest.raises(DataError, match="has the generator PCG64, not None"):
        padded(None).load_state_dict(state)
    with pytest.raises(DataError, match=r"has \['place'\], not"):
        padded(None).load_state_dict({"place": 0})


# Padded: any kind of step


@given(
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=7),
    step=st.sampled_from([(), (2,), (2, 3)]),
    kind=st.sampled_from(["i8", "f8", "f4", "?"]),
)
def test_steps_of_any_shape_are_padded(lengths: list[int], step: Any, kind: str) -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.integers(1, 9, (length, *step)).astype(kind) for length in lengths]
    (batch,) = PaddedBatches(sequences, batch_size=9, padding=0)
    floating = kind[0] == "f" and any(lengths)
    assert batch.inputs.dtype == (np.float32 if floating else np.int64)
    for column, sequence in enumerate(sequences):
        found = batch.inputs[: len(sequence), column]
        if len(sequence):
            np.testing.assert_array_equal(found, sequence)
        assert not batch.inputs[len(sequence) :, column].any()
    assert batch.labels is None and batch.weight == len(lengths)
    assert isinstance(batch, Batch)


def test_labels_may_be_vectors() -> None:
    labels = np.arange(6.0).reshape(3, 2)
    batches = PaddedBatches([[1], [2], [3]], labels, batch_size=2, generator=0)
    for batch in batches:
        np.testing.assert_array_equal(batch.labels, labels[batch.indices])
        assert batch.labels.dtype == np.float32


# Windows


@given(
    steps=st.integers(2, 30),
    length=st.integers(1, 8),
    horizon=st.integers(1, 4),
    stride=st.integers(1, 5),
    seed=GENERATORS,
)
def test_windows_hold_the_past_and_what_follows(
    steps: int, length: int, horizon: int, stride: int, seed: Any
) -> None:
    series = np.stack([np.arange(steps), -np.arange(steps)], axis=1)
    target = np.arange(steps) * 10.0
    if steps < length + horizon:
        with pytest.raises(DataError, match=f"a series of {steps} steps has no window"):
            Windows(series, length, horizon=horizon, batch_size=2)
        return
    data = Windows(
        series,
        length,
        targets=target,
        horizon=horizon,
        stride=stride,
        batch_size=2,
        generator=seed,
    )
    starts = []
    for batch in data:
        assert isinstance(batch, WindowBatch)
        assert batch.inputs.shape == (length, batch.weight, 2)
        assert batch.targets.shape == (horizon, batch.weight, 1)
        for column, start in enumerate(batch.starts):
            starts.append(start)
            np.testing.assert_array_equal(batch.inputs[:, column], series[start : start + length])
            future = target[start + length : start + length + horizon]
            np.testing.assert_array_equal(batch.targets[:, column, 0], future)
    assert sorted(starts) == list(range(0, steps - length - horizon + 1, stride))


def test_windows_that_cannot_be() -> None:
    with pytest.raises(DataError, match="length is 0"):
        Windows(SERIES, 0, batch_size=1)
    with pytest.raises(DataError, match="the series has 23 steps, but the targets 5"):
        Windows(SERIES, 2, targets=np.ones(5), batch_size=1)
    with pytest.raises(DataError, match=r"series: shape \(2, 2, 2\)"):
        Windows(np.ones((2, 2, 2)), 1, batch_size=1)


# Text


@given(st.integers(2, 60), st.integers(1, 5), st.integers(1, 9))
def test_rows_of_a_text_go_on_from_batch_to_batch(codes: int, rows: int, length: int) -> None:
    steps = (codes - 1) // rows
    if steps < 1:
        with pytest.raises(DataError, match="too short"):
            TextBatches(np.arange(codes), batch_size=rows, length=length)
        return
    batches = list(TextBatches(np.arange(codes), batch_size=rows, length=length))
    inputs = np.concatenate([batch.inputs for batch in batches])
    targets = np.concatenate([batch.targets for batch in batches])
    np.testing.assert_array_equal(inputs.T.ravel(), np.arange(steps * rows))
    np.testing.assert_array_equal(targets, inputs + 1)
    assert [batch.first for batch in batches] == [True] + [False] * (len(batches) - 1)
    assert sum(batch.weight for batch in batches) == steps * rows


def test_a_batch_of_text_is_the_users_own() -> None:
    codes = np.arange(10)
    data = TextBatches(codes, batch_size=2, length=2)
    next(iter(data)).inputs[...] = 0
    assert next(iter(data)).inputs[1, 0] == 1
    with pytest.raises(DataError, match="type float64"):
        TextBatches(np.ones(5), batch_size=1, length=1)
