"""What a lesson is: a question, knobs to turn, and two networks to compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ...language import say
from ..charts.panel import Panel

__all__ = ["Card", "Knob", "Lesson", "Values"]

Values = Mapping[str, float]


@dataclass(frozen=True)
class Knob:
    """A number that the reader may change.

    `positions`: the stops of its slider. `tell`: the meaning of a value, in words. `whole`: whether
    it is a whole number. `least`, `most`: the range of sensible values.
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

        ValueError if the value is out of range.
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
    def said(self) -> Lesson:
        """The lesson's texts in the language in force."""
        return replace(
            self,
            question=say(self.question),
            look=say(self.look),
            why=tuple(map(say, self.why)),
            turn=tuple(map(say, self.turn)),
            knobs=tuple(replace(knob, label=say(knob.label)) for knob in self.knobs),
        )

    @property
    def defaults(self) -> dict[str, float]:
        """The current values of the knobs."""
        return {knob.name: knob.default for knob in self.knobs}
