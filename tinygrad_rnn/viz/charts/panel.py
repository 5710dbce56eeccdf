"""A panel: an area with a time axis along its bottom, into which lines, cells or bars are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..style.palette import SMALL
from ..style.text import escaped, fitted, number, power, printable, text_width

__all__ = ["Panel", "round_numbers"]

TITLE = 13.0  # px, of the font
LETTER = 64.0  # the largest width in px of a step's label


class Panel:
    """A drawing area `tall` px high for `count` steps, with room around it for its labels.

    `left`, `right`: the room beside the area; `above`: over it; `below`: under the names of the
    steps, for a legend for example, which is then drawn at `under`. `title` is written over the
    area, `note` at its right end. `y` runs from `low` to `high`, in powers of ten if `log`.
    `labels`: words for the steps; ValueError if there are too few.

    >>> panel = Panel(200, 46, 5, title="h")
    >>> panel.area, panel.height
    ((12.0, 30.0, 176.0, 46.0), 100.0)
    """

    def __init__(
        self,
        width: float,
        tall: float,
        count: int,
        title: str = "",
        note: str = "",
        labels: Sequence[str] | None = None,
        left: float = 12.0,
        right: float = 12.0,
        above: float = 0.0,
        below: float = 0.0,
    ) -> None:
        if labels is not None and len(labels) < count:
            raise ValueError(f"{len(labels)} labels for {count} steps")
        self.width, self.count, self.title, self.labels = width, count, title, labels
        self.left, self.right = left, width - right
        self.top = (30.0 if title or note else 12.0) + above
        self.bottom = self.top + tall
        self.under = self.bottom + self._names_height()
        self.height = self.under + below
        self.low, self.high, self.log = 0.0, 1.0, False
        self._body: list[str] = []
        if title:
            room = width - left - right - (text_width(note, SMALL) + 8 if note else 0)
            shown = escaped(fitted(printable(title), TITLE, room))
            self.text(left, 18, shown, "left heading")
        if note:
            self.text(self.right, 18, escaped(note), "right soft")

    @property
    def area(self) -> tuple[float, float, float, float]:
        """The drawing area: x, y, width and height."""
        return self.left, self.top, self.right - self.left, self.bottom - self.top

    @property
    def pitch(self) -> float:
        """The width of a step."""
        return (self.right - self.left) / max(self.count, 1)

    def x(self, step: float) -> float:
        """The middle of a step."""
        return self.left + (step + 0.5) * self.pitch

    def y(self, value: float) -> float:
        """The height of a value; a value beyond the scale is drawn at its end."""
        if self.log:
            value = math.log10(value) if value > 0 else -math.inf
        place = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.bottom - min(max(place, 0.0), 1.0) * (self.bottom - self.top)

    def add(self, *elements: str) -> None:
        """Draw these over everything drawn so far."""
        self._body += elements

    def rect(
        self, look: str, x: float, y: float, width: float, height: float, told: str = ""
    ) -> None:
        """A rectangle that shows `told` on hover."""
        title = f"<title>{escaped(told)}</title>" if told else ""
        self.add(
            f'<rect class="{look}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" '
            f'height="{height:.2f}">{title}</rect>'
        )

    def level(self, y: float, look: str = "grid") -> None:
        """A line across the area."""
        self.add(
            f'<path class="{look}" d="M{number(self.left)} {number(y)}H{number(self.right)}"/>'
        )

    def text(self, x: float, y: float, text: str, look: str) -> None:
        """Write `text`, which must be escaped already."""
        self.add(f'<text class="{look}" x="{number(x)}" y="{number(y)}">{text}</text>')

    def log_axis(self, low: float, high: float) -> None:
        """A logarithmic axis over `low` to `high`, whole powers of ten, six ticks at most."""
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        last = max(last, first + 1)
        self.low, self.high, self.log = float(first), float(last), True
        every = next(n for n in round_numbers() if n >= (last - first) / 6)
        for exponent in range(last - last % every, first - 1, -every):
            y = self.y(10.0**exponent)
            self.level(y)
            self.text(self.left - 6, y + 3.5, power(exponent), "right soft")

    def axis(self, low: float, high: float, ticks: Sequence[tuple[float, str]]) -> None:
        """A linear axis with these ticks."""
        self.low, self.high, self.log = low, high, False
        for value, label in ticks:
            y = self.y(value)
            self.level(y)
            self.text(self.left - 6, y + 3.5, escaped(label), "right soft")

    def name_steps(self) -> None:
        """Write the label or number of each step under the area, as room allows."""
        names = self._names()
        needed = 13.0
        if not self._upright:
            needed = max((text_width(name, SMALL) for name in names), default=0.0)
            needed += 10.0 if self.labels is None else 2.0
        every = max(1, math.ceil(needed / max(self.pitch, 0.1)))
        if self.labels is None:
            every = next(n for n in round_numbers() if n >= every)
        for place in range(0, self.count, every):
            name = escaped(names[place])
            if self._upright:
                x, y = number(self.x(place) + 3.5), number(self.bottom + 6)
                turn = f' transform="rotate(-90 {x} {y})"'
                self.add(f'<text class="right soft" x="{x}" y="{y}"{turn}>{name}</text>')
            else:
                self.text(self.x(place), self.bottom + 15, name, "soft")

    def step(self, t: int) -> str:
        """The name of a step: `t = 3`, with its label if it has one."""
        return f"t = {t}" if self.labels is None else f"t = {t} ({self.labels[t]})"

    def _names(self) -> list[str]:
        labels = self.labels
        names = map(str, range(self.count)) if labels is None else labels[: self.count]
        return [fitted(printable(name), SMALL, LETTER) for name in names]

    @property
    def _upright(self) -> bool:
        """Whether labels are so long that they are written vertically."""
        widest = max((text_width(name, SMALL) for name in self._names()), default=0.0)
        return self.labels is not None and widest + 2 > max(self.pitch, 24.0)

    def _names_height(self) -> float:
        if not self._upright:
            return 24.0
        return 14.0 + max(text_width(name, SMALL) for name in self._names())

    def content(self) -> str:
        """Everything that was drawn."""
        return "".join(self._body)


def round_numbers() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50 and so on."""
    ten = 1
    while True:
        yield from (ten, 2 * ten, 5 * ten)
        ten *= 10
