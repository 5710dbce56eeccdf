"""The runs of the gallery's comparison as they were recorded, and what counts as solved there.

Nothing is trained, and no cell is made: the pages show what was measured when it was measured,
also after a cell has changed. `make_gallery.py compare` measures again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_rnn.comparison import Comparison, Entry
from tinygrad_rnn.comparison.jobs import Recipe
from tinygrad_rnn.data import tasks

__all__ = ["SOLVED", "by_name", "guess_of_adding", "recorded", "solves"]

SOLVED = 0.1  # of the loss that a guess has
_OF_RECIPE = ("epochs", "batches", "batch_size", "steps", "learning_rate", "clip")

Row = dict[str, Any]


def by_name(names: Iterable[str]) -> list[str]:
    """Cells by name, the LSTM first: it is what the others are matched with."""
    return sorted(names, key=lambda name: (name != "lstm", name))


def solves(entry: Entry) -> bool:
    """Whether every seed came below that share of a guess's loss."""
    losses = entry.loss.values
    return bool(losses) and not entry.diverged and max(losses) < SOLVED * entry.baseline


def recorded(file: Path) -> Comparison:
    """The comparison whose rows are in a file of results."""
    rows: list[Row] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    runs: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:  # of two runs of a seed the later one counts
        runs.setdefault((row["task"], row["cell"]), {})[row["seed"]] = row
    recipe = Recipe(**{name: rows[0]["setup"][name] for name in _OF_RECIPE})
    entries = []
    for task in dict.fromkeys(task for task, _ in runs):
        baseline = getattr(tasks, task)(**recipe.of_task).baseline
        target = runs[task, "lstm"][0]["parameters"]
        for cell in by_name(cell for of, cell in runs if of == task):
            each = [runs[task, cell][seed] for seed in sorted(runs[task, cell])]
            size, parameters = each[0]["setup"]["hidden_size"], each[0]["parameters"]
            entries.append(Entry(task, cell, size, parameters, target, baseline, each))
    return Comparison(entries, recipe, "parameters")


def guess_of_adding(recipe: Recipe) -> float:
    """The loss of answering 1 on the few sequences held out, over that on all there are."""
    task = tasks.adding(**recipe.of_task)
    losses = [np.square(batch.targets - 1).mean() for batch in task.held_out]
    return float(np.mean(losses)) / task.baseline
