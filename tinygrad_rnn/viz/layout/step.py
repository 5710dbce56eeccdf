"""The drawing of one step: its boxes and the routes of its edges, ready to be stamped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...language import say
from ..model.unrolled import Edge, Link, Row, Unrolled
from ..style.palette import SMALL, TEXT
from ..style.text import fitted, number, text_width
from .layered import LAYER_GAP, Block, Placed, layered

__all__ = ["Band", "Box", "Course", "Tag", "draw_band"]

BOX_HEIGHT = 26.0
COMPACT_GAP = 4.0  # between the layers of a step of which only the lines are drawn
LINE = 15.0  # the height of a line of small text under a box
MOST_TAGS = 4  # under one box
TAG_WIDTH = 104.0  # the largest width of a small label
RAIL = 4.0  # forward edges run this much above the centre of a box, gradient edges below

Point = tuple[float, float]
Numbers = Callable[[int], tuple[str, ...]]  # what is written at a node: its value, its gradient


@dataclass
class Box:
    """A box of the step, about its centre, and what is written under it.

    `tags`: what is written for each parameter, by its name; `more`: for those left out. `numbers`:
    the value and the gradient, if the picture is small enough to show them.
    """

    row: Row
    label: str
    x: float
    y: float
    width: float
    height: float
    look: str
    tags: dict[str, str] = field(default_factory=dict)
    more: str = ""
    caption: str = ""
    numbers: tuple[str, ...] = ()

    @property
    def below(self) -> list[str]:
        """The lines under it that are not tags."""
        return [line for line in (self.more, self.caption, *self.numbers) if line]


@dataclass
class Tag:
    """A parameter's small copy under a box, the one at `place`, with the gradient of this use."""

    box: Box
    name: str
    place: int

    @property
    def y(self) -> float:
        """Its upper edge."""
        return self.box.y + self.box.height / 2 + 2 + self.place * LINE

    def edges(self, column: int) -> list[Edge]:
        """The graph's edges that it represents in `column`."""
        return self.box.row.parameters[self.name].get(column, [])

    def is_in(self, column: int) -> bool:
        """Whether the parameter is used in `column`."""
        return bool(self.edges(column))

    def path(self) -> str:
        """The SVG path of the mark at its left, in the shade of the gradient."""
        width = text_width(self.box.tags[self.name], SMALL) + 8
        return f"M{number(self.box.x - width / 2)} {number(self.y)}v{number(LINE - 1)}"


@dataclass
class Course:
    """The route of an edge through the step, from its start to its end.

    `links` are what flows along it. `starts`, `ends`: whether it does so at a box, rather than at
    the border of the step.
    """

    points: list[Point]
    links: list[Link]
    is_state: bool = False
    starts: bool = True
    ends: bool = True

    def edges(self, column: int) -> list[Edge]:
        """The graph's edges that this route represents in `column`."""
        found: list[Edge] = []
        for link in self.links:
            if self.ends:
                found += [*link.edges.get(column, ()), *link.cut.get(column, ())]
            else:
                found += link.leaving(column)
        return found

    def is_in(self, column: int) -> bool:
        """Whether any value flows along it in `column`."""
        if self.ends:
            return bool(self.edges(column))
        return any(link.leaves(column) for link in self.links)


@dataclass
class Band:
    """Rows that feed one another, placed within the width of a step."""

    paths: list[str]
    rows: list[Row]
    backward: bool = False  # whether time runs from right to left in it
    bar: int | None = None  # its column, if it is a bar across the steps
    placed: Placed | None = None
    boxes: list[Box] = field(default_factory=list)
    courses: list[Course] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    exits: dict[Hashable, float] = field(
        default_factory=dict
    )  # the height at which each value leaves
    states: dict[tuple[Hashable, int], float] = field(default_factory=dict)
    entries: dict[Hashable, float] = field(default_factory=dict)  # for values from other bands
    width: float = 0.0
    top: float = 0.0
    bottom: float = 0.0

    @property
    def pieces(self) -> list[Course | Tag]:
        """Everything that has a gradient of its own."""
        return [*self.courses, *self.tags]


def no_numbers(_: int) -> tuple[str, ...]:
    """Write nothing at any node."""
    return ()


