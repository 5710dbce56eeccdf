"""The page of a comparison: one HTML file that needs no network."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..tables import html_table
from ..viz.charts.chart import Chart
from ..viz.charts.marks import Line, draw_legend, legend_height
from ..viz.charts.panel import Panel
from ..viz.report.section import Section, chart_figure, write_report
from ..viz.style.text import escaped
from .charts import (
    MANY,
    curves,
    dots_of_losses,
    dots_of_speed,
    flows,
    small_curves,
    small_flows,
)
from .entries import Entry
from .table import heading, rows_of, tie_note

if TYPE_CHECKING:
    from .comparing import Comparison

__all__ = ["sections", "write"]

_LEGEND = 330.0  # px, which a phone has
_RESULTS = (
    "The loss on held-out sequences after the last epoch: a dot for each seed, the best mean "
    "first. Cells in violet cannot be separated from the best one: their best seed is no worse "
    "than its worst."
)
_CURVES = (
    "The loss on held-out data after each epoch: the median of the seeds, and the range from the "
    "best to the worst."
)
_SHARES = (
    "The loss on held-out data after each epoch, relative to that of a guess, which is 1: the "
    "median of the seeds, and the range from the best to the worst."
)
_FLOWS = (
    "How far back the gradient reaches: the norm of the gradient of the last output's loss with "
    "respect to the state after each step, before and after training. Where a line falls to the "
    "left, the gradient vanishes: the network cannot learn from what it saw there."
)
_SPEED = (
    "The CPU time of a training step, batch and optimiser included: the mean without the first "
    "epoch, which compiles. Other running programs make it longer."
)


def write(comparison: Comparison, path: str | os.PathLike[str], title: str) -> Path:
    """Write the page. OSError if it cannot be written."""
    return write_report(path, title, sections(comparison), _lead(comparison))


def sections(comparison: Comparison) -> list[Section]:
    """Results, learning curves, gradient flow, speed."""
    tasks = comparison.tasks
    results = [chart_figure(Chart([dots_of_losses(of)])) for of in tasks.values()]
    few = len(comparison.cells) <= MANY
    of_cells = _by_cell(comparison)
    if few:
        learning = [chart_figure(Chart([curves(of)])) for of in tasks.values()]
        flow = [
            chart_figure(Chart([flows(of, "before"), flows(of, "after")])) for of in tasks.values()
        ]
    else:
        legend = _legend([*tasks], [0])
        small = [small_curves(of, 1e-4) for of in of_cells]
        learning = [chart_figure(Chart([legend])), chart_figure(Chart(small))]
        legend = _legend([f"{task}, {when}" for task in tasks for when in ("before", "after")])
        small = [small_flows(of, 1e-8) for of in of_cells]
        flow = [chart_figure(Chart([legend])), chart_figure(Chart(small))]
    timed = any(math.isfinite(entry.step_seconds) for entry in comparison.entries)
    speed = [chart_figure(Chart([dots_of_speed(tasks)]))] if timed else []
    return [
        Section("Results", _RESULTS, results),
        Section("In numbers", f"{tie_note(tasks)}.", _tables(comparison)),
        Section("Learning curves", _CURVES if few else _SHARES, learning),
        Section("Gradient flow", _FLOWS, flow),
        Section("Speed", _SPEED, speed),
    ]


def _by_cell(comparison: Comparison) -> list[list[Entry]]:
    return [[e for e in comparison.entries if e.cell == cell] for cell in comparison.cells]


def _legend(names: Sequence[str], dashes: Sequence[int] = (1, 0)) -> Panel:
    """The legend for the lines of small panels."""
    lines = [
        Line(name, [], n // len(dashes), dashes[n % len(dashes)]) for n, name in enumerate(names)
    ]
    panel = Panel(_LEGEND, 0.0, 1, labels=[""])
    panel.under = 2.0
    panel.height = 2 + legend_height(lines, _LEGEND)
    draw_legend(panel, lines)
    return panel


def _tables(comparison: Comparison) -> list[str]:
    """A table for each task, its best cell first."""
    found = []
    for name, entries in comparison.tasks.items():
        ranked = sorted(entries, key=lambda e: e.loss.mean if e.loss.values else float("inf"))
        rows = rows_of(ranked)
        title = heading(name, entries, comparison.recipe)
        table = html_table(rows, range(1, len(rows[0])))
        found.append(
            f'<details open><summary>{escaped(title)}</summary><div class="scroll">{table}</div>'
            "</details>"
        )
    return found


def _lead(comparison: Comparison) -> str:
    """What was compared, in a paragraph, and on which machine."""
    recipe, cells, tasks = comparison.recipe, comparison.cells, comparison.tasks
    seeds = len({row["seed"] for row in comparison.rows})
    sizes = "All have the same hidden size"
    if comparison.match == "parameters":
        off = max(abs(entry.distance) for entry in comparison.entries)
        sizes = (
            f"Hidden sizes are chosen so that all have about as many parameters as {cells[0]}; "
            f"the largest difference is {off:.1%}"
        )
    elif comparison.match is None:
        sizes = "Each has its own hidden size"
    told = (
        f"{_count(len(cells), 'cell')}, {_count(len(tasks), 'task')}, {_count(seeds, 'seed')}. "
        f"{sizes}. All are trained in the same way: {recipe.epochs} epochs of {recipe.batches} "
        f"steps of Adam at {recipe.learning_rate:g}, {recipe.batch_size} sequences per step. The "
        "learning rate was not tuned for any of them."
    )
    places = {_place(row["environment"]) for row in comparison.rows}
    where = "".join(f"<p>{escaped(place)}</p>" for place in sorted(places))
    return f'<p class="lead">{escaped(told)}</p>{where}'


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number != 1)}"


def _place(environment: dict[str, str]) -> str:
    """The machine and the versions, in words."""
    names = ("processor", "machine", "Python", "NumPy", "tinygrad_rnn", "executor")
    return "; ".join(f"{name} {environment[name]}" for name in names if name in environment)
