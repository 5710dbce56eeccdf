"""How the gradient's norm falls or grows along each state, from the end of time to its start."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from ..layout.step import Band
from ..model.unrolled import state_name
from .scene import Scene

__all__ = ["Descent", "descents"]

VANISHED, EXPLODED = 1e-6, 1e6


@dataclass
class Descent:
    """The gradient's norm where a state leaves each step, from the end of time to its start.

    `norms[t]`: between column t and the one that receives the state; None where there is none.
    `turn`: the first column at which it is below 1e-6 (above 1e6) of where it started.
    """

    band: Band
    value: Hashable
    name: str
    y: float
    reach: int
    norms: list[float | None]
    turn: int | None = None
    verdict: str = ""


def descents(scene: Scene) -> list[Descent]:
    """The norms along every state of the sheet, and whether the gradient vanishes."""
    found = []
    unrolled = scene.sheet.unrolled
    columns = range(len(unrolled.steps))
    for way in scene.sheet.ways:
        if not way.is_state or abs(way.reach) != 1 or scene.flow is None:
            continue
        norms: list[float | None] = []
        value = way.links[0].value
        for column in columns:
            place = unrolled.passed_on.get((value, column))
            norm = None if place is None else scene.flow.from_omitted_steps(place)
            # A step that was left out has sent its gradient to a node without edges.
            norms.append(scene.norm(way.edges(column)) if norm is None else norm)
        y = way.points[0][1]
        band = next(b for b in scene.sheet.bands if b.top <= y <= b.bottom)
        descent = Descent(band, value, state_name(value), y, way.reach, norms)
        _judge(descent, (way.reach > 0) != scene.runs_along)
        found.append(descent)
    return found


def _judge(descent: Descent, from_end: bool) -> None:
    """Find where, coming from the end of time, the gradient has vanished or exploded."""
    order = list(range(len(descent.norms)))[:: -1 if from_end else 1]
    start = None
    for column in order:
        norm = descent.norms[column]
        if norm is None or (start is None and norm == 0):
            continue
        if start is None:
            start = norm
        elif norm < VANISHED * start or not norm <= EXPLODED * start:
            descent.turn = column
            descent.verdict = "vanishes" if norm < VANISHED * start else "explodes"
            return