def label_of(unrolled: Unrolled, row: Row) -> str:
    """The text of an op's box: its symbol or name, with its numeric arguments."""
    graph = unrolled.graph
    column = min(row.members)
    node = graph[row.top(column)]
    if row.kind != "op":
        name = unrolled.root_name(node.index)
        return name.rsplit(".", 1)[-1] if name else ("x" if row.kind == "input" else "start")
    symbol = node.symbol
    numbers = [
        graph[i].constant if graph[i].kind == "constant" and not np.ndim(graph[i].value) else None
        for i in node.inputs
    ]
    if all(n is None for n in numbers) or len(node.inputs) > 2:
        return symbol
    shown = ["" if n is None else f"{n:.4g}" if isinstance(n, float) else str(n) for n in numbers]
    if len(symbol) == 1 and len(shown) == 2:
        return f"{shown[0]} {symbol} {shown[1]}".strip()
    return f"{symbol} {' '.join(filter(None, shown))}"


def make_box(unrolled: Unrolled, row: Row, numbers: Numbers) -> Box:
    """The box of a row, not placed yet."""
    if unrolled.is_compact and max(row.members) >= 0:
        return Box(row, "", 0, 0, 0.0, BOX_HEIGHT, "tick")
    label = label_of(unrolled, row)
    name = unrolled.graph[row.top(min(row.members))].name if row.kind == "op" else None
    is_group = row.kind == "op" and len(row.members[min(row.members)]) > 1
    if is_group:
        label = _group_name(row) or name or label
    shown = fitted(say(label), TEXT, 140)
    width = max(BOX_HEIGHT, text_width(shown, TEXT) + 14)
    look = (
        "input" if row.kind != "op" else "named" if name else "learned" if row.parameters else "box"
    )
    names = list(row.parameters)
    left_out = len(names) - MOST_TAGS + 1 if len(names) > MOST_TAGS else 0
    tags = {
        name: fitted(unrolled.short_name(name), SMALL, TAG_WIDTH)
        for name in names[: len(names) - left_out]
    }
    more = say("+ {count} more", count=left_out) if left_out else ""
    caption = fitted(say(name), SMALL, 120) if name and not is_group else ""
    return Box(
        row,
        shown,
        0,
        0,
        width,
        BOX_HEIGHT,
        look,
        tags,
        more,
        caption,
        numbers(row.top(min(row.members))),
    )


def _group_name(row: Row) -> str:
    """The module that a box of the level `modules` represents."""
    is_module = isinstance(row.key, tuple) and row.key[0] == "module"
    return row.path if is_module else ""


def block_of(box: Box) -> Block:
    """The space that the layout has to reserve for a box."""
    below = [*box.tags.values(), *box.below]
    text = max((text_width(line, SMALL) + 8 for line in below), default=0.0)
    down = box.height / 2 + len(below) * LINE + (4 if below else 0)
    return Block(
        box.row.key,
        max(box.width, text),
        box.height / 2,
        down,
        kind="input" if box.row.kind == "input" else "op",
    )


def draw_band(unrolled: Unrolled, band: Band, numbers: Numbers = no_numbers) -> None:
    """Place the rows of `band` and find the routes of its edges."""
    compact = unrolled.is_compact and any(max(row.members) >= 0 for row in band.rows)
    if compact:
        band.rows = [row for row in band.rows if row.kind != "input"]
    own = {row.key for row in band.rows}
    boxes = {
        row.key: make_box(unrolled, row, numbers) for row in band.rows if row.kind != "initial"
    }
    blocks = [block_of(box) for box in boxes.values()]
    edges: dict[tuple[Hashable, Hashable], list[Link]] = defaultdict(list)
    outward: dict[Hashable, list[Link]] = defaultdict(list)  # by value: where others use it
    makers: dict[Hashable, Hashable] = {}
    carried: dict[tuple[Hashable, int], list[Link]] = defaultdict(list)
    for link in unrolled.links.values():
        if compact and unrolled.rows[link.source].kind == "input":
            continue
        is_first = link.source not in unrolled.rows or unrolled.rows[link.source].kind == "initial"
        here, there = link.source in own and not is_first, link.target in own
        if here and there and link.delta == 0:
            edges[link.source, link.target].append(link)
            continue
        if here:
            outward[link.value].append(link)
            makers[link.value] = link.source
        if there:
            outside = ("state", link.value, link.delta) if link.delta else ("from", link.value)
            edges[outside, link.target].append(link)
            if link.delta:
                carried[link.value, link.delta].append(link)
    entries = dict.fromkeys(start for start, _ in edges if start not in boxes)
    blocks += [Block(entry, kind="entry") for entry in entries]
    for value in outward:
        blocks.append(Block(("out", value), kind="exit"))
        edges[makers[value], ("out", value)].extend(outward[value])
    states = [
        (("state", value, delta), ("out", value))
        for value, delta in carried
        if value in outward and abs(delta) == 1
    ]
    gap = COMPACT_GAP if compact else LAYER_GAP
    placed = band.placed = layered(blocks, edges, states, gap)
    band.backward = bool(carried) and all(delta < 0 for _, delta in carried)
    ops = [box for box in boxes.values() if box.row.kind == "op"]
    if len(ops) == 1:
        _as_one_box(placed, ops[0], states)
    band.width, band.top, band.bottom = placed.width, placed.top, placed.bottom
    for key, box in boxes.items():
        box.x, box.y = placed.blocks[key].x, placed.blocks[key].y
    band.boxes = list(boxes.values())
    band.tags = [Tag(box, name, n) for box in band.boxes for n, name in enumerate(box.tags)]
    for (start, end), links in edges.items():
        _add_course(band, boxes, start, end, links)


