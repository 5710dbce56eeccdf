"""What is drawn into a panel: lines, cells, bars, legends."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..style.palette import SERIES, SHADES, SMALL, TEXT, TONES, Scale
from ..style.text import escaped, number, text_width
from .panel import Panel

__all__ = ["Line", "draw_bars", "draw_cells", "draw_legend", "draw_lines", "draw_scale"]
__all__ += ["amount", "legend_height", "signed", "strength"]

MANY = 600  # cells above which no values are shown on hover
HOVERS = 40  # points of a line that show their value on hover, at most
SWATCH = 26.0
DASHES = ("", "7 3", "2 2.5", "9 3 2 3")
WIDTHS = (2.4, 1.8, 1.8, 1.8)

Shade = Callable[[float], str]


@dataclass(frozen=True)
class Line:
    """A line of a chart: `series` is its colour, `dash` distinguishes the lines of one colour."""

    label: str
    values: Any  # (T,); NaN where there is nothing
    series: int = 0
    dash: int = 0

    @property
    def look(self) -> str:
        """The attributes of its stroke."""
        dashes = DASHES[self.dash % len(DASHES)]
        broken = f' stroke-dasharray="{dashes}"' if dashes else ""
        width = WIDTHS[self.dash % len(WIDTHS)]
        return f'class="m{self.series % SERIES}" stroke-width="{width:g}"{broken}'


def draw_lines(panel: Panel, lines: Sequence[Line]) -> None:
    """Draw the lines; points of them show their values on hover."""
    for line in lines:
        shown = [(t, v) for t, v in enumerate(line.values) if _drawable(v, panel.log)]
        pieces, before = [], None
        for t, value in shown:
            joint = "L" if before == t - 1 else "M"
            pieces.append(f"{joint}{number(panel.x(t))} {number(panel.y(value))}")
            before = t
        if pieces:
            panel.add(f'<path {line.look} d="{"".join(pieces)}"/>')
        every = -(-panel.count // HOVERS)
        for t, value in shown:
            x, y = number(panel.x(t)), number(panel.y(value))
            if panel.count <= 30:
                panel.add(f'<circle class="n{line.series % SERIES}" cx="{x}" cy="{y}" r="2.6"/>')
            if t % every == 0:
                told = f"{line.label}, {panel.step(t)}: {value:.3g}"
                title = f"<title>{escaped(told)}</title>"
                panel.add(f'<circle class="hover" cx="{x}" cy="{y}" r="6">{title}</circle>')


def _drawable(value: float, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def draw_cells(
    panel: Panel,
    values: Any,
    shade: Shade,
    tell: Callable[[int, int, float], str] | None = None,
    missing: bool = True,
) -> None:
    """A cell for each value (rows, columns), in the class that `shade` gives it.

    `tell`: the text of a cell on hover. `missing`: whether NaN is drawn grey, or not at all.
    """
    values = np.asarray(values, np.float64)
    rows, columns = values.shape
    left, top, width, height = panel.area
    w, h = width / max(columns, 1), height / max(rows, 1)
    together: dict[str, list[str]] = defaultdict(list)
    for row, column in np.ndindex(rows, columns):
        value = float(values[row, column])
        if math.isnan(value) and not missing:
            continue
        look = "missing" if math.isnan(value) else shade(value)
        x, y = left + column * w, top + row * h
        if tell is not None and values.size <= MANY:
            panel.rect(look, x, y, w + 0.2, h + 0.2, tell(row, column, value))
        else:
            together[look].append(f"M{x:.2f} {y:.2f}h{w + 0.2:.2f}v{h + 0.2:.2f}h-{w + 0.2:.2f}z")
    panel.add(*(f'<path class="{look}" d="{"".join(d)}"/>' for look, d in together.items()))


def amount(value: float) -> str:
    """The class of a value from 0 to 1, such as a gate's."""
    return f"a{min(max(round(value * (TONES - 1)), 0), TONES - 1)}"


def signed(most: float) -> Shade:
    """The classes of values from -most to most."""

    def shade(value: float) -> str:
        place = (value / (most or 1.0) + 1) / 2
        return f"d{min(max(round(place * (TONES - 1)), 0), TONES - 1)}"

    return shade


def strength(scale: Scale) -> Shade:
    """The classes of the norms of a gradient."""
    return lambda value: "missing" if value == 0 else scale.shade(value).replace("g", "h")


def draw_bars(panel: Panel, parts: Sequence[tuple[str, int, Any]]) -> None:
    """Stacked bars of (name, colour, values), negative values below zero."""
    above, below = np.zeros(panel.count), np.zeros(panel.count)
    for name, series, values in parts:
        for t, value in enumerate(np.nan_to_num(values)):
            start = above if value >= 0 else below
            y1, y2 = panel.y(start[t]), panel.y(start[t] + value)
            start[t] += value
            if abs(y1 - y2) > 0.05:
                told = f"{name}, {panel.step(t)}: {value:.0%}"
                left, width = panel.x(t) - 0.41 * panel.pitch, 0.82 * panel.pitch
                panel.rect(f"n{series % SERIES}", left, min(y1, y2), width, abs(y1 - y2), told)
    panel.level(panel.y(0), "axis")


def draw_legend(panel: Panel, lines: Sequence[Line], filled: bool = False) -> None:
    """A swatch and a name for each line, in rows under the names of the steps."""
    places = _legend_places([line.label for line in lines], panel.width - 24)
    for line, (x, row) in zip(lines, places):
        y = panel.under + 4 + 16 * row
        if filled:
            panel.rect(f"n{line.series % SERIES}", 26 + x, y + 2, 12, 10)
        else:
            panel.add(f'<path {line.look} d="M{number(12 + x)} {number(y + 7)}h{SWATCH:g}"/>')
        panel.text(12 + x + SWATCH + 6, y + 10.5, escaped(line.label), "left")


def legend_height(lines: Sequence[Line], width: float) -> float:
    """The height in px of a legend in a panel of this width."""
    places = _legend_places([line.label for line in lines], width - 24)
    return 16.0 * (1 + max((row for _, row in places), default=-1)) + 8


def _legend_places(labels: Sequence[str], width: float) -> list[tuple[float, int]]:
    found, x, row = [], 0.0, 0
    for label in labels:
        needed = SWATCH + 6 + text_width(label, TEXT) + 12
        if x and x + needed > width:
            x, row = 0.0, row + 1
        found.append((x, row))
        x += needed
    return found


def draw_scale(panel: Panel, kind: str, ends: tuple[str, str]) -> None:
    """The shades of a kind (`a`, `d` or `h`) in a row, with the meaning of both ends."""
    x, y = panel.left, panel.under + 8
    start = x + text_width(ends[0], SMALL) + 4
    count = SHADES if kind == "h" else TONES
    panel.text(x, y + 8, escaped(ends[0]), "left soft")
    for n in range(count):
        panel.rect(f"{kind}{n}", start + 9 * n, y, 9.3, 9)
    panel.text(start + 9 * count + 5, y + 8, escaped(ends[1]), "left soft")
