"""The page of a comparison: one HTML file that needs no network."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..language import say
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
    flow_name,
    flows,
    small_curves,
    small_flows,
    task_name,
)
from .entries import Entry
from .table import heading, rows_of, seeds_in_words, tie_note, translated

if TYPE_CHECKING:
    from .comparing import Comparison

__all__ = ["sections", "write"]

PLACE = ("processor", "machine", "Python", "NumPy", "tinygrad_rnn", "executor")
"""What is told of where it was run."""
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
        legend = _legend([*map(task_name, tasks)], [0])
        small = [small_curves(of, 1e-4) for of in of_cells]
        learning = [chart_figure(Chart([legend])), chart_figure(Chart(small))]
        legend = _legend([flow_name(task, w) for task in tasks for w in ("before", "after")])
        small = [small_flows(of, 1e-8) for of in of_cells]
        flow = [chart_figure(Chart([legend])), chart_figure(Chart(small))]
    timed = any(math.isfinite(entry.step_seconds) for entry in comparison.entries)
    speed = [chart_figure(Chart([dots_of_speed(tasks)]))] if timed else []
    return [
        Section(say("Results"), say(_RESULTS), results),
        Section(say("In numbers"), f"{tie_note(tasks)}.", _tables(comparison)),
        Section(say("Learning curves"), say(_CURVES) if few else say(_SHARES), learning),
        Section(say("Gradient flow"), say(_FLOWS), flow),
        Section(say("Speed"), say(_SPEED), speed),
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
        rows = translated(rows_of(ranked))
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
    sizes = say("All have the same hidden size.")
    if comparison.match == "parameters":
        sizes = say(
            "Hidden sizes are chosen so that all have about as many parameters as {cell}; the "
            "largest difference is {off:.1%}.",
            cell=cells[0],
            off=max(abs(entry.distance) for entry in comparison.entries),
        )
    elif comparison.match is None:
        sizes = say("Each has its own hidden size.")
    counts = ", ".join([_cells(len(cells)), _tasks(len(tasks)), seeds_in_words(seeds)])
    alike = say(
        "All are trained in the same way: {epochs} epochs of {batches} steps of Adam at "
        "{rate:g}, {rows} sequences per step. The learning rate was not tuned for any of them.",
        epochs=recipe.epochs,
        batches=recipe.batches,
        rate=recipe.learning_rate,
        rows=recipe.batch_size,
    )
    told = f"{counts}. {sizes} {alike}"
    places = {_place(row["environment"]) for row in comparison.rows}
    where = "".join(f"<p>{escaped(place)}</p>" for place in sorted(places))
    return f'<p class="lead">{escaped(told)}</p>{where}'


def _cells(count: int) -> str:
    return say("1 cell") if count == 1 else say("{count} cells", count=count)


def _tasks(count: int) -> str:
    return say("1 task") if count == 1 else say("{count} tasks", count=count)


def _place(environment: dict[str, str]) -> str:
    """The machine and the versions, in words."""
    return "; ".join(f"{say(name)} {environment[name]}" for name in PLACE if name in environment)
