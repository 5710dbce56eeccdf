"""Where the gradient is cut: a state goes on to the next step detached, and no gradient comes back.

    share = ||lost|| / (||lost|| + ||kept||)

`lost` is what the later steps would send back to the state of the earlier step if it were not
detached, with all other cuts in place. `kept` is what that state is sent from elsewhere, such as
from a loss of its own step. So a cut with a share of 100 % is all that the state could learn from.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .flow import norm
from .step import RAIL, Band
from .text import number
from .unrolled import Edge, state_name

if TYPE_CHECKING:
    from .svg import Drawing

__all__ = ["Cut", "cut_labels", "cuts_of", "draw_cuts"]


@dataclass
class Cut:
    """A state that reaches `column` detached; `lost` and `kept` as in the module, None unknown."""

    band: Band
    name: str
    column: int
    y: float
    lost: float | None
    kept: float

    @property
    def share(self) -> float | None:
        """The share of the gradient that is discarded; None where none comes as far as the cut."""
        if not self.lost:
            return None if self.lost is None else 0.0
        return self.lost / (self.lost + self.kept)

    def x(self, drawing: Drawing) -> float:
        """Where it is drawn: between two steps, or inside the fold."""
        sheet = drawing.sheet
        if self.column not in drawing.strip.places:
            return drawing.strip.inside(self.column, sheet.gutter)
        border = drawing.strip.places[self.column] + (sheet.width if self.band.backward else 0)
        return border + (1 if self.band.backward else -1) * sheet.gutter / 2


def cuts_of(drawing: Drawing) -> list[Cut]:
    """All cuts of states, by column and from the top."""
    unrolled = drawing.sheet.unrolled
    edges: dict[tuple[int, int, int], list[Edge]] = defaultdict(list)
    places = [(band, state) for band in drawing.sheet.bands for state in band.states]
    for link in unrolled.links.values():
        for n, (_, state) in enumerate(places):
            if state == (link.value, link.delta):
                for column, cut in link.cut.items():
                    edges[column, n, link.delta] += cut
    found = []
    for (column, n, delta), group in sorted(edges.items()):
        band, state = places[n]
        lost, kept = drawing.norm(group), 0.0
        origin = unrolled.made(state[0], column - delta)
        if drawing.flow is not None and origin is not None:
            gradient = drawing.flow.at(origin)
            kept = norm(gradient) if gradient is not None else 0.0
        found.append(Cut(band, state_name(state[0]), column, band.states[state], lost, kept))
    return found


def draw_cuts(drawing: Drawing) -> None:
    """Across each cut state's line a bar, at which the gradient ends."""
    for cut in drawing.cuts:
        x = cut.x(drawing)
        if cut.column in drawing.strip.places and (shade := drawing.scale.shade(cut.lost)):
            side = 1 if cut.band.backward else -1
            border, y = number(x - side * drawing.sheet.gutter / 2), number(cut.y - side * RAIL)
            drawing.add(
                f'<path class="{shade}" d="M{border} {y}H{number(x)}" style="marker-end:none"/>'
            )
        drawing.add(f'<path class="cut" d="M{number(x)} {number(cut.y - 11)}v22"/>')


def cut_labels(drawing: Drawing) -> list[tuple[Cut, str]]:
    """What is written over the cuts between two steps, with the topmost of them."""
    groups: dict[tuple[int, int], list[Cut]] = defaultdict(list)
    for cut in drawing.cuts:
        if cut.column in drawing.strip.places:
            groups[id(cut.band), cut.column].append(cut)
    return [(group[0], "cut" + _shares(group)) for group in groups.values()]


def _shares(group: list[Cut]) -> str:
    parts = [f"{cut.share:.0%} of ∂{cut.name}" for cut in group if cut.share is not None]
    return f": {', '.join(parts)} lost" if parts else ""
