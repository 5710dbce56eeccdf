"""The picture as SVG: what is the same in many steps is written once and stamped with `<use>`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial

from .columns import AFTER, BEFORE
from .course import Descent, Flag, descents, draw_flags, draw_fold, flags_of
from .cuts import Cut, cuts_of, draw_cuts
from .ends import draw_ends
from .flow import Gradients
from .paths import Point, corners, curve
from .rolled import LOOP, draw_loops
from .stamp import BAND_HEAD, TRACK, Sheet, Way
from .step import LINE, RAIL, Band, Box, Course, Tag, label_of
from .strip import Strip
from .style import SHADES, Scale, gradient_width, palette, style_sheet
from .text import escaped, fitted, number, power, text_width
from .unrolled import Edge, common_path

__all__ = ["Drawing", "arrow_heads"]

MARGIN = 28.0
START = 58.0  # room at the left for what the states start from
HEADER = 74.0
COLLECTOR = 24.0


Piece = Course | Way | Tag  # what is drawn with the gradient that flows along it


@dataclass
class Drawing:
    """One sheet drawn along a strip, with the gradient's norms where a flow is given."""

    sheet: Sheet
    strip: Strip
    flow: Gradients | None
    title: str
    scale: Scale = field(init=False)
    descents: list[Descent] = field(init=False)
    cuts: list[Cut] = field(init=False)
    flags: list[Flag] = field(init=False)
    legend: bool = True
    rolled: bool = False  # whether one column stands for all
    prefix: str = ""  # of identifiers: to tell drawings in one document apart
    starts: list[Box] = field(default_factory=list)  # what the states start from
    head_at: float = 0.0  # the left border of what stands after the last step
    _defs: list[str] = field(default_factory=list)
    _body: list[str] = field(default_factory=list)
    _ids: dict[Hashable, str] = field(default_factory=dict)
    _norms: dict[tuple[int, int], float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        bands = [self.sheet.head, self.sheet.foot]
        ends: list[Piece] = []
        for band in bands:
            ends += band.pieces if band is not None else []
        groups: list[tuple[list[int], list[Piece]]] = [
            (list(self.strip.places), [*self._stamped(), *self.sheet.ways]),
            ([AFTER, BEFORE], ends),
        ]
        for columns, pieces in groups:
            for column in columns:
                for piece in pieces:
                    if piece.is_in(column):
                        self._norms[id(piece), column] = self.norm(piece.edges(column))
        self.descents = descents(self)
        self.cuts = cuts_of(self)
        self.flags = [] if self.rolled else flags_of(self)
        self.scale = Scale.over(self.norms())

    @property
    def left(self) -> float:
        """The left border of the picture."""
        return -START - MARGIN - self.aside - self._loops

    @property
    def compact(self) -> bool:
        """Whether there are so many steps that only the lines are drawn."""
        return self.sheet.unrolled.is_compact

    @property
    def top(self) -> float:
        """The upper border of the picture, above the lines that collect what goes to the head."""
        head = self.sheet.head
        lines = len(head.entries) if head is not None else 0
        return self.collector - (HEADER - COLLECTOR) - TRACK * max(lines - 1, 0)

    @property
    def collector(self) -> float:
        """The height of the line above all columns, and all flags, that leads to the head."""
        flags = [flag.y - 25 for flag in self.flags]
        return min([self.sheet.top - COLLECTOR, *flags])

    @property
    def aside(self) -> float:
        """How far from the steps the states start: beyond the lines in the gutter, if any."""
        return max(self.sheet.gutter - 36.0, 0.0)

    @property
    def runs_along(self) -> bool:
        """Whether the gradients run with the edges that have one, rather than against them."""
        return self.flow is not None and self.flow.runs_along

    def norm(self, edges: list[Edge]) -> float | None:
        """The norm of the gradient along `edges`, None without a flow."""
        return self.flow.along(edges) if self.flow is not None else None

    def norms(self) -> list[float]:
        """The norms of all gradient edges, those in a fold included."""
        inside = (norm for descent in self.descents for norm in descent.norms)
        return [norm for norm in (*self._norms.values(), *inside) if norm is not None]

    def svg(self) -> str:
        """The SVG document."""
        content, view = self.content()
        size = [number(part) for part in view]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{" ".join(size)}"'
            f' width="{size[2]}" height="{size[3]}" role="img">'
            f"<title>{escaped(self.title)}</title><style>{style_sheet(palette())}</style>"
            f"<defs>{arrow_heads()}{self.definitions()}</defs>"
            f'<rect class="paper" x="{size[0]}" y="{size[1]}" width="100%" height="100%"/>'
            f"{content}</svg>\n"
        )

    def definitions(self) -> str:
        """What `content` refers to."""
        return "".join(self._defs)

    def content(self) -> tuple[str, tuple[float, float, float, float]]:
        """All that is drawn, and its x, y, width and height."""
        self._body.clear()
        self.starts.clear()
        self._draw_ground()
        pieces = self._pieces()
        boxes = [box for band in self.sheet.bands for box in band.boxes]
        for column, x in self.strip.places.items():
            self.stamp(pieces, boxes, column, x)
        if self.rolled:
            draw_loops(self)
            right = self.sheet.width + self._loops + self.aside
        else:
            draw_fold(self)
            right = draw_ends(self)
            draw_cuts(self)
            draw_flags(self)
        if self.legend:
            self._draw_legend()
        width, height = right + MARGIN - self.left, self.sheet.bottom + 92 - self.top
        view = (self.left, self.top, max(width, 620.0), height)
        return "\n".join(self._body), view

    def add(self, content: str) -> None:
        """Draw this over all that has been drawn."""
        self._body.append(content)

    def add_pair(self, forward: str, backward: str, norm: float | None, kind: str) -> None:
        """Draw an edge that occurs once: its path and, if gradient flows, that against it."""
        shade = self.scale.shade(norm)
        if shade and self.runs_along:
            backward = forward
        else:
            self.add(f'<path class="{kind}" d="{forward}"/>')
        if shade:
            self.add(f'<path class="{shade}" d="{backward}" style="marker-end:none"/>')

    # The parts

    def _pieces(self) -> list[Piece]:
        ways = [way for way in self.sheet.ways if not (self.rolled and way.reach)]
        return [*self._stamped(), *ways]

    @property
    def _loops(self) -> float:
        """The room that the states' loops take around a rolled picture."""
        states = max((len(band.states) for band in self.sheet.bands), default=0)
        return LOOP * (1 + states) if self.rolled else 0.0

    def _stamped(self) -> list[Piece]:
        return [piece for band in self.sheet.bands for piece in band.pieces]

    def _define(self, key: Hashable, prefix: str, make: Callable[[], str], tag: str = "g") -> str:
        """The id of a definition, whose content is made at the first use of `key`."""
        name = self._ids.get(key)
        if name is None:
            content = make()
            name = self._ids[key] = f"{self.prefix}{prefix}{len(self._ids)}"
            inside = f">{content}</g>" if tag == "g" else f" {content}/>"
            self._defs.append(f'<{tag} id="{name}"{inside}')
        return name

    def _draw_ground(self) -> None:
        sheet, strip = self.sheet, self.strip
        left = self.left + 16
        top = self.top
        self._body.append(
            f'<text class="title" x="{left}" y="{top + 28}">{escaped(self.title)}</text>'
        )
        for band in sheet.bands:
            if band.bar is not None:
                self._draw_bar(band)
                continue
            if not band.states and not any(band.paths):
                continue
            cell = self._define(("cell", id(band)), "c", partial(_ground, sheet, band), "rect")
            if self.compact:
                self.add(
                    f'<rect class="cell" x="-4" y="{number(band.top - 24)}" rx="8" '
                    f'width="{number(strip.width + 4)}" '
                    f'height="{number(band.bottom - band.top + 34)}"/>'
                )
            else:
                places = strip.places.values()
                self._body += [f'<use href="#{cell}" x="{number(x)}"/>' for x in places]
            name = common_path(band.paths) or " · ".join(path for path in band.paths if path)
            self._body.append(
                f'<text class="band" x="4" y="{number(band.top - 8)}">{escaped(name)}'
                f"{' ← against time' if band.backward else ''}</text>"
            )
        steps = sheet.unrolled.steps
        for column, x in strip.places.items():
            time = f"t = {steps[column]}" if not self.rolled else f"every step t of {len(steps)}"
            if not sheet.unrolled.graph.steps or (self.compact and column % 10):
                continue
            self._body.append(
                f'<text class="time" x="{number(x + sheet.width / 2)}" '
                f'y="{number(sheet.bottom + 28)}">{time}</text>'
            )

    def _draw_bar(self, band: Band) -> None:
        """Ops that no step owns but that steps feed and use: one bar across all of them."""
        rows = sorted(band.rows, key=lambda row: row.kind != "input")
        labels = [
            f"{label_of(self.sheet.unrolled, row)} {' '.join(row.parameters)}".strip()
            for row in rows
        ]
        start, end = -30.0 - self.aside, self.strip.width - 6
        text = escaped(fitted("  →  ".join(labels), 11, end - 20))
        self.add(
            f'<rect class="box" x="{number(start)}" y="{number(band.top)}" rx="6" '
            f'width="{number(end - start)}" '
            f'height="{number(band.bottom - band.top)}"/>'
            f'<text x="{number((start + end) / 2)}" y="{number(band.top + 17)}">{text}</text>'
        )

    def stamp(self, pieces: Sequence[Piece], boxes: Sequence[Box], column: int, x: float) -> None:
        """Draw those of `pieces` and `boxes` that `column` has, with its left border at `x`."""
        present = [piece for piece in pieces if (id(piece), column) in self._norms]
        heads = not self.compact
        tags = [piece for piece in present if isinstance(piece, Tag)]
        edges = [piece for piece in present if not isinstance(piece, Tag)]
        wires = [p for p in edges if not self.runs_along or self._norms[id(p), column] is None]
        if wires:
            drawn = self._define(
                ("wires", *map(id, wires)), "w", lambda: "".join(_wire(p, heads) for p in wires)
            )
            self.add(f'<g data-f="{column}"><use href="#{drawn}" x="{number(x)}"/></g>')
        self._add_gradients(edges, column, x)
        boxes = [box for box in boxes if column in box.row.members]
        for kind, group in itertools.groupby(boxes, lambda box: self._pass_of(box, column)):
            self._add_boxes(list(group), kind, column, x)
        self._add_gradients(tags, column, x)

    def _pass_of(self, box: Box, column: int) -> str:
        """Whether a box belongs to the forward or to the backward pass: "f" or "b"."""
        is_gradient = self.flow is not None and self.flow.is_gradient(box.row.top(column))
        return "b" if is_gradient else "f"

    def _add_boxes(self, boxes: Sequence[Box], kind: str, column: int, x: float) -> None:
        drawn = self._define(("boxes", *map(id, boxes)), "b", lambda: "".join(map(_box, boxes)))
        self.add(f'<g data-{kind}="{column}"><use href="#{drawn}" x="{number(x)}"/>')
        for box in boxes:
            if box.row.kind == "input":
                step = str(self.sheet.unrolled.steps[column]) if column >= 0 else ""
                timeless = not self.sheet.unrolled.graph.steps
                self.add(_timed(box, x, "" if timeless else "t" if self.rolled else step))
        self.add("</g>")

    def _add_gradients(self, pieces: Sequence[Piece], column: int, x: float) -> None:
        """Draw the gradient of `pieces` in `column`, each in its shade."""
        shades = [(p, self.scale.shade(self._norms[id(p), column])) for p in pieces]
        if not any(shade for _, shade in shades):
            return
        self.add(f'<g data-b="{column}">')
        for piece, shade in shades:
            if shade:
                edge = partial(_gradient, piece, not self.compact, self.runs_along)
                name = self._define(("gradient", id(piece)), "e", edge, "path")
                self.add(f'<use href="#{name}" class="{shade}" x="{number(x)}"/>')
        self.add("</g>")

    def _draw_legend(self) -> None:
        """The scale of the gradient: a sample of each shade, and what its ends stand for."""
        y, x = self.sheet.bottom + 66, self.left + 16.0
        self.add(
            f'<path class="state" d="M{x} {y}h26"/>'
            f'<text class="note" x="{x + 33}" y="{y + 4}">state</text>'
        )
        if self.flow is None:
            return
        x += 84
        self.add(f'<text class="note" x="{x}" y="{y + 4}">gradient norm</text>')
        x += 84
        self.add(
            f'<text class="caption" x="{x + 12}" y="{y + 4}">{power(round(self.scale.low))}</text>'
        )
        x += 30
        for shade in range(SHADES):
            self.add(
                f'<path class="g{shade}" d="M{x + shade * 18} {y}h18" style="marker-end:none"/>'
            )
        x += SHADES * 18
        self.add(
            f'<text class="caption" x="{x + 18}" y="{y + 4}">{power(round(self.scale.high))}</text>'
        )
        self.add(
            f'<path class="gz" d="M{x + 50} {y}h24"/>'
            f'<text class="note" x="{x + 80}" y="{y + 4}">exactly 0</text>'
        )


