"""The step, stamped along time: all bands above one another, all columns side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field

from ..model.bands import bands_of
from ..model.columns import AFTER, BARS, BEFORE
from ..model.unrolled import Edge, Link, Row, Unrolled
from .step import Band, Numbers, Point, draw_band, no_numbers

__all__ = ["Sheet", "Way", "arrange", "lower"]

GUTTER = 30.0  # between columns
BAND_GAP = 30.0
BAR_HEIGHT = 26.0
BAND_HEAD = 16.0  # room for the band's name, above its content
TRACK = 14.0


@dataclass
class Way:
    """A route between bands or steps: points relative to the left border of its column.

    `links` as in `Course`; `reach`: how many steps later it arrives.
    """

    points: list[Point]
    links: list[Link]
    reach: int = 0
    is_state: bool = False
    inward: bool = False  # whether it starts at a bar

    def edges(self, column: int) -> list[Edge]:
        """The graph's edges that leave `column` along this route."""
        found: list[Edge] = []
        for link in self.links:
            if self.inward:
                found += link.edges.get(column, ())
            elif link.delta == self.reach:
                found += link.leaving(column)
        return found

    def is_in(self, column: int) -> bool:
        """Whether any value flows along it in `column`."""
        if self.inward:
            return bool(self.edges(column))
        return any(link.delta == self.reach and link.leaves(column) for link in self.links)


@dataclass
class Sheet:
    """Everything that is stamped: bands with coordinates in one step, and the routes between them.

    `collected`: the values that the head takes from steps other than the last, each with its track
    beside a step (the position of its line on that side).
    """

    unrolled: Unrolled
    bands: list[Band]  # the topmost first
    ways: list[Way] = field(default_factory=list)
    head: Band | None = None
    foot: Band | None = None
    collected: dict[Hashable, int] = field(default_factory=dict)
    width: float = 0.0
    gutter: float = GUTTER
    top: float = 0.0
    bottom: float = 0.0

    @property
    def pitch(self) -> float:
        """From one column to the next."""
        return self.width + self.gutter

    def taken(self, backward: bool) -> int:
        """The tracks of collected values on the side where bands of a direction end."""
        ends = (value for band in self.bands if band.backward == backward for value in band.exits)
        return sum(value in self.collected for value in ends)


def arrange(unrolled: Unrolled, loop: float = 0.0, numbers: Numbers = no_numbers) -> Sheet:
    """Lay out the bands of `unrolled`, stack them, and route the edges between them.

    `loop`: the room to leave above a band for each of its states. `numbers`: see `Numbers`. Without
    steps everything is one band, from left to right.
    """
    in_time: list[Row] = []
    head, foot = Band(["head"], []), Band(["foot"], [])
    for row in unrolled.rows.values():
        columns = set(row.members)
        (head.rows if columns == {AFTER} else foot.rows if columns == {BEFORE} else in_time).append(
            row
        )
    is_one = not unrolled.graph.steps and not any(n.origin is not None for n in unrolled.graph)
    groups = [in_time] if is_one and in_time else bands_of(unrolled, in_time)
    bands = [Band(_paths(rows), rows, bar=_bar(rows)) for rows in groups]
    bands.reverse()  # from the top: what is fed first; gradients at the bottom
    sheet = Sheet(unrolled, sorted(bands, key=lambda band: _is_backward(unrolled, band)))
    for band in sheet.bands:
        if band.bar is None:
            draw_band(unrolled, band, numbers)
        else:
            band.top, band.bottom = -BAR_HEIGHT / 2, BAR_HEIGHT / 2
    sheet.width = max((band.width for band in sheet.bands), default=0.0)
    for band in sheet.bands:
        if band.bar is None:
            _stretch(band, sheet.width)
    for which, band in (("head", head), ("foot", foot)):
        if band.rows:
            draw_band(unrolled, band)
            _stretch(band, band.width)
            setattr(sheet, which, band)
    _collect(sheet)
    _stack(sheet, loop)
    sheet.gutter = (3.0 if unrolled.is_compact else GUTTER) + TRACK * _track_count(sheet)
    _lead(sheet)
    return sheet


def _bar(rows: list[Row]) -> int | None:
    column = min(rows[0].members)
    return column if column <= BARS else None


def _is_backward(unrolled: Unrolled, band: Band) -> bool:
    """Whether the ops of a band are those of a backward pass."""
    tops = (unrolled.graph[row.top(min(row.members))] for row in band.rows)
    return any(node.origin is not None for node in tops)


def _paths(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row.path for row in rows))


def _stretch(band: Band, width: float) -> None:
    """Centre the band in the step, extend its open ends to the borders, mirror it if need be."""
    shift = (width - band.width) / 2
    for box in band.boxes:
        box.x += shift
    for course in band.courses:
        course.points = [(x + shift, y) for x, y in course.points]
        if not course.starts:
            course.points[0] = (0.0, course.points[0][1])
        if not course.ends:
            course.points[-1] = (width, course.points[-1][1])
    if band.backward:
        for box in band.boxes:
            box.x = width - box.x
        for course in band.courses:
            course.points = [(width - x, y) for x, y in course.points]


