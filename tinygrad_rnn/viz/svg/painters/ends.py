"""What precedes the first step and follows the last: initial states, the loss, the whole input.

A value of the last step continues straight to the right. Values from other steps are collected by a
line above all columns; a value that all steps use comes along a line below them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ....language import say
from ...layout.sheet import GUTTER, TRACK, lower
from ...layout.step import RAIL, Band, Box
from ...model.columns import AFTER, BEFORE
from ...model.unrolled import Edge, Row, state_name
from ...style.palette import SMALL
from ...style.paths import Point, corners
from ...style.text import escaped, fitted, number, text_width
from ..canvas import Canvas
from ..scene import Scene
from .stamps import stamp

__all__ = ["Ends", "draw_ends"]

NEAR = 9.0  # from the border of a step to the vertical run of a line
AWAY = 34.0  # from the last step to the head


@dataclass
class Ends:
    """What was drawn beside the steps.

    `right`: how far the picture extends. `head_at`: the left border of what follows the last step.
    `starts`: the boxes of what the states start from.
    """

    right: float
    head_at: float = 0.0
    starts: list[Box] = field(default_factory=list)


def draw_ends(scene: Scene, canvas: Canvas, collector: float) -> Ends:
    """Draw everything that belongs to no single step.

    `collector`: the height of the line above all columns.
    """
    starts = list(_draw_initial_states(scene, canvas))
    _draw_foot(scene, canvas)
    sheet = scene.sheet
    right = scene.strip.width - sheet.gutter
    if sheet.head is None:
        return Ends(right + scene.aside + 50, starts=starts)
    beyond = scene.aside if sheet.gutter > GUTTER else 0.0
    if any(band.backward for band in sheet.bands):
        beyond += 46
    x = right + AWAY + beyond + TRACK * max(len(sheet.head.entries) - 1, 0)
    _draw_head(scene, canvas, sheet.head, x, collector)
    return Ends(x + sheet.head.width, x, starts)


def _draw_initial_states(scene: Scene, canvas: Canvas) -> Iterator[Box]:
    """Before the first step (or where a state starts anew): what the states start from."""
    sheet, places = scene.sheet, scene.strip.places
    for row in sheet.unrolled.rows.values():
        if row.kind != "initial":
            continue
        assert isinstance(row.key, tuple)
        state = row.key[1:]
        for band in sheet.bands:
            for column in row.members:
                if state in band.states and column in places:
                    is_first = column == (len(sheet.unrolled.steps) - 1 if band.backward else 0)
                    away = 14 + scene.aside if is_first else 2
                    yield _draw_start(scene, canvas, band, row, column, away)


def _draw_start(
    scene: Scene, canvas: Canvas, band: Band, row: Row, column: int, away: float
) -> Box:
    sheet = scene.sheet
    assert isinstance(row.key, tuple)
    node = sheet.unrolled.graph[row.top(column)]
    name = sheet.unrolled.root_name(node.index)
    if name is None:
        state = state_name(row.key[1])
        name = f"{state} = 0" if not np.any(node.value) else say("first {state}", state=state)
    side = 1 if band.backward else -1
    border = scene.strip.places[column] + (sheet.width if band.backward else 0)
    y = band.states[row.key[1:]] + side * RAIL
    name = fitted(name, SMALL, 54)
    width = max(24.0, text_width(name, SMALL) + 12)
    middle = border + side * (away + width / 2)
    canvas.add(
        f'<path class="state" d="M{number(border + side * away)} {number(y)}H{number(border)}"/>'
        f'<rect class="input" x="{number(middle - width / 2)}" y="{number(y - 10)}" '
        f'width="{number(width)}" height="20" rx="10"/>'
        f'<text class="small" x="{number(middle)}" y="{number(y + 3)}">{escaped(name)}</text>'
    )
    x = middle - scene.strip.places[column]
    return Box(row, name, x, y, width, 20.0, "input")


def _edges_to_head(scene: Scene, value: Hashable) -> dict[int, list[Edge]]:
    """The edges that take `value` to the head, by the column that they come from."""
    unrolled = scene.sheet.unrolled
    found: dict[int, list[Edge]] = defaultdict(list)
    for link in unrolled.links.values():
        if link.value == value:
            for edge in link.edges.get(AFTER, ()):
                found[unrolled.column_of[edge[0]]].append(edge)
    return found


def _draw_head(scene: Scene, canvas: Canvas, head: Band, x: float, collector: float) -> None:
    """Draw what follows the last step, from `x` on, and the edges that lead to it."""
    sheet = scene.sheet
    makers = {value: band for band in sheet.bands for value in band.exits}
    bars = {band.bar: band for band in sheet.bands if band.bar is not None}
    direct = [v for v in head.entries if v in makers and v not in sheet.collected]
    level = makers[direct[0]].exits[direct[0]] if direct else collector
    anchor = head.entries[direct[0]] if direct else min(head.entries.values(), default=0.0)
    lower(head, head.top + level - anchor)
    for track, (value, y_in) in enumerate(head.entries.items()):
        edges = _edges_to_head(scene, value)
        turn = x - NEAR - TRACK * track
        bar = bars.get(min(edges))
        if value in sheet.collected:
            line = collector - TRACK * list(sheet.collected).index(value)
            end = [(turn, y_in), (x, y_in)]
            _collect(scene, canvas, makers[value], value, edges, line, end)
        elif value in makers or bar is not None:
            start, y_out = scene.strip.width - 6, 0.0
            if value in makers:
                start, y_out = (
                    scene.strip.places[max(edges)] + sheet.width,
                    makers[value].exits[value],
                )
            elif bar is not None:
                y_out = (bar.top + bar.bottom) / 2
            is_state = value in makers and any(value == v for v, _ in makers[value].states)
            points = [(start, y_out), (turn, y_out), (turn, y_in), (x, y_in)]
            _add_line(
                canvas, points, "state" if is_state else "wire", scene.norm(edges[max(edges)])
            )
    stamp(scene, canvas, head.pieces, head.boxes, AFTER, x)


def _collect(
    scene: Scene,
    canvas: Canvas,
    band: Band,
    value: Hashable,
    edges: dict[int, list[Edge]],
    line: float,
    end: list[Point],
) -> None:
    """Route `value` out of each step of `edges` up to `line`, above them all, and on to `end`."""
    sheet, y_out = scene.sheet, band.exits[value]
    away = (-1 if band.backward else 1) * (NEAR + TRACK * sheet.collected[value])
    starts = {
        column: x + (0 if band.backward else sheet.width)
        for column, x in scene.strip.places.items()
        if column in edges
    }
    ways = {c: [(x, y_out), (x + away, y_out), (x + away, line)] for c, x in starts.items()}
    first = ways[min(ways)] if ways else []
    together = [*first[-1:], (end[0][0], line), *end]
    if len(ways) == 1:  # one line all the way
        together = [*first[:-1], *together]
    else:
        for column, way in ways.items():
            _add_line(canvas, way, "wire", scene.norm(edges[column]))
    everything = scene.norm([edge for group in edges.values() for edge in group])
    _add_line(canvas, together, "state", everything)


def _add_line(canvas: Canvas, points: list[Point], kind: str, norm: float | None) -> None:
    canvas.add_pair(corners(points, RAIL), corners(points, -RAIL, True), norm, kind)


def _draw_foot(scene: Scene, canvas: Canvas) -> None:
    sheet, places = scene.sheet, scene.strip.places
    if sheet.foot is None:
        return
    x = min(places.values()) - 60 - sheet.foot.width
    lower(sheet.foot, sheet.bottom + 6)
    stamp(scene, canvas, sheet.foot.pieces, sheet.foot.boxes, BEFORE, x)
