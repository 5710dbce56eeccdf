"""The chart of a training history: each metric over the epochs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from ...language import say
from .chart import Chart
from .marks import Line, draw_legend, draw_lines, legend_height
from .panel import Panel

__all__ = ["plot_history", "ticks"]

PANEL = 250.0
TALL = 130.0
PARTS = {"train_": "training", "val_": "validation"}
HIDDEN = ("epoch", "seconds")

Rows = Sequence[Mapping[str, float]]


def plot_history(history: Iterable[Mapping[str, float]], metrics: Iterable[str] = ()) -> Chart:
    """A panel for each metric: its line over the epochs, training and validation together.

    `history`: the result of `fit`, or any rows of numbers by name. `metrics`: names without
    `train_` and `val_`; all if omitted. KeyError for one that was not measured.

    >>> rows = [{"epoch": 1, "train_loss": 2.0, "val_loss": 2.5}, {"epoch": 2, "train_loss": 1.0}]
    >>> chart = plot_history(rows)
    >>> [panel.title for panel in chart.panels]
    ['loss']
    """
    rows = list(history)
    names = dict.fromkeys(name for row in rows for name in row if name not in HIDDEN)
    panels: dict[str, list[str]] = {}
    for name in names:
        panels.setdefault(_metric(name), []).append(name)
    for metric in metrics:
        if metric not in panels:
            raise KeyError(f"no metric {metric!r} was measured; there are {', '.join(panels)}")
    chosen = list(metrics) or list(panels)
    return Chart([_panel(rows, metric, panels[metric]) for metric in chosen], say("History"))


def _metric(name: str) -> str:
    return name.removeprefix("train_").removeprefix("val_")


def _panel(rows: Rows, metric: str, names: Sequence[str]) -> Panel:
    lines = [
        Line(_part(name, metric), [row.get(name, math.nan) for row in rows], series=n)
        for n, name in enumerate(names)
    ]
    several = len(lines) > 1
    below = legend_height(lines, PANEL) if several else 0.0
    epochs = [str(int(row.get("epoch", n))) for n, row in enumerate(rows, start=1)]
    panel = Panel(
        PANEL, TALL, len(rows), say(metric.replace("_", " ")), labels=epochs, left=52, below=below
    )
    values = [v for line in lines for v in line.values if math.isfinite(v)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low == high:
        half = 0.5 * abs(low) or 0.5
        low, high = low - half, high + half
    panel.axis(low, high, ticks(low, high))
    panel.name_steps()
    draw_lines(panel, lines)
    if several:
        draw_legend(panel, lines)
    return panel


def _part(name: str, metric: str) -> str:
    found = next((part for prefix, part in PARTS.items() if name == prefix + metric), metric)
    return say(found)


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Three to six round numbers from `low` to `high`, with labels just long enough to differ.

    >>> ticks(0.0, 1.1)
    [(0.0, '0'), (0.5, '0.5'), (1.0, '1')]
    """
    rough = (high - low) / 4
    ten = 10.0 ** math.floor(math.log10(rough))
    step = next(n * ten for n in (1, 2, 2.5, 5, 10) if n * ten >= rough)
    found = [n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1)]
    for digits in range(2, 17):
        labels = [f"{tick:.{digits}g}" for tick in found]
        if len(set(labels)) == len(found):
            break
    return list(zip(found, labels, strict=True))
