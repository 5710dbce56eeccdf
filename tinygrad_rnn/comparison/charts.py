"""The charts of a comparison's page."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..language import say
from ..viz.charts.history import ticks
from ..viz.charts.marks import Line, draw_legend, draw_lines, legend_height
from ..viz.charts.panel import Panel
from ..viz.style.palette import SERIES, SMALL, TEXT
from ..viz.style.text import escaped, fitted, number, printable, text_width
from .entries import Entry, leaders
from .jobs import Row

__all__ = [
    "MANY",
    "curves",
    "dots_of_losses",
    "dots_of_speed",
    "flow_name",
    "flows",
    "small_curves",
    "small_flows",
    "task_name",
]

WHEN = {"before": "{task}: before training", "after": "{task}: after training"}

MANY = 8  # cells in one panel, at most; if there are more, each has its own panel
_WIDE, _TALL = 344.0, 210.0  # as wide as a phone
_SMALL_WIDE, _SMALL_TALL = 160.0, 70.0
_ROW = 15.0
_LEAST = 1e-12  # norms below are drawn as this one


class Dot(NamedTuple):
    """A value in a row of a dot plot: `series` is its colour; `told` is shown on hover."""

    value: float
    series: int
    told: str


def dots_of_losses(entries: Sequence[Entry]) -> Panel:
    """A row for each cell, the best first: its losses for all seeds, on a logarithmic axis."""
    best = {entry.cell for entry in leaders(entries)}
    rows, notes = {}, {}
    for entry in sorted(entries, key=_mean_loss):
        series = 0 if entry.cell in best else 2
        rows[entry.cell] = [
            Dot(row["loss"], series, _told(entry.cell, row))
            for row in entry.rows
            if row["loss"] is not None
        ]
        diverged = entry.diverged
        notes[entry.cell] = say("{count} diverged", count=diverged) if diverged else ""
    return _dots(task_name(entries[0].task), rows, notes, entries[0].baseline, say("a guess"))


def task_name(task: str) -> str:
    """What a task is called on a page."""
    return say(task)


def _told(cell: str, row: Row) -> str:
    return say("{cell}, seed {seed}: {loss:.4g}", cell=cell, seed=row["seed"], loss=row["loss"])


def _mean_loss(entry: Entry) -> float:
    return entry.loss.mean if entry.loss.values else math.inf


def dots_of_speed(tasks: Mapping[str, Sequence[Entry]]) -> Panel:
    """A row for each cell, the fastest first: the time of a step in ms, a dot for each task."""
    found: dict[str, list[Dot]] = {}
    for series, (task, entries) in enumerate(tasks.items()):
        for entry in entries:
            ms = 1e3 * entry.step_seconds
            if math.isfinite(ms):
                dot = Dot(ms, series, f"{entry.cell}, {task_name(task)}: {ms:.3g} ms")
                found.setdefault(entry.cell, []).append(dot)
    middle = {cell: statistics.median(d.value for d in dots) for cell, dots in found.items()}
    rows = {cell: found[cell] for cell in sorted(found, key=middle.__getitem__)}
    lines = [Line(task_name(task), [], series) for series, task in enumerate(tasks)]
    return _dots(say("CPU ms per training step"), rows, {}, None, "", lines)


def _dots(
    title: str,
    rows: Mapping[str, Sequence[Dot]],
    notes: Mapping[str, str],
    mark: float | None,
    mark_name: str,
    legend: Sequence[Line] = (),
) -> Panel:
    names = {cell: fitted(printable(cell), SMALL, 130.0) for cell in rows}
    left = 16 + max(text_width(name, SMALL) for name in names.values())
    width = _WIDE
    below = legend_height(legend, width) if len(legend) > 1 else 0.0
    panel = Panel(width, _ROW * len(rows), 1, title, left=left, above=14, below=below, labels=[""])
    values = [d.value for dots in rows.values() for d in dots if d.value > 0]
    low, high = _bounds([*values, *([mark] if mark else [])])

    def x(value: float) -> float:
        place = (math.log10(max(value, low)) - math.log10(low)) / math.log10(high / low)
        return panel.left + 6 + place * (panel.right - panel.left - 12)

    for tick, label in _ticks(low, high):
        at = number(x(tick))
        panel.add(f'<path class="grid" d="M{at} {number(panel.top)}V{number(panel.bottom)}"/>')
        panel.text(x(tick), panel.bottom + 13, label, "soft")
    if mark:
        at = number(x(mark))
        panel.add(
            f'<path class="axis" stroke-dasharray="3 3" '
            f'd="M{at} {number(panel.top - 4)}V{number(panel.bottom)}"/>'
        )
        side = "right soft" if x(mark) > panel.right - 60 else "soft"
        panel.text(x(mark), panel.top - 8, escaped(mark_name), side)
    for n, (cell, dots) in enumerate(rows.items()):
        y = panel.top + _ROW * (n + 0.5)
        panel.text(left - 8, y + 3.5, escaped(names[cell]), "right soft")
        if len(dots) > 1:
            ends = [x(d.value) for d in dots]
            panel.add(
                f'<path class="m{dots[0].series % SERIES}" stroke-width="1.4" stroke-opacity=".5" '
                f'd="M{number(min(ends))} {number(y)}H{number(max(ends))}"/>'
            )
        for dot in dots:
            told = f"<title>{escaped(printable(dot.told))}</title>"
            panel.add(
                f'<circle class="n{dot.series % SERIES}" cx="{number(x(dot.value))}" '
                f'cy="{number(y)}" r="3">{told}</circle>'
            )
        if notes.get(cell):
            panel.text(panel.right - 4, y + 3.5, escaped(notes[cell]), "right soft")
    if len(legend) > 1:
        draw_legend(panel, legend, filled=True)
    return panel


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """The least and the largest with some room, at least half a decade apart."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    low, high = max(low, high * 1e-8) / 1.15, high * 1.15
    if high / low < 3:
        middle = math.sqrt(low * high)
        low, high = middle / 1.75, middle * 1.75
    return low, high


