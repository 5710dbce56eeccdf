"""One step alone, its states led back to where they enter it through a delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .paths import corners
from .step import RAIL
from .text import number

if TYPE_CHECKING:
    from .svg import Drawing

__all__ = ["LOOP", "draw_loops"]

LOOP = 22.0  # between one loop and the next, over the band


def draw_loops(drawing: Drawing) -> None:
    """Draw each recurrent edge as a loop over its band, marked as a delay."""
    (column,) = drawing.strip.places
    width, counts = drawing.sheet.width, dict.fromkeys(map(id, drawing.sheet.bands), 0)
    for way in drawing.sheet.ways:
        if not way.reach:
            continue
        (start, y_out), (_, y_in) = way.points[0], way.points[-1]
        side = 1 if way.reach > 0 else -1
        out, back = (width, 0.0) if side > 0 else (0.0, width)
        band = next(b for b in drawing.sheet.bands if b.top <= y_out <= b.bottom)
        count = counts[id(band)] = counts[id(band)] + 1
        away = side * (drawing.aside + LOOP * count)
        far, near = out + away, back - away
        over = band.top - 22 - LOOP * count
        points = [
            (start, y_out), (far, y_out), (far, over), (near, over), (near, y_in), (back, y_in),
        ]  # fmt: skip
        edges = way.edges(column)
        norm = drawing.norm(edges) if edges else None
        drawing.add_pair(corners(points, RAIL), corners(points, -RAIL, True), norm, "state")
        text = "t − 1" if way.reach > 0 else "t + 1"
        if abs(way.reach) > 1:
            text = f"t {'−' if way.reach > 0 else '+'} {abs(way.reach)}"
        middle = (out + back) / 2
        drawing.add(
            f'<rect class="label delay" x="{number(middle - 22)}" y="{number(over - 9)}" '
            f'width="44" height="18" rx="4"/>'
            f'<text class="small" x="{number(middle)}" y="{number(over + 3)}">{text}</text>'
        )
