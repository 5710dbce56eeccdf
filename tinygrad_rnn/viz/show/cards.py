"""A network as a card: its steps in a row, the gradient on its way back, and a chart of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...language import say
from ..charts.marks import Line, draw_legend, draw_lines, legend_height
from ..charts.panel import Panel
from ..style.palette import SMALL, Scale
from ..style.text import escaped, number, text_width, wrapped

__all__ = ["card", "flow_card", "mark", "note", "strip", "vanished"]

WIDTH = 390.0
TALL = 170.0
STRIP = 82.0  # the room for the row of steps
LINE = 17.0  # of text under the chart
TEXT = 13.0
BOX = 2.5  # px of a step above which it is drawn as a box

Array = Any


def card(
    title: str,
    note_: str,
    steps: int,
    lines: Sequence[Line] = (),
    text: int = 3,
    above: float = STRIP,
) -> Panel:
    """An empty card with room for `text` lines of text under its legend."""
    legend = legend_height(lines, WIDTH) if lines else 4.0
    return Panel(
        WIDTH, TALL, steps, title, note_, left=46.0, right=14.0, above=above,
        below=legend + LINE * text + 8,
    )  # fmt: skip


def flow_card(
    title: str,
    note_: str,
    flow: Mapping[str, Array],
    series: int,
    axis: tuple[float, float],
    text: str,
    further: Sequence[tuple[str, Array]] = (),
) -> Panel:
    """The norms of the gradient at each state: (T,) by the state's name, on the axis given.

    `further`: other lines, with their names.
    """
    steps = len(next(iter(flow.values())))
    order = list(reversed(list(flow.items())))  # an LSTM's c, the line that matters, first
    lines = [
        Line(say("gradient at {name}", name=say(name)), norms, series, dash)
        for dash, (name, norms) in enumerate(order)
    ]
    lines += [Line(name, norms, series, len(order) + k) for k, (name, norms) in enumerate(further)]
    panel = card(title, note_, steps, lines)
    panel.log_axis(*axis)
    panel.name_steps()
    strip(panel, order[0][1], Scale(math.log10(axis[0]), math.log10(axis[1])))
    draw_lines(panel, lines)
    draw_legend(panel, lines)
    note(panel, text, legend_height(lines, WIDTH))
    return panel


def strip(panel: Panel, norms: Array, scale: Scale) -> None:
    """The steps in a row, on the line of the state; under it the gradient, on its way back."""
    y = panel.top - STRIP + 26
    left, right = panel.left, panel.right
    panel.text(left, y - 13, say("the state, forward in time →"), "left soft")
    panel.add(f'<path class="state" d="M{number(left)} {number(y)}H{number(right)}"/>')
    if panel.pitch >= BOX:
        width = 0.62 * panel.pitch
        boxes = (
            f"M{panel.x(t) - width / 2:.2f} {y - 6:.2f}h{width:.2f}v12h-{width:.2f}z"
            for t in range(panel.count)
        )
        panel.add(f'<path class="steps" d="{"".join(boxes)}"/>')
    y += 13
    start = 0
    shades = [scale.shade(float(value)) for value in norms]
    for t in range(1, len(shades) + 1):
        if t == len(shades) or shades[t] != shades[start]:
            x1, x2 = left + start * panel.pitch, left + t * panel.pitch
            panel.add(
                f'<path class="{shades[start]}" d="M{number(x2)} {number(y)}H{number(x1)}" '
                'style="marker-end:none"/>'
            )
            start = t
    panel.text(right, y + 16, say("← the gradient of the loss, back in time"), "right soft")


def mark(panel: Panel, t: float, label: str) -> None:
    """A flag at step `t`, over the chart."""
    x = panel.x(t)
    width = text_width(label, SMALL) + 12
    left = min(max(x - width / 2, panel.left), panel.right - width)
    y = panel.top - 18
    panel.add(
        f'<path class="flag" d="M{number(x)} {number(y + 16)}V{number(panel.bottom)}"/>'
        f'<rect class="label" x="{number(left)}" y="{number(y)}" width="{number(width)}" '
        'height="16" rx="3"/>'
        f'<text class="alarm" x="{number(left + width / 2)}" y="{number(y + 11.5)}">'
        f"{escaped(label)}</text>"
    )


def vanished(norms: Array, share: float = 1e-6) -> int | None:
    """The latest step at which less than a share of the largest norm is left; None without one."""
    small = np.flatnonzero(norms < share * norms.max())
    return int(small.max()) if small.size else None


def note(panel: Panel, text: str, legend: float = 4.0) -> None:
    """Write the explanation under the chart, in lines."""
    y = panel.under + legend + 12
    for line in wrapped(text, TEXT, panel.width - 24):
        panel.text(12, y, escaped(line), "left told")
        y += LINE
