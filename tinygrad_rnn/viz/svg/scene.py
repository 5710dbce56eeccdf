"""What painters read: a sheet laid along a strip of time, and the gradient on each edge."""

from __future__ import annotations

from collections.abc import Sequence

from ..gradient.flow import Gradients
from ..layout.sheet import Sheet, Way
from ..layout.step import Course, Tag
from ..layout.strip import Strip
from ..model.columns import AFTER, BEFORE
from ..model.unrolled import Edge

__all__ = ["Piece", "Scene"]

Piece = Course | Way | Tag  # anything drawn with the gradient that flows along it


class Scene:
    """A sheet, the strip that it is stamped along, and the gradient, if there is a flow.

    `rolled`: whether one column represents all. `labels`: a word for each step.
    """

    def __init__(
        self,
        sheet: Sheet,
        strip: Strip,
        flow: Gradients | None,
        rolled: bool = False,
        labels: Sequence[str] | None = None,
    ) -> None:
        self.sheet = sheet
        self.strip = strip
        self.flow = flow
        self.rolled = rolled
        self.labels = labels
        self._norms: dict[tuple[int, int], float | None] = {}
        ends = [piece for band in (sheet.head, sheet.foot) if band for piece in band.pieces]
        self._measure(list(strip.places), [*self.pieces_in_steps(), *sheet.ways])
        self._measure([AFTER, BEFORE], ends)

    def _measure(self, columns: Sequence[int], pieces: Sequence[Piece]) -> None:
        for column in columns:
            for piece in pieces:
                if piece.is_in(column):
                    self._norms[id(piece), column] = self.norm(piece.edges(column))

    @property
    def compact(self) -> bool:
        """Whether there are so many steps that only the lines are drawn."""
        return self.sheet.unrolled.is_compact

    @property
    def aside(self) -> float:
        """How far from the steps the states start: beyond the lines in the gutter, if any."""
        return max(self.sheet.gutter - 36.0, 0.0)

    @property
    def runs_along(self) -> bool:
        """Whether the gradients run along their edges, rather than against them."""
        return self.flow is not None and self.flow.runs_along

    def time(self, column: int) -> str:
        """The text under a column: its step, with its label if it has one."""
        step = self.sheet.unrolled.steps[column]
        known = self.labels is not None and step < len(self.labels)
        return f"t = {step} · {self.labels[step]}" if known and self.labels else f"t = {step}"

    def pieces_in_steps(self) -> list[Piece]:
        """What is stamped once per step, without the routes between steps and bands."""
        return [piece for band in self.sheet.bands for piece in band.pieces]

    def norm(self, edges: list[Edge]) -> float | None:
        """The norm of the gradient along `edges`, None without a flow."""
        return self.flow.along(edges) if self.flow is not None else None

    def norm_of(self, piece: Piece, column: int) -> float | None:
        """The norm of the gradient along a piece in a column that contains it."""
        return self._norms[id(piece), column]

    def has(self, piece: Piece, column: int) -> bool:
        """Whether a column contains this piece."""
        return (id(piece), column) in self._norms

    def norms(self) -> list[float]:
        """The norms of all gradient edges that are stamped."""
        return [norm for norm in self._norms.values() if norm is not None]
