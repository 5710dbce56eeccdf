"""The course of the gradient along each state, over all steps: what a fold shows, and the flags."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cuts import cut_labels
from .step import RAIL, Band
from .style import Scale
from .text import escaped, number, power, text_width
from .unrolled import state_name

if TYPE_CHECKING:
    from .svg import Drawing

__all__ = ["Descent", "Flag", "descents", "draw_flags", "draw_fold", "flags_of"]

VANISHED, EXPLODED = 1e-6, 1e6
FLAG = 22.0  # from a band up to the foot of a flag
PIECES = 48  # into which a state's line is cut inside a fold


@dataclass
class Descent:
    """The gradient's norm where a state leaves each step, from the end of time to its start.

    `norms[t]`: between column t and the one that takes the state over; None where there is none.
    `turn`: the column at which it first is below 1e-6 (above 1e6) of where it started.
    """

    band: Band
    value: Hashable
    name: str
    y: float
    reach: int
    norms: list[float | None]
    turn: int | None = None
    verdict: str = ""


def descents(drawing: Drawing) -> list[Descent]:
    """The course of the gradient along every state of the sheet, and whether it vanishes."""
    found = []
    unrolled = drawing.sheet.unrolled
    columns = range(len(unrolled.steps))
    for way in drawing.sheet.ways:
        if not way.is_state or abs(way.reach) != 1 or drawing.flow is None:
            continue
        norms: list[float | None] = []
        value = way.links[0].value
        for column in columns:
            place = unrolled.handed.get((value, column))
            norm = None if place is None else drawing.flow.handed(place)
            # What a step that was left out sends, it has sent to a node without edges.
            norms.append(drawing.norm(way.edges(column)) if norm is None else norm)
        y = way.points[0][1]
        band = next(b for b in drawing.sheet.bands if b.top <= y <= b.bottom)
        descent = Descent(band, value, state_name(value), y, way.reach, norms)
        _judge(descent, (way.reach > 0) != drawing.runs_along)
        found.append(descent)
    return found


def _judge(descent: Descent, from_end: bool) -> None:
    """Find where, seen from where the gradient comes, it has vanished or exploded."""
    order = list(range(len(descent.norms)))[:: -1 if from_end else 1]
    start = None
    for column in order:
        norm = descent.norms[column]
        if norm is None or (start is None and norm == 0):
            continue
        if start is None:
            start = norm
        elif norm < VANISHED * start or not norm <= EXPLODED * start:
            descent.turn = column
            descent.verdict = "vanishes" if norm < VANISHED * start else "explodes"
            return


@dataclass
class Flag:
    """A label with its foot at `y`, over a point of the picture at height `point`."""

    x: float
    y: float
    point: float
    text: str
    has_mark: bool
    width: float


def flags_of(drawing: Drawing) -> list[Flag]:
    """Where the gradient of a state has vanished or exploded, and where it is cut."""
    wanted = [
        (d.band, _turning_point(drawing, d), d.y + RAIL, f"{d.name}: {d.verdict} here", True)
        for d in drawing.descents
        if d.turn is not None
    ]
    wanted += [(cut.band, cut.x(drawing), cut.y, text, False) for cut, text in cut_labels(drawing)]
    flags: list[Flag] = []
    for band, x, point, text, has_mark in wanted:
        flag = Flag(x, band.top - FLAG, point, text, has_mark, text_width(text, 10) + 10)
        while any(
            abs(flag.x - other.x) < (flag.width + other.width) / 2 and flag.y == other.y
            for other in flags
        ):
            flag.y -= 18
        flags.append(flag)
    return flags


def draw_flags(drawing: Drawing) -> None:
    """Draw the labels, each with a line to what it stands at."""
    for flag in drawing.flags:
        x, left = number(flag.x), number(flag.x - flag.width / 2)
        drawing.add(f'<path class="flag" d="M{x} {number(flag.y)}V{number(flag.point)}"/>')
        if flag.has_mark:
            drawing.add(f'<circle class="mark" cx="{x}" cy="{number(flag.point)}" r="3.5"/>')
        drawing.add(
            f'<rect class="label" x="{left}" y="{number(flag.y - 15)}" '
            f'width="{number(flag.width)}" height="15" rx="3"/>'
            f'<text class="alarm" x="{x}" y="{number(flag.y - 4)}">{escaped(flag.text)}</text>'
        )


def _turning_point(drawing: Drawing, descent: Descent) -> float:
    """Where the gradient of a state vanishes or explodes: after a step, or inside the fold."""
    sheet, strip, turn = drawing.sheet, drawing.strip, descent.turn
    assert turn is not None
    if turn not in strip.places:
        return strip.inside(turn, sheet.gutter)
    half = sheet.gutter / 2
    return strip.places[turn] + (sheet.width + half if descent.reach > 0 else -half)


def _fold_borders(drawing: Drawing) -> tuple[float, float]:
    strip, sheet = drawing.strip, drawing.sheet
    return strip.fold_at, strip.fold_at + strip.fold_width - sheet.gutter


def draw_fold(drawing: Drawing) -> None:
    """The band that stands for the middle steps: each state's line, its gradient in pieces."""
    strip, sheet = drawing.strip, drawing.sheet
    if strip.folded is None:
        return
    first, last = strip.folded
    left, right = _fold_borders(drawing)
    steps = sheet.unrolled.steps
    for band in sheet.bands:
        if band.bar is None and (band.states or any(band.paths)):
            drawing.add(
                f'<rect class="fold" x="{number(left)}" y="{number(band.top - 24)}" rx="8" '
                f'width="{number(right - left)}" height="{number(band.bottom - band.top + 34)}"/>'
            )
    drawing.add(
        f'<text class="time" x="{number((left + right) / 2)}" y="{number(sheet.bottom + 28)}">'
        f"t = {steps[first]} … {steps[last]}</text>"
    )
    plots: dict[int, list[Descent]] = {}
    for descent in drawing.descents:
        lift, gap = (-RAIL, sheet.gutter) if descent.reach > 0 else (RAIL, -sheet.gutter)
        ends = (left + min(gap, 0), right + max(gap, 0))
        if not drawing.runs_along or not any(descent.norms):
            drawing.add(
                f'<path class="state" d="M{number(ends[0])} {number(descent.y + lift)}'
                f'H{number(ends[1])}"/>'
            )
        _draw_pieces(drawing, descent, *ends)
        if any(descent.norms):
            plots.setdefault(id(descent.band), []).append(descent)
    for group in plots.values():
        _draw_plot(drawing, group, left, right)