def _ground(sheet: Sheet, band: Band) -> str:
    """The attributes of the field that a band lies on in each step."""
    return (
        f'class="cell" x="-4" y="{number(band.top - 10 - BAND_HEAD)}" rx="8" '
        f'width="{number(sheet.width + 8)}" '
        f'height="{number(band.bottom - band.top + 20 + BAND_HEAD)}"'
    )


def _wire(piece: Course | Way, heads: bool) -> str:
    """A forward edge, with its arrow head."""
    kind = "state" if piece.is_state else "wire"
    if isinstance(piece, Way):
        return f'<path class="{kind}" d="{corners(piece.points, RAIL)}"/>'
    path = f'<path class="{kind}" d="{curve(piece.points, RAIL)}"/>'
    if piece.ends and heads:
        path += _head(piece.points, RAIL, "shead" if piece.is_state else "head")
    return path


def _gradient(piece: Piece, heads: bool, along: bool) -> str:
    """The attributes of the gradient edge: it has an arrow head where it arrives at a box."""
    if isinstance(piece, Tag):
        return f'd="{piece.path()}" style="marker-end:none"'
    side = RAIL if along else -RAIL
    if isinstance(piece, Way):
        return f'd="{corners(piece.points, side, back=not along)}" style="marker-end:none"'
    arrives = piece.ends if along else piece.starts
    bare = "" if arrives and heads else ' style="marker-end:none"'
    return f'd="{curve(piece.points, side, back=not along)}"{bare}'