def _as_one_box(placed: Placed, box: Box, states: Sequence[tuple[Hashable, Hashable]]) -> None:
    """A band of a single box, as high as its states' lanes, which run straight through it."""
    block = placed.blocks[box.row.key]
    block.y = 0.0
    down = block.down - block.up
    in_a_lane = {key for state in states for key in state}
    others = [b for b in placed.blocks.values() if b.key not in in_a_lane and b.kind != "input"]
    entries = [b for b in others if b.kind == "entry"]
    lines = len(states) + len(entries)
    block.up = max(BOX_HEIGHT, 16 * (lines - len(states)) + 24 * len(states) + 4) / 2
    box.height = 2 * block.up
    block.down = block.up + down
    y = -block.up + 2
    for entry, exit_ in states:
        placed.blocks[entry].y = placed.blocks[exit_].y = y + 12
        y += 24
    for other in entries:
        other.y = y + 8 if lines > 1 else 0.0
        y += 16
    y = block.down + 14
    for other in placed.blocks.values():
        if other.kind == "input":  # one below the other
            other.y = y + other.up
            y = other.y + other.down + 8
    placed.top = min(b.y - b.up for b in placed.blocks.values())
    placed.bottom = max(b.y + b.down for b in placed.blocks.values())


def _add_course(
    band: Band, boxes: dict[Hashable, Box], start: Hashable, end: Hashable, links: list[Link]
) -> None:
    """Record the route of an edge (or of all edges between the same two blocks)."""
    assert band.placed is not None
    route = band.placed.routes[start, end]
    first, last = route[0], route[-1]
    points: list[Point] = []

    def attach(box: Box, other: Block) -> float:
        """Where an edge meets a box: at its centre or, if the box is tall, level with the edge."""
        reach = max(box.height / 2 - 8, 0)
        return min(max(other.y, box.y - reach), box.y + reach) if reach > 5 else box.y

    def border(block: Block, side: int) -> float:
        """Up to where an edge stays level, so that it crosses no text of the block's layer."""
        assert band.placed is not None
        return block.x + side * band.placed.widths[block.layer] / 2

    if start in boxes:
        box, y = boxes[start], attach(boxes[start], route[1])
        points += [(box.x + box.width / 2, y), (border(first, 1), y)]
    else:
        points.append((first.x, first.y))
    for wire in route[1:-1]:
        points += [(wire.x - wire.width / 2, wire.y), (wire.x + wire.width / 2, wire.y)]
    if end in boxes:
        box, y = boxes[end], attach(boxes[end], route[-2])
        points += [(border(last, -1), y), (box.x - box.width / 2, y)]
    else:
        points.append((last.x, last.y))
    is_state = first.lane is not None and (first.kind == "entry" or last.kind == "exit")
    if last.kind == "exit":
        assert isinstance(end, tuple)
        band.exits[end[1]] = last.y
        is_state = any(link.delta for link in links)
    if first.kind == "entry":
        assert isinstance(start, tuple)
        if start[0] == "from":
            band.entries[start[1]] = first.y
        else:
            band.states[start[1], start[2]] = first.y
    band.courses.append(
        Course(points, links, is_state, starts=start in boxes, ends=last.kind != "exit")
    )
