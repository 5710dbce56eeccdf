"""What to look at in a picture, in a sentence: how the gradient comes back along each state."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..style.text import in_words
from .descents import Descent
from .scene import Scene

__all__ = ["look"]

LEVEL = 0.5  # the share that is left of a gradient that has stayed about the same
MOST = 3  # states that are described


def look(scene: Scene, descents: Sequence[Descent]) -> str:
    """The sentence; empty where no gradient is drawn."""
    if scene.flow is None:
        return ""
    if scene.runs_along:
        return "The boxes compute the gradient, from right to left: the wider a line, the larger."
    told: dict[str, list[str]] = {}
    for descent in descents[:MOST]:
        if said := _told(descent):
            told.setdefault(said, []).append(descent.name)
    if not told:
        return "Coloured lines are the gradient on its way back: the wider, the larger."
    parts = (f"along {' and '.join(names)} {said}" for said, names in told.items())
    return f"Follow the coloured lines from the loss back: {'; '.join(parts)}."


def _told(descent: Descent) -> str:
    """How one state's gradient changes between where it enters and where it ends."""
    norms = [n for n in descent.norms if n is not None and math.isfinite(n) and n > 0]
    if len(norms) < 2:
        return ""
    first, last = (norms[-1], norms[0]) if descent.reach > 0 else (norms[0], norms[-1])
    share = last / first
    if share > 1 / LEVEL:
        return f"it grows {in_words(share)} times"
    if share >= LEVEL:
        return "it stays about the same"
    return f"{in_words(share)} of it is left at the other end"
