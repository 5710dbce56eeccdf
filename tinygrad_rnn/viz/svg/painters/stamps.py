"""Steps on the canvas: what many steps share is defined once and stamped with `<use>`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial

from ...layout.sheet import Way
from ...layout.step import LINE, RAIL, Box, Course, Tag
from ...style.palette import SMALL
from ...style.paths import Point, corners, curve
from ...style.text import escaped, number, text_width
from ..canvas import Canvas
from ..scene import Piece, Scene

__all__ = ["stamp"]


def stamp(
    scene: Scene,
    canvas: Canvas,
    pieces: Sequence[Piece],
    boxes: Sequence[Box],
    column: int,
    x: float,
) -> None:
    """Draw those of `pieces` and `boxes` that `column` contains, with its left border at `x`."""
    present = [piece for piece in pieces if scene.has(piece, column)]
    heads = not scene.compact
    tags = [piece for piece in present if isinstance(piece, Tag)]
    edges = [piece for piece in present if not isinstance(piece, Tag)]
    wires = [p for p in edges if not scene.runs_along or scene.norm_of(p, column) is None]
    if wires:
        drawn = canvas.define(
            ("wires", *map(id, wires)), "w", lambda: "".join(_wire(p, heads) for p in wires)
        )
        canvas.add(f'<g data-f="{column}"><use href="#{drawn}" x="{number(x)}"/></g>')
    _add_gradients(scene, canvas, edges, column, x)
    boxes = [box for box in boxes if column in box.row.members]
    for kind, group in itertools.groupby(boxes, lambda box: _pass_of(scene, box, column)):
        _add_boxes(scene, canvas, list(group), kind, column, x)
    _add_gradients(scene, canvas, tags, column, x)


def _pass_of(scene: Scene, box: Box, column: int) -> str:
    """Whether a box belongs to the forward or to the backward pass: "f" or "b"."""
    is_gradient = scene.flow is not None and scene.flow.is_gradient(box.row.top(column))
    return "b" if is_gradient else "f"


def _add_boxes(
    scene: Scene, canvas: Canvas, boxes: Sequence[Box], kind: str, column: int, x: float
) -> None:
    drawn = canvas.define(("boxes", *map(id, boxes)), "b", lambda: "".join(map(_box, boxes)))
    canvas.add(f'<g data-{kind}="{column}"><use href="#{drawn}" x="{number(x)}"/>')
    unrolled = scene.sheet.unrolled
    for box in boxes:
        if box.row.kind == "input":
            step = str(unrolled.steps[column]) if column >= 0 else ""
            timeless = not unrolled.graph.steps
            canvas.add(_timed(box, x, "" if timeless else "t" if scene.rolled else step))
    canvas.add("</g>")


def _add_gradients(
    scene: Scene, canvas: Canvas, pieces: Sequence[Piece], column: int, x: float
) -> None:
    """Draw the gradient of `pieces` in `column`, each in its shade."""
    shades = [(p, canvas.scale.shade(scene.norm_of(p, column))) for p in pieces]
    if not any(shade for _, shade in shades):
        return
    canvas.add(f'<g data-b="{column}">')
    for piece, shade in shades:
        if shade:
            edge = partial(_gradient, piece, not scene.compact, scene.runs_along)
            name = canvas.define(("gradient", id(piece)), "e", edge, "path")
            canvas.add(f'<use href="#{name}" class="{shade}" x="{number(x)}"/>')
    canvas.add("</g>")


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
        width = text_width(tag, SMALL) + 8
        parts.append(
            f'<rect class="tag" x="{number(box.x - width / 2)}" y="{number(y)}" '
            f'width="{number(width)}" height="{number(LINE - 1)}" rx="2"/>'
            f'<text class="small" x="{number(box.x)}" y="{number(y + 10.5)}">'
            f"{escaped(tag)}</text>"
        )
        y += LINE
    for line in box.below:
        parts.append(
            f'<text class="caption" x="{number(box.x)}" y="{number(y + 10.5)}">'
            f"{escaped(line)}</text>"
        )
        y += LINE
    return "".join(parts)


def _timed(box: Box, x: float, step: str) -> str:
    """The label of an input: its name with the step as a subscript."""
    index = "" if not step else f'<tspan class="small" dy="3">{step}</tspan>'
    return (
        f'<text x="{number(x + box.x)}" y="{number(box.y + 4)}">{escaped(box.label)}{index}</text>'
    )
