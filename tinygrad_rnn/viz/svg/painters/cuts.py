"""Where the gradient is cut: a state is passed on detached, and no gradient comes back.

    share = ||lost|| / (||lost|| + ||kept||)

`lost` is what the later steps would send back to the state of the earlier step if it were not
detached, with all other cuts in place. `kept` is what that state receives from elsewhere, such as
from a loss of its own step. So a cut with a share of 100 % discards everything that the state could
learn from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ....language import say
from ....norms import norm
from ...layout.step import RAIL, Band
from ...model.unrolled import Edge, state_name
from ...style.text import number
from ..canvas import Canvas
from ..scene import Scene

__all__ = ["Cut", "cut_labels", "cuts_of", "draw_cuts"]


@dataclass
class Cut:
    """A state that reaches `column` detached; `lost` and `kept`: see the module. None: unknown."""

    band: Band
    name: str
    column: int
    y: float
    lost: float | None
    kept: float

    @property
    def share(self) -> float | None:
        """The share of the gradient that is discarded; None where none reaches the cut."""
        if not self.lost:
            return None if self.lost is None else 0.0
        return self.lost / (self.lost + self.kept)

    def x(self, scene: Scene) -> float:
        """Where it is drawn: between two steps, or inside the fold."""
        sheet = scene.sheet
        if self.column not in scene.strip.places:
            return scene.strip.inside(self.column, sheet.gutter)
        border = scene.strip.places[self.column] + (sheet.width if self.band.backward else 0)
        return border + (1 if self.band.backward else -1) * sheet.gutter / 2


def cuts_of(scene: Scene) -> list[Cut]:
    """All cuts of states, by column and from the top."""
    unrolled = scene.sheet.unrolled
    edges: dict[tuple[int, int, int], list[Edge]] = defaultdict(list)
    places = [(band, state) for band in scene.sheet.bands for state in band.states]
    for link in unrolled.links.values():
        for n, (_, state) in enumerate(places):
            if state == (link.value, link.delta):
                for column, cut in link.cut.items():
                    edges[column, n, link.delta] += cut
    found = []
    for (column, n, delta), group in sorted(edges.items()):
        band, state = places[n]
        lost, kept = scene.norm(group), 0.0
        origin = unrolled.made(state[0], column - delta)
        if scene.flow is not None and origin is not None:
            gradient = scene.flow.at(origin)
            kept = norm(gradient) if gradient is not None else 0.0
        found.append(Cut(band, state_name(state[0]), column, band.states[state], lost, kept))
    return found


def draw_cuts(scene: Scene, canvas: Canvas, cuts: Sequence[Cut]) -> None:
    """A bar across the line of each detached state, at which the gradient ends."""
    for cut in cuts:
        x = cut.x(scene)
        if cut.column in scene.strip.places and (shade := canvas.scale.shade(cut.lost)):
            side = 1 if cut.band.backward else -1
            border, y = number(x - side * scene.sheet.gutter / 2), number(cut.y - side * RAIL)
            canvas.add(
                f'<path class="{shade}" d="M{border} {y}H{number(x)}" style="marker-end:none"/>'
            )
        canvas.add(f'<path class="cut" d="M{number(x)} {number(cut.y - 11)}v22"/>')


def cut_labels(scene: Scene, cuts: Sequence[Cut]) -> list[tuple[Cut, str]]:
    """What is written over the cuts between two steps, with the topmost of them."""
    groups: dict[tuple[int, int], list[Cut]] = defaultdict(list)
    for cut in cuts:
        if cut.column in scene.strip.places:
            groups[id(cut.band), cut.column].append(cut)
    return [(group[0], _told(group)) for group in groups.values()]


def _told(group: list[Cut]) -> str:
    parts = [
        say("{share:.0%} of ∂{name}", share=cut.share, name=cut.name)
        for cut in group
        if cut.share is not None
    ]
    return say("cut: {parts} lost", parts=", ".join(parts)) if parts else say("cut")
