"""What lies under the steps: the background of each band, bars across the steps, the time axis."""

from __future__ import annotations

from functools import partial

from ....language import say
from ...layout.sheet import BAND_HEAD, Sheet
from ...layout.step import Band, label_of
from ...model.unrolled import common_path
from ...style.palette import TEXT
from ...style.text import escaped, fitted, number
from ..canvas import Canvas
from ..scene import Scene

__all__ = ["draw_ground"]


def draw_ground(scene: Scene, canvas: Canvas) -> None:
    """Draw the background of each band, its name, and the time under each step."""
    sheet, strip = scene.sheet, scene.strip
    for band in sheet.bands:
        if band.bar is not None:
            _draw_bar(scene, canvas, band)
            continue
        if not band.states and not any(band.paths):
            continue
        cell = canvas.define(("cell", id(band)), "c", partial(_ground, sheet, band), "rect")
        if scene.compact:
            canvas.add(
                f'<rect class="cell" x="-4" y="{number(band.top - 24)}" rx="8" '
                f'width="{number(strip.width + 4)}" '
                f'height="{number(band.bottom - band.top + 34)}"/>'
            )
        else:
            places = strip.places.values()
            canvas.add(*[f'<use href="#{cell}" x="{number(x)}"/>' for x in places])
        name = common_path(band.paths) or " · ".join(path for path in band.paths if path)
        canvas.add(
            f'<text class="band" x="4" y="{number(band.top - 8)}">{escaped(name)}'
            f"{' ← ' + say('against time') if band.backward else ''}</text>"
        )
    steps = sheet.unrolled.steps
    for column, x in strip.places.items():
        time = (
            scene.time(column)
            if not scene.rolled
            else say("every step t of {count}", count=len(steps))
        )
        if not sheet.unrolled.graph.steps or (scene.compact and column % 10):
            continue
        canvas.add(
            f'<text class="time" x="{number(x + sheet.width / 2)}" '
            f'y="{number(sheet.bottom + 28)}">{escaped(time)}</text>'
        )


def _draw_bar(scene: Scene, canvas: Canvas, band: Band) -> None:
    """Ops that belong to no step but that steps feed and use: one bar across all of them."""
    rows = sorted(band.rows, key=lambda row: row.kind != "input")
    labels = [
        f"{label_of(scene.sheet.unrolled, row)} {' '.join(row.parameters)}".strip() for row in rows
    ]
    start, end = -30.0 - scene.aside, scene.strip.width - 6
    text = escaped(fitted("  →  ".join(labels), TEXT, end - 20))
    canvas.add(
        f'<rect class="box" x="{number(start)}" y="{number(band.top)}" rx="6" '
        f'width="{number(end - start)}" '
        f'height="{number(band.bottom - band.top)}"/>'
        f'<text x="{number((start + end) / 2)}" y="{number(band.top + 17)}">{text}</text>'
    )


def _ground(sheet: Sheet, band: Band) -> str:
    """The attributes of the background of a band in each step."""
    return (
        f'class="cell" x="-4" y="{number(band.top - 10 - BAND_HEAD)}" rx="8" '
        f'width="{number(sheet.width + 8)}" '
        f'height="{number(band.bottom - band.top + 20 + BAND_HEAD)}"'
    )
