"""What a lesson is: a question, the knobs that may be turned, and two networks to compare."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ..charts.panel import Panel
from ..style.text import power

__all__ = ["Card", "Knob", "Lesson", "Values", "in_words"]

Values = Mapping[str, float]


@dataclass(frozen=True)
class Knob:
    """A number that the reader may change.

    `positions`: where its slider stops. `tell`: what a value means, in words. `whole`: whether it
    is a whole number. `least`, `most`: the values that make sense.
    """

    name: str
    label: str
    positions: tuple[float, ...]
    default: float
    tell: Callable[[float], str]
    least: float
    most: float
    whole: bool = False

    def at(self, value: float) -> Knob:
        """This knob set to `value`, which becomes one of its positions.

        ValueError if it does not make sense.
        """
        if not (self.least <= value <= self.most) or (self.whole and value != int(value)):
            kind = "a whole number" if self.whole else "a number"
            raise ValueError(
                f"{self.name} is {value:g}, but must be {kind} from {self.least:g} to {self.most:g}"
            )
        positions = tuple(sorted({*self.positions, float(value)}))
        return replace(self, positions=positions, default=float(value))


@dataclass(frozen=True)
class Card:
    """One of the networks. `draw` runs it for the values of the knobs that it depends on."""

    knobs: tuple[str, ...]
    draw: Callable[[Values], Panel]


@dataclass(frozen=True)
class Lesson:
    """`look`: what to look at, in one sentence; `why`: the reason; `turn`: what to try."""

    name: str
    question: str
    look: str
    why: tuple[str, ...]
    turn: tuple[str, ...]
    knobs: tuple[Knob, ...]
    cards: tuple[Card, Card]

    def at(self, values: Values) -> Lesson:
        """The lesson with some knobs set. ValueError for a knob that it does not have."""
        known = {knob.name: knob for knob in self.knobs}
        for name in values:
            if name not in known:
                raise ValueError(f"{self.name!r} has no {name}; it has {', '.join(known)}")
        knobs = tuple(
            knob.at(values[knob.name]) if knob.name in values else knob for knob in self.knobs
        )
        return replace(self, knobs=knobs)

    @property
    def defaults(self) -> dict[str, float]:
        """The knobs as they are set."""
        return {knob.name: knob.default for knob in self.knobs}


def in_words(value: float) -> str:
    r"""A share or a factor as a reader would say it.

    >>> in_words(0.25), in_words(3.2e-9), in_words(0.0)
    ('25\xa0%', '3\xa0·\xa010⁻⁹', 'nothing')
    """
    if value == 0:
        return "nothing"
    if 1e-3 <= value <= 1.0:
        return f"{100 * value:.2g}\u00a0%" if value < 0.995 else "100\u00a0%"
    exponent = math.floor(math.log10(value))
    digit = round(value / 10.0**exponent)
    if digit == 10:
        digit, exponent = 1, exponent + 1
    return f"{digit}\u00a0·\u00a0{power(exponent)}" if abs(exponent) > 3 else f"{value:.3g}"