def _stack(sheet: Sheet, loop: float) -> None:
    """Give each band its position on the sheet, the topmost at 0."""
    y = 0.0
    for band in sheet.bands:
        channels = sum((value in band.entries) for other in sheet.bands for value in other.exits)
        y += loop * len(band.states)
        y = lower(band, y + BAND_HEAD) + BAND_GAP + TRACK * channels
    sheet.bottom = max(y - BAND_GAP, 0.0)


def lower(band: Band, y: float) -> float:
    """Move the band down so that its top is at `y`; returns where its bottom then is."""
    shift = y - band.top
    band.top, band.bottom = y, band.bottom + shift
    for box in band.boxes:
        box.y += shift
    for course in band.courses:
        course.points = [(x, py + shift) for x, py in course.points]
    for heights in (band.exits, band.states, band.entries):
        for key in heights:
            heights[key] += shift  # type: ignore[index]
    return band.bottom


def _track_count(sheet: Sheet) -> int:
    """How many vertical lines run beside a step."""
    bars = [band.bar for band in sheet.bands if band.bar is not None]
    to_bars = sum(bar in link.edges for link in sheet.unrolled.links.values() for bar in bars)
    collected = max(sheet.taken(False) - 1, 0) + sheet.taken(True)
    return to_bars + collected + sum(len(band.entries) for band in sheet.bands)


def _collect(sheet: Sheet) -> None:
    """Find the values that the head takes, except those straight from the last step."""
    unrolled, count = sheet.unrolled, {True: 0, False: 0}
    for value in sheet.head.entries if sheet.head is not None else ():
        maker = next((band for band in sheet.bands if value in band.exits), None)
        columns = {
            unrolled.column_of[edge[0]]
            for link in unrolled.links.values()
            if link.value == value
            for edge in link.edges.get(AFTER, ())
        }
        if maker and (maker.backward or columns != {len(unrolled.steps) - 1}):
            sheet.collected[value] = count[maker.backward]
            count[maker.backward] += 1


def _lead(sheet: Sheet) -> None:
    """The routes from one step to the next and from one band to another."""
    width, pitch = sheet.width, sheet.pitch
    tracks = max(sheet.taken(False) - 1, 0)
    for band in sheet.bands:
        for bar in sheet.bands:
            if bar.bar is not None:
                _lead_from_bar(sheet, bar, band)
    outward: dict[Hashable, list[Link]] = defaultdict(list)
    for link in sheet.unrolled.links.values():
        outward[link.value].append(link)
    for band in sheet.bands:
        out = 0.0 if band.backward else width
        aside = -1 if band.backward else 1
        for value, y in band.exits.items():
            for other in sheet.bands:
                if other.bar is not None:
                    links = [k for k in outward[value] if other.bar in k.edges]
                    if links:
                        tracks += 1
                        x = out + aside * (4.0 + TRACK * tracks)
                        edge = other.bottom if other.bottom < y else other.top
                        sheet.ways.append(Way([(out, y), (x, y), (x, edge)], links))
                    continue
                ins = 1 if other.backward else -1  # the side on which its entries are
                border = width if other.backward else 0.0
                for (state, delta), y_in in other.states.items():
                    if state != value:
                        continue
                    links = [link for link in outward[value] if link.delta == delta]
                    if other is band and abs(delta) == 1:
                        points = [(out, y), (border + delta * pitch, y_in)]
                    else:
                        tracks += 1
                        points = _around(
                            out, y, aside, other, border + delta * pitch, y_in, ins, tracks, 0
                        )
                    sheet.ways.append(Way(points, links, delta, True))
                if value in other.entries and other is not band:
                    tracks += 1
                    points = _around(
                        out,
                        y,
                        aside,
                        other,
                        border,
                        other.entries[value],
                        ins,
                        tracks,
                        list(other.entries).index(value),
                    )
                    keys = {row.key for row in other.rows}
                    links = [k for k in outward[value] if k.target in keys and not k.delta]
                    sheet.ways.append(Way(points, links))


def _lead_from_bar(sheet: Sheet, bar: Band, band: Band) -> None:
    """The routes from a bar to the entries of a band."""
    side, border = (1, sheet.width) if band.backward else (-1, 0.0)
    keys, own = {row.key for row in bar.rows}, {row.key for row in band.rows}
    for value, y in band.entries.items():
        links = [
            link
            for link in sheet.unrolled.links.values()
            if link.value == value and link.source in keys and link.target in own
        ]
        if links:
            x = border + side * (14.0 + TRACK * sheet.taken(True))
            edge = bar.top if bar.top > y else bar.bottom
            sheet.ways.append(Way([(x, edge), (x, y), (border, y)], links, inward=True))


def _around(
    x: float,
    y: float,
    aside: int,
    band: Band,
    x_in: float,
    y_in: float,
    ins: int,
    track: int,
    channel: int,
) -> list[Point]:
    """Out to the gutter, along the channel under `band` if entered from the far side, and in."""
    out = x + aside * (4.0 + TRACK * track)
    near = x_in + ins * 14.0
    if aside == ins and x == x_in:
        return [(x, y), (out, y), (out, y_in), (x_in, y_in)]
    low = band.bottom + 18 + TRACK * channel
    return [(x, y), (out, y), (out, low), (near, low), (near, y_in), (x_in, y_in)]