def _draw_pieces(drawing: Drawing, descent: Descent, left: float, right: float) -> None:
    first, last = drawing.strip.folded or (0, 0)
    count = min(PIECES, last - first + 1)
    y = descent.y + (RAIL if (descent.reach > 0) != drawing.runs_along else -RAIL)
    for piece in range(count):
        a = first + piece * (last - first + 1) // count
        b = first + (piece + 1) * (last - first + 1) // count
        norms = [n for n in descent.norms[a:b] if n is not None]
        if norms:
            shade = drawing.scale.shade(max(norms))
            x1 = left + (right - left) * piece / count
            x2 = left + (right - left) * (piece + 1) / count
            drawing.add(
                f'<path class="{shade}" d="M{number(x1)} {number(y)}H{number(x2)}" '
                f'style="marker-end:none"/>'
            )


def _draw_plot(drawing: Drawing, group: list[Descent], left: float, right: float) -> None:
    """A small plot of log10 of the norms, between the lines of the states or under them."""
    first, last = drawing.strip.folded or (0, 0)
    band = group[0].band
    lanes = sorted(descent.y for descent in group)
    top = lanes[0] + 26
    bottom = min(top + 110, (lanes[-1] if len(lanes) > 1 else band.bottom) - 14)
    if bottom - top < 30:
        return
    scale, x0 = _plot_scale(group, first, last), left + 30
    for exponent in (scale.low, scale.high):
        y = _height(exponent, scale, top, bottom)
        drawing.add(
            f'<path class="axis" d="M{number(x0)} {number(y)}H{number(right - 8)}"/>'
            f'<text class="caption" x="{number(left + 17)}" y="{number(y + 3)}">'
            f"{power(round(exponent))}</text>"
        )
    names: list[float] = []
    for descent in group:
        points = []
        stride = max(1, (last - first + 1) // 200)
        for column in range(first, last + 1, stride):
            norm = descent.norms[column]
            if norm is not None and 0 < norm < math.inf:
                x = x0 + (right - 8 - x0) * (column - first) / max(last - first, 1)
                points.append((x, _height(math.log10(norm), scale, top, bottom)))
        if points:
            path = "L".join(f"{number(x)} {number(y)}" for x, y in points)
            drawing.add(f'<path class="plot" d="M{path}"/>')
            y = points[-1][1] - 5
            while any(abs(y - other) < 10 for other in names):
                y += 4
            names.append(y)
            drawing.add(
                f'<text class="caption" x="{number(right - 14)}" y="{number(y)}">'
                f"{escaped(descent.name[:8])}</text>"
            )


def _plot_scale(group: list[Descent], first: int, last: int) -> Scale:
    logs = [
        math.log10(norm)
        for descent in group
        for norm in descent.norms[first : last + 1]
        if norm is not None and 0 < norm < math.inf
    ]
    low, high = math.floor(min(logs, default=-1)), math.ceil(max(logs, default=0))
    return Scale(low, max(high, low + 1))


def _height(exponent: float, scale: Scale, top: float, bottom: float) -> float:
    return bottom - (exponent - scale.low) / (scale.high - scale.low) * (bottom - top)
