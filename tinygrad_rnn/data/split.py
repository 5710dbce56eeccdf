"""Split labelled items into a training part and a held-out part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tinygrad_rnn.data.errors import DataError


def stratified_split(
    labels: Sequence[int] | NDArray[np.int64], held_out: float = 0.2, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ``(train_indices, held_out_indices)``, both sorted, the same for the same seed.

    Each class gives the share ``held_out`` of its items, rounded, to the held-out part, but at
    least one item to each side.

    >>> labels = np.array([0] * 10 + [1] * 5)
    >>> train, held_out = stratified_split(labels, held_out=0.2, seed=0)
    >>> np.bincount(labels[train]), np.bincount(labels[held_out])
    (array([8, 4]), array([2, 1]))
    """
    if not 0.0 < held_out < 1.0:
        raise DataError(f"held_out is {held_out}, but must be between 0 and 1, such as 0.2")
    values = np.asarray(labels)
    if values.ndim != 1 or len(values) == 0:
        raise DataError(f"labels have shape {values.shape}, but must be one label an item, (N,)")
    rng = np.random.default_rng(seed)
    is_held_out = np.zeros(len(values), dtype=bool)
    for label in np.unique(values):
        members = np.flatnonzero(values == label)
        count = _held_out_count(len(members), held_out, label)
        is_held_out[rng.permutation(members)[:count]] = True
    return _where(~is_held_out), _where(is_held_out)


def _held_out_count(size: int, share: float, label: int) -> int:
    if size < 2:
        raise DataError(
            f"class {label} has one item only, but each class needs at least two: "
            "one to train on and one to hold out"
        )
    return min(max(round(size * share), 1), size - 1)


def _where(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.flatnonzero(mask).astype(np.int64)
