"""What to look at in a picture, in a sentence: how the gradient comes back along each state."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...language import say
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
        return say(
            "The boxes compute the gradient, from right to left: the wider a line, the larger."
        )
    told: dict[str, list[str]] = {}
    for descent in descents[:MOST]:
        if said := _told(descent):
            told.setdefault(said, []).append(say(descent.name))
    if not told:
        return say("Coloured lines are the gradient on its way back: the wider, the larger.")
    parts = say("; ").join(
        say("along {names} {said}", names=say(" and ").join(names), said=said)
        for said, names in told.items()
    )
    return say("Follow the coloured lines from the loss back: {parts}.", parts=parts)


def _told(descent: Descent) -> str:
    """How one state's gradient changes between where it enters and where it ends."""
    norms = [n for n in descent.norms if n is not None and math.isfinite(n) and n > 0]
    if len(norms) < 2:
        return ""
    first, last = (norms[-1], norms[0]) if descent.reach > 0 else (norms[0], norms[-1])
    share = last / first
    if share > 1 / LEVEL:
        return say("it grows {share} times", share=in_words(share))
    if share >= LEVEL:
        return say("it stays about the same")
    return say("{share} of it is left at the other end", share=in_words(share))
