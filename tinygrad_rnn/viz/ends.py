"""What stands before the first step and after the last: initial states, the loss, the whole input.

A value of the last step goes straight on to the right. What comes from other steps too is
collected by a line above all columns; what all steps take comes along a line below them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from .paths import corners
from .stamp import GUTTER, TRACK, lower
from .step import RAIL, Band
from .text import escaped, fitted, number, text_width
from .unrolled import AFTER, BEFORE, Edge, Row

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
    return _draw_head(drawing, head, right + AWAY + beyond + 5 * len(head.entries))


def _draw_initial_states(drawing: Drawing) -> None:
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
                    if is_first:
                        _draw_start(drawing, band, row, column)
                    else:
                        _draw_cut(drawing, band, row, column)


def _draw_start(drawing: Drawing, band: Band, row: Row, column: int) -> None:
    sheet = drawing.sheet
    assert isinstance(row.key, tuple)
    node = sheet.unrolled.graph[row.top(column)]
    name = sheet.unrolled.root_name(node.index) or ("0" if not np.any(node.value) else "start")
    side = 1 if band.backward else -1
    border = drawing.strip.places[column] + (sheet.width if band.backward else 0)
    y = band.states[row.key[1:]] + side * RAIL
    drawing.add(_pill(border, y, side, name, 14 + drawing.aside))


def _draw_cut(drawing: Drawing, band: Band, row: Row, column: int) -> None:
    """Where a detached state enters a step: the line goes on, the gradient does not."""
    sheet = drawing.sheet
    assert isinstance(row.key, tuple)
    side = 1 if band.backward else -1
    border = drawing.strip.places[column] + (sheet.width if band.backward else 0)
    y = band.states[row.key[1:]]
    middle = border + side * sheet.gutter / 2
    edges = [
        edge
        for link in sheet.unrolled.links.values()
        if link.source == row.key
        for edge in link.edges.get(column, ())
    ]
    lost = drawing.flow.withheld(edges) if drawing.flow is not None else None
    kept = drawing.flow.at(row.top(column)) if drawing.flow is not None else None
    text = "cut" if lost is None or kept is not None else f"cut: {lost:.1e} lost"
    width = text_width(text, 9) + 8
    drawing.add(
        f'<path class="state" stroke-dasharray="4 3" d="M{number(border + side * sheet.gutter)} '
        f'{number(y + side * RAIL)}H{number(border)}"/>'
        f'<path class="cut" d="M{number(middle)} {number(y - 11)}v22"/>'
        f'<rect class="label" x="{number(middle - width / 2)}" y="{number(y + 13)}" '
        f'width="{number(width)}" height="14" rx="3"/>'
        f'<text class="alarm" x="{number(middle)}" y="{number(y + 23)}">{escaped(text)}</text>'
    )


def _pill(border: float, y: float, side: int, name: str, away: float) -> str:
    name = fitted(name, 9, 44)
    width = max(24.0, text_width(name, 9) + 12)
    middle = border + side * (away + width / 2)
    return (
        f'<path class="state" d="M{number(border + side * away)} {number(y)}H{number(border)}"/>'
        f'<rect class="input" x="{number(middle - width / 2)}" y="{number(y - 10)}" '
        f'width="{number(width)}" height="20" rx="10"/>'
        f'<text class="small" x="{number(middle)}" y="{number(y + 3)}">{escaped(name)}</text>'
    )


def _edges_to(drawing: Drawing, value: Hashable, target: int) -> dict[int, list[Edge]]:
    """The edges that take `value` to the column `target`, by the column that they come from."""
    unrolled = drawing.sheet.unrolled
    found: dict[int, list[Edge]] = defaultdict(list)
    for link in unrolled.links.values():
        if link.value == value:
            for edge in link.edges.get(target, ()):
                if unrolled.column_of[edge[0]] >= 0:
                    found[unrolled.column_of[edge[0]]].append(edge)
    return found


def _draw_head(drawing: Drawing, head: Band, x: float) -> float:
    sheet, places = drawing.sheet, drawing.strip.places
    makers = {value: band for band in sheet.bands for value in band.exits}
    last = max(places)
    wanted = {value: _edges_to(drawing, value, AFTER) for value in head.entries}
    direct = [
        value
        for value, edges in wanted.items()
        if set(edges) == {last} and value in makers and not makers[value].backward
    ]
    top = sheet.top - 24.0
    level = makers[direct[0]].exits[direct[0]] if direct else top
    anchor = head.entries[direct[0]] if direct else min(head.entries.values(), default=0.0)
    lower(head, head.top + level - anchor)
    for track, (value, edges) in enumerate(wanted.items()):
        y_in, band = head.entries[value], makers.get(value)
        if band is None:
            continue
        y_out, turn = band.exits[value], x - NEAR - 5 * track
        if value in direct:
            start = places[last] + sheet.width
            points = [(start, y_out), (turn, y_out), (turn, y_in), (x, y_in)]
            norm = drawing.norm(edges[last])
            drawing.add_pair(corners(points, RAIL), corners(points, -RAIL, True), norm, "wire")
            continue
        bus = top - TRACK * track
        shown = {column: edges[column] for column in edges if column in places}
        for column, group in shown.items():
            aside = -1 if band.backward else 1
            border = places[column] + (0 if band.backward else sheet.width)
            out = border + aside * NEAR
            points = [(border, y_out), (out, y_out), (out, bus + RAIL)]
            paths = corners(points, RAIL), corners(points, -RAIL, True)
            drawing.add_pair(*paths, drawing.norm(group), "wire")
        start = places[min(shown)] + (0 if band.backward else sheet.width) - NEAR
        points = [(start, bus), (turn, bus), (turn, y_in), (x, y_in)]
        everything = drawing.norm([edge for group in edges.values() for edge in group])
        drawing.add_pair(corners(points, RAIL), corners(points, -RAIL, True), everything, "state")
    drawing.head_at = x
    drawing.stamp(head.courses, head.boxes, AFTER, x)
    return x + head.width


def _draw_foot(drawing: Drawing) -> None:
    sheet, places = drawing.sheet, drawing.strip.places
    if sheet.foot is None:
        return
    x = min(places.values()) - 60 - sheet.foot.width
    lower(sheet.foot, sheet.bottom + 6)
    drawing.stamp(sheet.foot.courses, sheet.foot.boxes, BEFORE, x)
