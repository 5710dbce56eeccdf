"""Ragged batches: when it pays to run only the rows whose sequences have not ended.

Sequences end at different steps. Rows that have ended can be masked or left out, and no mask is
needed before the first has ended. Each change of the number of rows has a fixed cost, and each
number of rows needs its own program, so only a few numbers are used: all rows, and powers of two.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Span", "spans"]

# Rough estimates, biased towards few changes; tests/benchmarks/lengths.py shows the result.
CHANGE = 5e-4  # seconds that each further segment costs, where arrays are small
LARGE = 2000.0  # the relative cost of a further segment, per second that a step of all rows takes
FEWEST = 8  # rows; a step of fewer rows takes no less time


class Span(NamedTuple):
    """Steps from `first` to `last`, on `size` rows of the batch (a slice or indices)."""

    first: int
    last: int
    rows: Any
    size: int

    def covers(self, steps: int, batch: int) -> bool:
        """Whether it is the whole run."""
        return self.last - self.first == steps and self.size == batch


def spans(lengths: Any, steps: int, row_seconds: float, mask: float, shrink: bool) -> list[Span]:
    """The cheapest division of time for sequences of those lengths (B,), in order of time.

    `row_seconds`: the time of one step of one row, in seconds. `mask`: the relative extra time of a
    masked step. `shrink`: whether rows may be left out, and steps at which all have ended.
    """
    batch = len(lengths)
    longest_first = np.argsort(-lengths, kind="stable")
    falling = lengths[longest_first]
    end = int(falling[0]) if shrink and falling[0] else steps
    places: list[tuple[int, int]] = []  # a step, and a number of rows that is enough from there on
    for size in _sizes(batch) if shrink else [batch]:
        enough = int(falling[size]) if size < batch else 0
        places += [(enough, size), (max(enough, int(falling[size - 1])), size)]
    places = [*sorted({place for place in places if place[0] < end}), (end, 0)]

    change = CHANGE * (1 + LARGE * row_seconds * batch)

    def seconds(one: int, other: int) -> float:
        (first, size), (last, _) = places[one], places[other]
        masked = bool(last > falling[size - 1])
        per_row: float = row_seconds * (1 + mask * masked)
        return change + (last - first) * size * per_row

    best = [(0.0, 0)]  # up to each position: the least seconds, and the position before
    for k in range(1, len(places)):
        best.append(min((best[j][0] + seconds(j, k), j) for j in range(k)))
    chosen = []
    k = len(places) - 1
    while k:
        k, last = best[k][1], places[k][0]
        first, size = places[k]
        if first < last:
            chosen.append(Span(first, last, _rows(longest_first[:size], batch), size))
    return chosen[::-1]


def _sizes(batch: int) -> list[int]:
    """The numbers of rows to choose from, all of them first."""
    powers = (1 << k for k in reversed(range(batch.bit_length())))
    return [batch, *(power for power in powers if FEWEST <= power < batch)]


def _rows(chosen: Any, batch: int) -> Any:
    rows = np.sort(chosen)
    if len(rows) == batch:
        return slice(None)
    return slice(len(rows)) if rows[-1] == len(rows) - 1 else rows
