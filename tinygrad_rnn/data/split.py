"""Splits into training and held-out data, without leakage between the two.

`stratified_split` divides each class in the same proportion, `group_split` keeps items that belong
together on one side, and `time_split` holds out what is later than the training data. For
cross-validation: `stratified_folds`, and `walk_forward` through time. All return sorted indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_rnn.data.errors import DataError

__all__ = [
    "group_split",
    "stratified_folds",
    "stratified_split",
    "time_split",
    "walk_forward",
]

Indices = NDArray[np.int64]
Split = tuple[Indices, Indices]


def stratified_split(
    labels: Sequence[int] | NDArray[np.int64], held_out: float = 0.2, seed: int = 0
) -> Split:
    """Return ``(train_indices, held_out_indices)``, both sorted, the same for the same seed.

    The fraction ``held_out`` of each class, rounded, is held out, with at least one item on each
    side.

    >>> labels = np.array([0] * 10 + [1] * 5)
    >>> train, held_out = stratified_split(labels, held_out=0.2, seed=0)
    >>> np.bincount(labels[train]), np.bincount(labels[held_out])
    (array([8, 4]), array([2, 1]))
    """
    _check_share(held_out)
    values = _one_each("labels", labels)
    rng = np.random.default_rng(seed)
    is_held_out = np.zeros(len(values), dtype=bool)
    for label in np.unique(values):
        members = np.flatnonzero(values == label)
        if len(members) < 2:
            raise DataError(
                f"class {label} has one item only, but each class needs at least two: "
                "one to train on and one to hold out"
            )
        count = min(max(round(len(members) * held_out), 1), len(members) - 1)
        is_held_out[rng.permutation(members)[:count]] = True
    return _sides(is_held_out)


def group_split(groups: ArrayLike, held_out: float = 0.2, seed: int = 0) -> Split:
    """Hold out whole groups, so that no speaker, patient or writer is on both sides.

    ``groups``: (N,), the group of each item, numbers or strings. Groups are drawn until they hold
    the fraction ``held_out`` of the items, as closely as whole groups allow; at least one is on
    each side.

    >>> speakers = np.array(["ann", "bob", "ann", "cid", "bob", "dan", "cid", "dan"])
    >>> train, held_out = group_split(speakers, held_out=0.25, seed=0)
    >>> set(speakers[train]) & set(speakers[held_out])
    set()
    """
    _check_share(held_out)
    values = _one_each("groups", groups)
    names, group_of, sizes = np.unique(values, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise DataError(f"there is one group only, {names[0]}: one can be on one side only")
    order = np.random.default_rng(seed).permutation(len(names))
    missed = np.abs(np.cumsum(sizes[order])[:-1] - held_out * len(values))
    chosen = order[: int(missed.argmin()) + 1]
    return _sides(np.isin(group_of, chosen))


def time_split(steps: int, held_out: float = 0.2, gap: int = 0) -> Split:
    """Hold out the end of a series of ``steps`` steps; the ``gap`` steps before it are dropped.

    All held-out steps are later than the training steps. If targets lie h steps ahead, a gap of h
    keeps the last training targets out of the held-out steps.

    >>> train, held_out = time_split(10, held_out=0.3, gap=2)
    >>> train, held_out
    (array([0, 1, 2, 3, 4]), array([7, 8, 9]))
    """
    _check_share(held_out)
    start = steps - round(steps * held_out)
    if gap < 0 or start - gap < 1 or start >= steps:
        raise DataError(
            f"{steps} steps cannot be split with {held_out} of them held out and a gap of {gap}"
        )
    return np.arange(start - gap, dtype=np.int64), np.arange(start, steps, dtype=np.int64)


def stratified_folds(labels: ArrayLike, folds: int = 10, seed: int = 0) -> list[Split]:
    """Splits for cross-validation: every item is held out once, every class spread evenly.

    >>> labels = np.array([0] * 6 + [1] * 4)
    >>> for train, held_out in stratified_folds(labels, folds=2):
    ...     print(np.bincount(labels[train]), np.bincount(labels[held_out]))
    [3 2] [3 2]
    [3 2] [3 2]
    """
    values = _one_each("labels", labels)
    if not 2 <= folds <= len(values):
        raise DataError(f"folds is {folds}, but must be from 2 to {len(values)}, the items")
    rng = np.random.default_rng(seed)
    # Class after class, each in random order, dealt out like cards.
    dealt = np.concatenate(
        [rng.permutation(np.flatnonzero(values == x)) for x in np.unique(values)]
    )
    fold_of = np.empty(len(values), dtype=np.int64)
    fold_of[dealt] = np.arange(len(values)) % folds
    return [_sides(fold_of == fold) for fold in range(folds)]


def walk_forward(
    steps: int, folds: int = 5, *, gap: int = 0, first: float = 0.5, expanding: bool = True
) -> list[Split]:
    """Splits through time: train on the past, hold out the block that follows, move on.

    The first ``first`` of the series is never held out; the rest is cut into ``folds`` blocks,
    which are held out one after the other. Each fold trains on everything before its block except
    for ``gap`` steps or, with ``expanding=False``, on as many steps as the first fold.

    >>> for train, held_out in walk_forward(10, folds=2, first=0.6, gap=1):
    ...     print(train, held_out)
    [0 1 2 3 4] [6 7]
    [0 1 2 3 4 5 6] [8 9]
    """
    _check_share(first)
    start = round(steps * first)
    if folds < 1 or gap < 0 or start - gap < 1 or steps - start < folds:
        raise DataError(
            f"{steps} steps cannot be split into {folds} folds with a gap of {gap} after "
            f"the first {first}"
        )
    bounds = np.linspace(start, steps, folds + 1).round().astype(int).tolist()
    return [
        (
            np.arange(0 if expanding else begin - start, begin - gap, dtype=np.int64),
            np.arange(begin, end, dtype=np.int64),
        )
        for begin, end in pairwise(bounds)
    ]


def _check_share(share: float) -> None:
    if not 0.0 < share < 1.0:
        raise DataError(f"held_out is {share}, but must be between 0 and 1, such as 0.2")


def _one_each(what: str, values: Any) -> NDArray[Any]:
    found = np.asarray(values)
    if found.ndim != 1 or len(found) == 0:
        raise DataError(
            f"{what} have shape {found.shape}, but must be one {what[:-1]} an item, (N,)"
        )
    return found


def _sides(is_held_out: NDArray[np.bool_]) -> Split:
    return (
        np.flatnonzero(~is_held_out).astype(np.int64),
        np.flatnonzero(is_held_out).astype(np.int64),
    )