def _ticks(low: float, high: float) -> Iterable[tuple[float, str]]:
    """Round numbers: powers of ten, with 2 and 5 between where there are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = max(1, len(decades) // 6)
    factors: tuple[float, ...] = (1,)
    if high < 10 * low:
        factors = (1, 1.5, 2, 3, 4, 5, 7)
    elif high < 100 * low:
        factors = (1, 2, 5)
    for exponent in decades[::every]:
        for factor in factors:
            value = factor * 10.0**exponent
            if low <= value <= high:
                yield value, f"{value:.3g}" if exponent > -5 else f"1e{exponent}"


def curves(entries: Sequence[Entry]) -> Panel:
    """The loss on held-out data after each epoch: the median of the seeds, and their range."""
    lines = [
        Line(fitted(entry.cell, TEXT, 150.0), _median(entry.curves("val_loss")), n)
        for n, entry in enumerate(entries)
    ]
    ranges = [entry.curves("val_loss") for entry in entries]
    epochs = max((len(line.values) for line in lines), default=0)
    baseline = Line(say("a guess"), [entries[0].baseline] * epochs, 5, 1)
    title = say("{task}: loss", task=task_name(entries[0].task))
    return _time_panel(title, [*lines, baseline], epochs, ranges, range(1, epochs + 1))


def flows(entries: Sequence[Entry], when: str) -> Panel:
    """The norm of the gradient of the last output's loss at each state, by step."""
    lines = [
        Line(fitted(entry.cell, TEXT, 150.0), _at_least(entry.flow(when)), n)
        for n, entry in enumerate(entries)
    ]
    steps = max((len(line.values) for line in lines), default=0)
    title = say(WHEN[when], task=task_name(entries[0].task))
    return _time_panel(title, lines, steps)


