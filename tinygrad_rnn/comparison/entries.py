"""Entry: a cell on a task, over all seeds; and which cells of a task are not told apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..training import Spread
from .jobs import Row

__all__ = ["Entry", "leaders"]


@dataclass(frozen=True)
class Entry:
    """What a cell has shown on a task: `rows` holds a run for each seed.

    `target`: the number of parameters it was to have; None if any. `baseline`: the loss of the
    best answer that does not look at the inputs.

    >>> rows = [{"loss": 0.2, "accuracy": None, "step_seconds": 0.004, "diverged": ""}] * 2
    >>> entry = Entry("adding", "lstm", 32, 4641, None, 1 / 6, rows)
    >>> entry.loss.mean, entry.step_seconds
    (0.2, 0.004)
    """

    task: str
    cell: str
    hidden_size: int
    parameters: int
    target: int | None
    baseline: float
    rows: Sequence[Row] = field(repr=False)

    @property
    def distance(self) -> float:
        """By which share the number of parameters misses the one it was to have."""
        return 0.0 if self.target is None else self.parameters / self.target - 1

    @property
    def loss(self) -> Spread:
        """The loss on what was held out, after the last epoch; of the runs that came so far."""
        return self._spread("loss")

    @property
    def accuracy(self) -> Spread:
        """The share of right answers, likewise; of no values if the task has no classes."""
        return self._spread("accuracy")

    @property
    def diverged(self) -> int:
        """How many runs came to an end because something became infinite."""
        return sum(bool(row["diverged"]) for row in self.rows)

    @property
    def step_seconds(self) -> float:
        """The CPU time of a step of training, the median of all runs."""
        known = [row["step_seconds"] for row in self.rows if row["step_seconds"] is not None]
        return statistics.median(known) if known else math.nan

    def curves(self, name: str) -> list[list[float]]:
        """A metric over the epochs, such as `val_loss`: a list for each run, NaN where none is."""
        found = (row["curves"].get(name, []) for row in self.rows)
        return [[math.nan if v is None else v for v in values] for values in found]

    def flow(self, when: str) -> list[float]:
        """The gradient flow `before` or `after`: at each step, the median of all runs."""
        flows = [row[f"flow_{when}"] for row in self.rows if row[f"flow_{when}"]]
        return [
            statistics.median(math.nan if v is None else v for v in at_step)
            for at_step in zip(*flows)
        ]

    def _spread(self, name: str) -> Spread:
        return Spread(tuple(row[name] for row in self.rows if row[name] is not None))


def leaders(entries: Sequence[Entry]) -> list[Entry]:
    """The cell of the lowest mean loss, and all that its spread does not tell apart from it.

    That is: those whose best seed is no worse than the worst seed of that cell. Cells of which a
    run diverged are not among them.

    >>> def entry(cell, *losses):
    ...     rows = [{"loss": loss, "diverged": ""} for loss in losses]
    ...     return Entry("adding", cell, 32, 4641, None, 1 / 6, rows)
    >>> found = leaders([entry("a", 0.1, 0.3), entry("b", 0.3, 0.4), entry("c", 0.4, 0.5)])
    >>> [one.cell for one in found]
    ['a', 'b']
    """
    whole = [entry for entry in entries if entry.loss.values and not entry.diverged]
    if not whole:
        return []
    best = min(whole, key=lambda entry: entry.loss.mean)
    worst = max(best.loss.values)
    return [entry for entry in whole if min(entry.loss.values) <= worst]
