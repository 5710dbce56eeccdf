"""The stratified split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn.data import DataError, stratified_split

# Sizes of the classes; labels need not start at 0 nor come in order.
class_sizes = st.dictionaries(st.integers(0, 20), st.integers(2, 30), min_size=1, max_size=6)
shares = st.floats(0.01, 0.99)


@given(class_sizes, shares, st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_every_item_is_on_one_side_and_each_class_on_both(sizes, share, seed, random) -> None:
    labels = [label for label, size in sizes.items() for _ in range(size)]
    random.shuffle(labels)
    train, held_out = stratified_split(labels, share, seed)
    assert sorted([*train, *held_out]) == list(range(len(labels)))
    values = np.array(labels)
    for label, size in sizes.items():
        count = int((values[held_out] == label).sum())
        assert 1 <= count <= size - 1
        assert count in {round(size * share), 1, size - 1}


@given(class_sizes, st.integers(0, 1000))
def test_the_same_seed_splits_the_same(sizes, seed) -> None:
    labels = np.repeat(list(sizes), list(sizes.values()))
    once, again = stratified_split(labels, 0.3, seed), stratified_split(labels, 0.3, seed)
    for left, right in zip(once, again, strict=True):
        np.testing.assert_array_equal(left, right)


def test_another_seed_splits_differently() -> None:
    labels = [0] * 50 + [1] * 50
    held_out = [tuple(stratified_split(labels, 0.2, seed)[1]) for seed in range(3)]
    assert len(set(held_out)) == 3


def test_the_share_is_rounded_a_class_and_indices_are_sorted() -> None:
    labels = np.array([0] * 10 + [1] * 4 + [2] * 2)
    train, held_out = stratified_split(labels, 0.2, seed=3)
    assert np.bincount(labels[held_out]).tolist() == [2, 1, 1]
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(held_out) > 0)
    assert train.dtype == held_out.dtype == np.int64


def test_class_with_one_item() -> None:
    with pytest.raises(DataError, match=r"^class 7 has one item only, but each class needs at"):
        stratified_split([3, 3, 7])


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 20, float("nan")])
def test_share_outside_zero_to_one(share: float) -> None:
    with pytest.raises(DataError, match=rf"^held_out is {share}, but must be between 0 and 1"):
        stratified_split([0, 0, 1, 1], share)


@pytest.mark.parametrize(("labels", "shape"), [([], r"\(0,\)"), ([[0, 0]], r"\(1, 2\)")])
def test_labels_of_wrong_shape(labels: list[int], shape: str) -> None:
    with pytest.raises(DataError, match=f"^labels have shape {shape}, but must be one label"):
        stratified_split(labels)
