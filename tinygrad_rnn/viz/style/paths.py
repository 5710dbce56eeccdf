"""SVG paths for pairs of edges: forward on the left of the route, gradient on the right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from .text import number

__all__ = ["Point", "corners", "curve"]

Point = tuple[float, float]


def curve(points: Sequence[Point], side: float, back: bool = False) -> str:
    """A route of level runs and smooth rises, moved `side` px to the left of its direction.

    `back` writes the same line from its end to its start.

    >>> curve([(0, 0), (10, 0)], 4)
    'M0 -4H10'
    """
    heading = math.copysign(1, points[-1][0] - points[0][0])
    lift = -heading * side
    pieces = list(itertools.pairwise(points))
    if back:
        pieces = [(b, a) for a, b in reversed(pieces)]
    x, y = pieces[0][0]
    path = [f"M{number(x)} {number(y + lift)}"]
    for (x1, y1), (x2, y2) in pieces:
        if abs(y1 - y2) < 0.5:
            path.append(f"H{number(x2)}")
            continue
        downward = (y2 - y1) * (-1 if back else 1)
        bend = number((x1 + x2) / 2 + math.copysign(side, side * downward) * 0.7)
        path.append(
            f"C{bend} {number(y1 + lift)} {bend} {number(y2 + lift)}"
            f" {number(x2)} {number(y2 + lift)}"
        )
    return "".join(path)


def corners(points: Sequence[Point], side: float, back: bool = False, radius: float = 6.0) -> str:
    """A route of level and vertical runs with rounded corners, moved `side` px to the left.

    >>> corners([(0, 0), (10, 0), (10, 20)], 0)
    'M0 0L5 0Q10 0 10 5L10 20'
    """
    points = _without_straight(points)
    normals = [_left(a, b) for a, b in itertools.pairwise(points)]
    moved = []
    for place, (x, y) in enumerate(points):
        near = set(normals[max(place - 1, 0) : place + 1])
        moved.append((x + side * sum(n[0] for n in near), y + side * sum(n[1] for n in near)))
    if back:
        moved.reverse()
    path = [f"M{number(moved[0][0])} {number(moved[0][1])}"]
    for a, b, c in zip(moved, moved[1:], moved[2:]):
        r = min(radius, math.dist(a, b) / 2, math.dist(b, c) / 2)
        p, q = _toward(b, a, r), _toward(b, c, r)
        path.append(
            f"L{number(p[0])} {number(p[1])}Q{number(b[0])} {number(b[1])}"
            f" {number(q[0])} {number(q[1])}"
        )
    path.append(f"L{number(moved[-1][0])} {number(moved[-1][1])}")
    return "".join(path)


def _without_straight(points: Sequence[Point]) -> list[Point]:
    """The points at which the route turns, and its ends."""
    kept = [points[0]]
    for b, c in itertools.pairwise(points[1:]):
        a = kept[-1]
        if all(abs(a[axis] - b[axis]) + abs(b[axis] - c[axis]) > 0.05 for axis in (0, 1)):
            kept.append(b)
    return [*kept, points[-1]]


def _left(a: Point, b: Point) -> Point:
    length = math.dist(a, b) or 1.0
    return ((b[1] - a[1]) / length, (a[0] - b[0]) / length)


def _toward(a: Point, b: Point, distance: float) -> Point:
    length = math.dist(a, b) or 1.0
    return (a[0] + (b[0] - a[0]) * distance / length, a[1] + (b[1] - a[1]) * distance / length)
