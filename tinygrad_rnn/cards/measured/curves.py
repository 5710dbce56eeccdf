"""Curves: lines over steps back, exponents, windows or epochs, as one panel of a chart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...viz.charts.chart import Chart
from ...viz.charts.history import ticks
from ...viz.charts.marks import Line, draw_legend, draw_lines, legend_height
from ...viz.charts.panel import Panel

__all__ = ["curves"]

_WIDTH, _TALL = 340.0, 190.0  # as wide as a phone
_DECADES = 12.0  # that a logarithmic axis spans at most


class _Named(Panel):
    """A panel whose positions have a unit of their own: "10 steps back"."""

    said = "{}"

    def step(self, t: int) -> str:
        name = str(t) if self.labels is None else self.labels[t]
        return self.said.format(name)


def curves(
    title: str,
    lines: Mapping[str, Sequence[float] | Any],
    *,
    said: str = "{}",
    names: Sequence[str] | None = None,
    log: bool = False,
    note: str = "",
    dashed: Sequence[str] = (),
) -> Chart:
    """A panel of lines by name; `said`: the text for a position, `names`: the labels of the axis.

    `log`: a logarithmic axis, if the values span more than a power of ten. The lines in `dashed`
    are drawn dashed, as references.
    """
    count = max((len(values) for values in lines.values()), default=1)
    drawn = [
        Line(name, np.asarray(values, np.float64), n, 1 if name in dashed else 0)
        for n, (name, values) in enumerate(lines.items())
    ]
    below = legend_height(drawn, _WIDTH)
    panel = _Named(_WIDTH, _TALL, count, title, note, names, left=54.0, below=below)
    panel.said = said
    known = np.concatenate([line.values for line in drawn] or [np.ones(1)])
    known = known[np.isfinite(known) & ((known > 0) | (not log))]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.1, 1.0)
    if log and high > 10 * low:
        high = max(high, 1e-300)
        low = max(low, high * 10.0**-_DECADES)
        panel.log_axis(low, high)
        drawn = [
            replace(line, values=np.where(line.values < low, np.nan, line.values)) for line in drawn
        ]
    else:
        low, high = _widened(low, high)
        panel.axis(low, high, ticks(low, high))
    panel.name_steps()
    draw_lines(panel, drawn)
    draw_legend(panel, drawn)
    return Chart([panel], title)


def _widened(low: float, high: float) -> tuple[float, float]:
    if math.isclose(low, high):
        half = 0.5 * abs(low) or 0.5
        return low - half, high + half
    room = 0.05 * (high - low)
    return low - room, high + room
