"""Flags over the picture: where a gradient vanishes, explodes or is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ....language import say
from ...layout.step import RAIL
from ...style.palette import SMALL
from ...style.text import escaped, number, text_width
from ..canvas import Canvas
from ..descents import Descent
from ..scene import Scene
from .cuts import Cut, cut_labels

__all__ = ["Flag", "draw_flags", "flags_of"]

FLAG = 22.0  # from a band up to the foot of a flag


@dataclass
class Flag:
    """A label with its foot at `y`, over a point of the picture at height `point`."""

    x: float
    y: float
    point: float
    text: str
    has_mark: bool
    width: float


def flags_of(scene: Scene, descents: Sequence[Descent], cuts: Sequence[Cut]) -> list[Flag]:
    """Where the gradient of a state has vanished or exploded, and where it is cut."""
    wanted = [
        (
            d.band,
            _turning_point(scene, d),
            d.y + RAIL,
            say("{name}: {verdict} here", name=say(d.name), verdict=say(d.verdict)),
            True,
        )
        for d in descents
        if d.turn is not None
    ]
    wanted += [
        (cut.band, cut.x(scene), cut.y, text, False) for cut, text in cut_labels(scene, cuts)
    ]
    flags: list[Flag] = []
    for band, x, point, text, has_mark in wanted:
        flag = Flag(x, band.top - FLAG, point, text, has_mark, text_width(text, SMALL) + 10)
        while any(
            abs(flag.x - other.x) < (flag.width + other.width) / 2 and flag.y == other.y
            for other in flags
        ):
            flag.y -= 18
        flags.append(flag)
    return flags


def draw_flags(canvas: Canvas, flags: Sequence[Flag]) -> None:
    """Draw the labels, each with a line to the place that it describes."""
    for flag in flags:
        x, left = number(flag.x), number(flag.x - flag.width / 2)
        canvas.add(f'<path class="flag" d="M{x} {number(flag.y)}V{number(flag.point)}"/>')
        if flag.has_mark:
            canvas.add(f'<circle class="mark" cx="{x}" cy="{number(flag.point)}" r="3.5"/>')
        canvas.add(
            f'<rect class="label" x="{left}" y="{number(flag.y - 15)}" '
            f'width="{number(flag.width)}" height="15" rx="3"/>'
            f'<text class="alarm" x="{x}" y="{number(flag.y - 4)}">{escaped(flag.text)}</text>'
        )


def _turning_point(scene: Scene, descent: Descent) -> float:
    """Where the gradient of a state vanishes or explodes: after a step, or inside the fold."""
    sheet, strip, turn = scene.sheet, scene.strip, descent.turn
    assert turn is not None
    if turn not in strip.places:
        return strip.inside(turn, sheet.gutter)
    half = sheet.gutter / 2
    return strip.places[turn] + (sheet.width + half if descent.reach > 0 else -half)