def _head(points: list[Point], side: float, look: str) -> str:
    (before, _), (x, y) = points[-2], points[-1]
    way = math.copysign(1, x - before)
    tip, base, level = number(x), number(x - way * 6), y - way * side
    return (
        f'<path class="{look}" d="M{tip} {number(level)}L{base} {number(level - 2.8)}'
        f'V{number(level + 2.8)}Z"/>'
    )


def arrow_heads() -> str:
    """The definitions of the gradient edges' arrow heads, one for each shade."""
    heads = []
    for shade in range(SHADES):
        size = 4 + gradient_width(shade) * 1.2
        heads.append(
            f'<marker id="a{shade}" markerUnits="userSpaceOnUse" markerWidth="{number(size)}" '
            f'markerHeight="{number(size)}" viewBox="0 0 10 10" refX="8" refY="5" orient="auto">'
            f'<path class="h{shade}" d="M0 0L10 5L0 10Z"/></marker>'
        )
    return "".join(heads)


def _box(box: Box) -> str:
    """The box, its label, and the small texts under it."""
    is_round = box.width == box.height or box.look == "input"
    radius, width = box.height / 2 if is_round else 6, max(box.width, 1)
    parts = [
        f'<rect class="{box.look}" x="{number(box.x - width / 2)}" '
        f'y="{number(box.y - box.height / 2)}" width="{number(width)}" '
        f'height="{number(box.height)}" rx="{number(radius)}"/>'
    ]
    if box.label and box.row.kind != "input":
        parts.append(
            f'<text x="{number(box.x)}" y="{number(box.y + 4)}">{escaped(box.label)}</text>'
        )
    y = box.y + box.height / 2 + 2
    for tag in box.tags.values():
        width = text_width(tag, 9) + 8
        parts.append(
            f'<rect class="tag" x="{number(box.x - width / 2)}" y="{number(y)}" '
            f'width="{number(width)}" height="{number(LINE - 1)}" rx="2"/>'
            f'<text class="small" x="{number(box.x)}" y="{number(y + 8.5)}">{escaped(tag)}</text>'
        )
        y += LINE
    for line in filter(None, (box.more, box.caption)):
        parts.append(
            f'<text class="caption" x="{number(box.x)}" y="{number(y + 9)}">{escaped(line)}</text>'
        )
        y += LINE
    return "".join(parts)


def _timed(box: Box, x: float, step: str) -> str:
    """The label of an input: its name with the step as a subscript."""
    index = "" if not step else f'<tspan class="small" dy="3">{step}</tspan>'
    return (
        f'<text x="{number(x + box.x)}" y="{number(box.y + 4)}">{escaped(box.label)}{index}</text>'
    )
