"""What stands before the first step and after the last: initial states, the loss, the whole input.

A value of the last step goes straight on to the right. What comes from other steps too is
collected by a line above all columns; what all steps take comes along a line below them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from .columns import AFTER, BEFORE
from .paths import Point, corners
from .stamp import GUTTER, TRACK, lower
from .step import RAIL, Band, Box
from .text import escaped, fitted, number, text_width
from .unrolled import Edge, Row, state_name

if TYPE_CHECKING:
    from .svg import Drawing

__all__ = ["draw_ends"]

NEAR = 9.0  # from the border of a step to the upright run of a line
AWAY = 34.0  # from the last step to the head


def draw_ends(drawing: Drawing) -> float:
    """Draw all that belongs to no single step; returns how far to the right the picture goes."""
    _draw_initial_states(drawing)
    _draw_foot(drawing)
    right = drawing.strip.width - drawing.sheet.gutter
    head = drawing.sheet.head
    if head is None:
        return right + drawing.aside + 50
    beyond = drawing.aside if drawing.sheet.gutter > GUTTER else 0.0
    if any(band.backward for band in drawing.sheet.bands):
        beyond += 46
    return _draw_head(drawing, head, right + AWAY + beyond + TRACK * max(len(head.entries) - 1, 0))


def _draw_initial_states(drawing: Drawing) -> None:
    """Before the first step (or where a state starts anew): what the states start from."""
    sheet, places = drawing.sheet, drawing.strip.places
    for row in sheet.unrolled.rows.values():
        if row.kind != "initial":
            continue
        assert isinstance(row.key, tuple)
        state = row.key[1:]
        for band in sheet.bands:
            for column in row.members:
                if state in band.states and column in places:
                    is_first = column == (len(sheet.unrolled.steps) - 1 if band.backward else 0)
                    _draw_start(drawing, band, row, column, 14 + drawing.aside if is_first else 2)


def _draw_start(drawing: Drawing, band: Band, row: Row, column: int, away: float) -> None:
    sheet = drawing.sheet
    assert isinstance(row.key, tuple)
    node = sheet.unrolled.graph[row.top(column)]
    name = sheet.unrolled.root_name(node.index)
    if name is None:
        state = state_name(row.key[1])
        name = f"{state} = 0" if not np.any(node.value) else f"first {state}"
    side = 1 if band.backward else -1
    border = drawing.strip.places[column] + (sheet.width if band.backward else 0)
    y = band.states[row.key[1:]] + side * RAIL
    name = fitted(name, 9, 50)
    width = max(24.0, text_width(name, 9) + 12)
    middle = border + side * (away + width / 2)
    drawing.add(
        f'<path class="state" d="M{number(border + side * away)} {number(y)}H{number(border)}"/>'
        f'<rect class="input" x="{number(middle - width / 2)}" y="{number(y - 10)}" '
        f'width="{number(width)}" height="20" rx="10"/>'
        f'<text class="small" x="{number(middle)}" y="{number(y + 3)}">{escaped(name)}</text>'
    )
    x = middle - drawing.strip.places[column]
    drawing.starts.append(Box(row, name, x, y, width, 20.0, "input"))


def _edges_to_head(drawing: Drawing, value: Hashable) -> dict[int, list[Edge]]:
    """The edges that take `value` to the head, by the column that they come from."""
    unrolled = drawing.sheet.unrolled
    found: dict[int, list[Edge]] = defaultdict(list)
    for link in unrolled.links.values():
        if link.value == value:
            for edge in link.edges.get(AFTER, ()):
                found[unrolled.column_of[edge[0]]].append(edge)
    return found


def _draw_head(drawing: Drawing, head: Band, x: float) -> float:
    """Draw what stands after the last step, from `x` on, and what leads there."""
    sheet = drawing.sheet
    makers = {value: band for band in sheet.bands for value in band.exits}
    bars = {band.bar: band for band in sheet.bands if band.bar is not None}
    direct = [v for v in head.entries if v in makers and v not in sheet.collected]
    level = makers[direct[0]].exits[direct[0]] if direct else drawing.collector
    anchor = head.entries[direct[0]] if direct else min(head.entries.values(), default=0.0)
    lower(head, head.top + level - anchor)
    for track, (value, y_in) in enumerate(head.entries.items()):
        edges = _edges_to_head(drawing, value)
        turn = x - NEAR - TRACK * track
        bar = bars.get(min(edges))
        if value in sheet.collected:
            _collect(drawing, makers[value], value, edges, [(turn, y_in), (x, y_in)])
        elif value in makers or bar is not None:
            start, y_out = drawing.strip.width - 6, 0.0
            if value in makers:
                start, y_out = (
                    drawing.strip.places[max(edges)] + sheet.width,
                    makers[value].exits[value],
                )
            elif bar is not None:
                y_out = (bar.top + bar.bottom) / 2
            is_state = value in makers and any(value == v for v, _ in makers[value].states)
            points = [(start, y_out), (turn, y_out), (turn, y_in), (x, y_in)]
            _add_line(
                drawing, points, "state" if is_state else "wire", drawing.norm(edges[max(edges)])
            )
    drawing.head_at = x
    drawing.stamp(head.pieces, head.boxes, AFTER, x)
    return x + head.width


def _collect(
    drawing: Drawing,
    band: Band,
    value: Hashable,
    edges: dict[int, list[Edge]],
    end: list[Point],
) -> None:
    """Lead `value` out of each step of `edges` up to a line above all of them, and on to `end`."""
    sheet, y_out = drawing.sheet, band.exits[value]
    away = (-1 if band.backward else 1) * (NEAR + TRACK * sheet.collected[value])
    line = drawing.collector - TRACK * list(sheet.collected).index(value)
    starts = {
        column: x + (0 if band.backward else sheet.width)
        for column, x in drawing.strip.places.items()
        if column in edges
    }
    ways = {c: [(x, y_out), (x + away, y_out), (x + away, line)] for c, x in starts.items()}
    first = ways[min(ways)] if ways else []
    together = [*first[-1:], (end[0][0], line), *end]
    if len(ways) == 1:  # one line all the way
        together = [*first[:-1], *together]
    else:
        for column, way in ways.items():
            _add_line(drawing, way, "wire", drawing.norm(edges[column]))
    everything = drawing.norm([edge for group in edges.values() for edge in group])
    _add_line(drawing, together, "state", everything)


def _add_line(drawing: Drawing, points: list[Point], kind: str, norm: float | None) -> None:
    drawing.add_pair(corners(points, RAIL), corners(points, -RAIL, True), norm, kind)


def _draw_foot(drawing: Drawing) -> None:
    sheet, places = drawing.sheet, drawing.strip.places
    if sheet.foot is None:
        return
    x = min(places.values()) - 60 - sheet.foot.width
    lower(sheet.foot, sheet.bottom + 6)
    drawing.stamp(sheet.foot.pieces, sheet.foot.boxes, BEFORE, x)
