"""The stratified split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_rnn.data import (
    DataError,
    group_split,
    stratified_folds,
    stratified_split,
    time_split,
    walk_forward,
)

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


# By group, by time, in folds


@given(
    groups=st.lists(st.sampled_from("abcdef"), min_size=2, max_size=60),
    share=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_no_group_is_on_both_sides(groups: list[str], share: float, seed: int) -> None:
    if len(set(groups)) == 1:
        with pytest.raises(DataError, match="there is one group only"):
            group_split(groups, share, seed)
        return
    train, held_out = group_split(groups, share, seed)
    assert sorted([*train, *held_out]) == list(range(len(groups)))
    assert len(train) and len(held_out)
    names = np.array(groups)
    assert not set(names[train]) & set(names[held_out])
    again = group_split(groups, share, seed)
    np.testing.assert_array_equal(held_out, again[1])


def test_groups_come_near_the_share() -> None:
    groups = np.repeat(np.arange(50), 4)
    assert len(group_split(groups, 0.3, seed=1)[1]) == 60


@given(st.integers(1, 200), st.floats(0.01, 0.99), st.integers(0, 30))
def test_what_is_held_out_is_later_and_a_gap_apart(steps: int, share: float, gap: int) -> None:
    try:
        train, held_out = time_split(steps, share, gap)
    except DataError as error:
        assert str(steps) in str(error)
        assert round(steps * share) in range(0, 1) or steps - round(steps * share) - gap < 1
        return
    assert train[0] == 0 and held_out[-1] == steps - 1
    assert held_out[0] - train[-1] == gap + 1
    assert len(held_out) == round(steps * share)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=50), st.integers(2, 6), st.integers(0, 9))
def test_folds_hold_everything_out_once_and_spread_each_class(
    labels: list[int], folds: int, seed: int
) -> None:
    if folds > len(labels):
        with pytest.raises(DataError, match=f"folds is {folds}"):
            stratified_folds(labels, folds, seed)
        return
    found = stratified_folds(labels, folds, seed)
    held_out = np.concatenate([fold for _, fold in found])
    assert sorted(held_out) == list(range(len(labels)))
    values = np.array(labels)
    for label in set(labels):
        counts = [int(np.sum(values[fold] == label)) for _, fold in found]
        assert max(counts) - min(counts) <= 1
    for train, fold in found:
        assert sorted([*train, *fold]) == list(range(len(labels)))


@given(st.integers(4, 200), st.integers(1, 8), st.integers(0, 9), st.booleans())
def test_walking_forward_never_looks_ahead(
    steps: int, folds: int, gap: int, expanding: bool
) -> None:
    try:
        found = walk_forward(steps, folds, gap=gap, expanding=expanding)
    except DataError:
        assert steps // 2 - gap < 2 or steps - steps // 2 < folds + 1
        return
    assert len(found) == folds
    together = np.concatenate([held_out for _, held_out in found])
    np.testing.assert_array_equal(together, np.arange(round(steps * 0.5), steps))
    for train, held_out in found:
        assert len(train) and len(held_out)
        assert held_out[0] - train[-1] == gap + 1
        assert (train[0] == 0) if expanding else (len(train) == len(found[0][0]))
