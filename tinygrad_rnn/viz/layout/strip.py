"""Which steps are drawn, and where along the time axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Strip"]

FOLD_WIDTH = 240.0  # of the band that represents the steps left out


@dataclass
class Strip:
    """Which columns are drawn, and where: `places` maps a column to its left border."""

    places: dict[int, float]
    width: float
    folded: tuple[int, int] | None = None  # the first and last column left out
    fold_at: float = 0.0
    fold_width: float = 0.0

    @classmethod
    def of(cls, columns: int, pitch: float, shown: int | None, gutter: float = 0.0) -> Strip:
        """All columns, or the first and last ones, `shown` in all (at least two)."""
        if shown is None or columns <= max(shown, 2):
            return cls({c: c * pitch for c in range(columns)}, columns * pitch)
        first = math.ceil(max(shown, 2) / 2)
        rest = max(shown, 2) - first
        at, fold = first * pitch, FOLD_WIDTH + gutter
        places = {c: c * pitch for c in range(first)}
        places.update({columns - rest + n: at + fold + n * pitch for n in range(rest)})
        return cls(places, at + fold + rest * pitch, (first, columns - rest - 1), at, fold)

    def inside(self, column: int, gutter: float) -> float:
        """The position in the fold of a column that was left out."""
        assert self.folded is not None
        first, last = self.folded
        return self.fold_at + (column - first + 1) / (last - first + 2) * (self.fold_width - gutter)