def small_curves(entries: Sequence[Entry], low: float) -> Panel:
    """One cell on all tasks: its loss after each epoch as a share of a guess's."""
    lines, ranges = [], []
    for n, entry in enumerate(entries):
        shares = [[v / entry.baseline for v in curve] for curve in entry.curves("val_loss")]
        lines.append(Line(task_name(entry.task), _median(shares), n))
        ranges.append(shares)
    return _small_panel(entries[0].cell, lines, ranges, low, 3.0)


def small_flows(entries: Sequence[Entry], low: float) -> Panel:
    """One cell on all tasks: the gradient flow before (dashed) and after training."""
    lines = []
    for n, entry in enumerate(entries):
        lines.append(Line(flow_name(entry.task, "before"), _at_least(entry.flow("before")), n, 1))
        lines.append(Line(flow_name(entry.task, "after"), _at_least(entry.flow("after")), n))
    return _small_panel(entries[0].cell, lines, [], low, 10.0)


def flow_name(task: str, when: str) -> str:
    """What the line of a task's gradient flow, before or after training, is called."""
    name = task_name(task)
    return say("{task}, before", task=name) if when == "before" else say("{task}, after", task=name)


def _time_panel(
    title: str,
    lines: Sequence[Line],
    count: int,
    ranges: Sequence[Sequence[Sequence[float]]] = (),
    names: Iterable[int] | None = None,
) -> Panel:
    labels = None if names is None else [str(n) for n in names]
    below = legend_height(lines, _WIDE)
    panel = Panel(_WIDE, _TALL, max(count, 1), title, labels=labels, left=54, below=below)
    low, high = _bounds([v for line in lines for v in line.values if math.isfinite(v) and v > 0])
    if high > 10 * low:
        panel.log_axis(low, high)
    else:
        panel.axis(low, high, ticks(low, high))
    panel.name_steps()
    _draw_ranges(panel, ranges)
    draw_lines(panel, lines)
    draw_legend(panel, lines)
    return panel


def _small_panel(
    title: str,
    lines: Sequence[Line],
    ranges: Sequence[Sequence[Sequence[float]]],
    low: float,
    high: float,
) -> Panel:
    count = max((len(line.values) for line in lines), default=1)
    panel = Panel(_SMALL_WIDE, _SMALL_TALL, max(count, 1), title, left=34, right=6)
    panel.log_axis(low, high)
    panel.add(f'<path class="axis" d="M{panel.left} {panel.top}V{panel.bottom}H{panel.right}"/>')
    _draw_ranges(panel, ranges)
    for line in lines:
        joint, path = "M", []
        for t, value in enumerate(line.values):
            if math.isfinite(value) and value > 0:
                path.append(f"{joint}{number(panel.x(t))} {number(panel.y(value))}")
                joint = "L"
        panel.add(f'<path {line.look} d="{"".join(path)}"/>')
    return panel


def _draw_ranges(panel: Panel, ranges: Sequence[Sequence[Sequence[float]]]) -> None:
    """A pale band from the least to the largest of several runs."""
    for series, runs in enumerate(ranges):
        at_steps = [[v for v in column if math.isfinite(v) and v > 0] for column in zip(*runs)]
        at_steps = [column for column in at_steps if column]
        if len(runs) < 2 or len(at_steps) < 2:
            continue
        above = [f"{number(panel.x(t))} {number(panel.y(max(c)))}" for t, c in enumerate(at_steps)]
        under = [f"{number(panel.x(t))} {number(panel.y(min(c)))}" for t, c in enumerate(at_steps)]
        outline = "L".join([*above, *reversed(under)])
        panel.add(f'<path class="n{series % SERIES}" fill-opacity=".16" d="M{outline}Z"/>')


def _median(runs: Sequence[Sequence[float]]) -> list[float]:
    """The median at each place, over the runs that got that far."""
    longest = max(map(len, runs), default=0)
    columns = ([run[t] for run in runs if t < len(run)] for t in range(longest))
    return [statistics.median(column) for column in columns]


def _at_least(norms: Sequence[float]) -> list[float]:
    return [max(norm, _LEAST) if math.isfinite(norm) else math.nan for norm in norms]
