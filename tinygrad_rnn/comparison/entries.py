"""Entry: a cell on a task, over all seeds; and which cells of a task the seeds cannot separate."""

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
    """The results of a cell on a task: `rows` holds a run for each seed.

    `target`: the intended number of parameters; None if there was none. `baseline`: the loss of the
    best answer that ignores the inputs.

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
        """The relative difference between the number of parameters and its target."""
        return 0.0 if self.target is None else self.parameters / self.target - 1

    @property
    def loss(self) -> Spread:
        """The loss on held-out data after the last epoch, over the runs that got that far."""
        return self._spread("loss")

    @property
    def accuracy(self) -> Spread:
        """The accuracy, likewise; empty if the task has no classes."""
        return self._spread("accuracy")

    @property
    def diverged(self) -> int:
        """How many runs ended because something became infinite."""
        return sum(bool(row["diverged"]) for row in self.rows)

    @property
    def step_seconds(self) -> float:
        """The CPU time of a training step, the median of all runs."""
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
    """The cell with the lowest mean loss, and all cells that the seeds do not separate from it.

    These are the cells whose best seed is no worse than the worst seed of that cell. Cells with a
    diverged run are excluded.

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
