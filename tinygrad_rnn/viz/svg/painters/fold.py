"""The band that represents the middle steps of a long sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...layout.step import RAIL
from ...style.palette import Scale
from ...style.text import escaped, number, power
from ..canvas import Canvas
from ..descents import Descent
from ..scene import Scene

__all__ = ["draw_fold"]

PIECES = 48  # pieces into which a state's line is divided inside a fold


def _fold_borders(scene: Scene) -> tuple[float, float]:
    strip, sheet = scene.strip, scene.sheet
    return strip.fold_at, strip.fold_at + strip.fold_width - sheet.gutter


def draw_fold(scene: Scene, canvas: Canvas, descents: Sequence[Descent]) -> None:
    """The band that represents the middle steps: each state's line, its gradient in pieces."""
    strip, sheet = scene.strip, scene.sheet
    if strip.folded is None:
        return
    first, last = strip.folded
    left, right = _fold_borders(scene)
    steps = sheet.unrolled.steps
    for band in sheet.bands:
        if band.bar is None and (band.states or any(band.paths)):
            canvas.add(
                f'<rect class="fold" x="{number(left)}" y="{number(band.top - 24)}" rx="8" '
                f'width="{number(right - left)}" height="{number(band.bottom - band.top + 34)}"/>'
            )
    canvas.add(
        f'<text class="time" x="{number((left + right) / 2)}" y="{number(sheet.bottom + 28)}">'
        f"t = {steps[first]} … {steps[last]}</text>"
    )
    plots: dict[int, list[Descent]] = {}
    for descent in descents:
        lift, gap = (-RAIL, sheet.gutter) if descent.reach > 0 else (RAIL, -sheet.gutter)
        ends = (left + min(gap, 0), right + max(gap, 0))
        if not scene.runs_along or not any(descent.norms):
            canvas.add(
                f'<path class="state" d="M{number(ends[0])} {number(descent.y + lift)}'
                f'H{number(ends[1])}"/>'
            )
        _draw_pieces(scene, canvas, descent, *ends)
        if any(descent.norms):
            plots.setdefault(id(descent.band), []).append(descent)
    for group in plots.values():
        _draw_plot(scene, canvas, group, left, right)


def _draw_pieces(scene: Scene, canvas: Canvas, descent: Descent, left: float, right: float) -> None:
    first, last = scene.strip.folded or (0, 0)
    count = min(PIECES, last - first + 1)
    y = descent.y + (RAIL if (descent.reach > 0) != scene.runs_along else -RAIL)
    for piece in range(count):
        a = first + piece * (last - first + 1) // count
        b = first + (piece + 1) * (last - first + 1) // count
        norms = [n for n in descent.norms[a:b] if n is not None]
        if norms:
            shade = canvas.scale.shade(max(norms))
            x1 = left + (right - left) * piece / count
            x2 = left + (right - left) * (piece + 1) / count
            canvas.add(
                f'<path class="{shade}" d="M{number(x1)} {number(y)}H{number(x2)}" '
                f'style="marker-end:none"/>'
            )


def _draw_plot(
    scene: Scene, canvas: Canvas, group: Sequence[Descent], left: float, right: float
) -> None:
    """A small plot of log10 of the norms, between the lines of the states or under them."""
    first, last = scene.strip.folded or (0, 0)
    band = group[0].band
    lanes = sorted(descent.y for descent in group)
    top = lanes[0] + 26
    bottom = min(top + 110, (lanes[-1] if len(lanes) > 1 else band.bottom) - 14)
    if bottom - top < 30:
        return
    scale, x0 = _plot_scale(group, first, last), left + 30
    for exponent in (scale.low, scale.high):
        y = _height(exponent, scale, top, bottom)
        canvas.add(
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
            canvas.add(f'<path class="plot" d="M{path}"/>')
            y = points[-1][1] - 5
            while any(abs(y - other) < 10 for other in names):
                y += 4
            names.append(y)
            canvas.add(
                f'<text class="caption" x="{number(right - 14)}" y="{number(y)}">'
                f"{escaped(descent.name[:8])}</text>"
            )


def _plot_scale(group: Sequence[Descent], first: int, last: int) -> Scale:
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
