"""One step alone, with its states fed back to where they enter it through a delay."""

from __future__ import annotations

from ...layout.step import RAIL
from ...style.paths import corners
from ...style.text import number
from ..canvas import Canvas
from ..scene import Scene

__all__ = ["LOOP", "draw_loops", "loops_width"]

LOOP = 22.0  # between one loop and the next, over the band


def loops_width(scene: Scene) -> float:
    """The room that the states' loops take on each side of the step."""
    return LOOP * (1 + max((len(band.states) for band in scene.sheet.bands), default=0))


def draw_loops(scene: Scene, canvas: Canvas) -> None:
    """Draw each recurrent edge as a loop over its band, marked as a delay."""
    (column,) = scene.strip.places
    width, counts = scene.sheet.width, dict.fromkeys(map(id, scene.sheet.bands), 0)
    for way in scene.sheet.ways:
        if not way.reach:
            continue
        (start, y_out), (_, y_in) = way.points[0], way.points[-1]
        side = 1 if way.reach > 0 else -1
        out, back = (width, 0.0) if side > 0 else (0.0, width)
        band = next(b for b in scene.sheet.bands if b.top <= y_out <= b.bottom)
        count = counts[id(band)] = counts[id(band)] + 1
        away = side * (scene.aside + LOOP * count)
        far, near = out + away, back - away
        over = band.top - 22 - LOOP * count
        points = [
            (start, y_out), (far, y_out), (far, over), (near, over), (near, y_in), (back, y_in),
        ]  # fmt: skip
        edges = way.edges(column)
        norm = scene.norm(edges) if edges else None
        canvas.add_pair(corners(points, RAIL), corners(points, -RAIL, True), norm, "state")
        text = "t − 1" if way.reach > 0 else "t + 1"
        if abs(way.reach) > 1:
            text = f"t {'−' if way.reach > 0 else '+'} {abs(way.reach)}"
        middle = (out + back) / 2
        canvas.add(
            f'<rect class="label delay" x="{number(middle - 22)}" y="{number(over - 9)}" '
            f'width="44" height="18" rx="4"/>'
            f'<text class="small" x="{number(middle)}" y="{number(over + 3)}">{text}</text>'
        )
