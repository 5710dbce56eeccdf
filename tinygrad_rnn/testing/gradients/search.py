"""Finds where a gradient is wrong in few runs: all elements at once, then leaf by leaf.

One run along one direction shows whether the gradient of *every* element is right, because the
direction weights all elements equally, however small their gradients are. Only if that run
disagrees are the leaves tried one by one, and only in a wrong leaf its elements. A correct cell
with a thousand weights takes three runs instead of a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .gradcheck import EPS, ROUNDINGS, Truth, compare_in_real_numbers, dot, rounding_error
from .program import Program, one_at
from .report import GradientReport
from .rounding import magnitudes

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["search_gradient"]

_SHOWN = 2
"""How many wrong elements of a leaf to search for: a reader needs an example, not a list."""


def search_gradient(
    program: Program, rtol: float, spend: Callable[[], None] = lambda: None, shakes: int = 3
) -> GradientReport:
    """Compare the gradient of `program` with the true one, in as few runs as possible.

    The report names at most two wrong elements of each wrong leaf. `spend` is called before each
    run; an exception from it ends the search. `shakes`: runs in which rounding is measured (see
    `rounding`); one is enough for the sum over many elements.
    """
    return _Search(program, rtol, spend, shakes).report


class _Search:
    def __init__(
        self, program: Program, rtol: float, spend: Callable[[], None], shakes: int
    ) -> None:
        self._program, self._spend = program, spend
        spend()
        self._found = program.gradient(program.point)
        spend()
        self._sizes = magnitudes(program.gradient, program.point, self._found, shakes)
        self._truth = Truth(program)
        self._truth.verify_once()
        self.report = GradientReport("complex step, along directions", rtol)
        self._run()
        self._truth.explain(self.report)
        spend()
        compare_in_real_numbers(program, self._found, self.report)

    def _run(self) -> None:
        self.report.checked = sum(g.size for g in self._found)
        if all(map(self._agrees, self._directions())):
            return
        for leaf in range(len(self._found)):
            if not all(map(self._agrees, self._directions(leaf))):
                self._elements(leaf)

    def _directions(self, leaf: int | None = None) -> Iterator[list[Array]]:
        """Directions that together move every element (of one leaf), each by a random sign.

        An element moves by the inverse of its gradient, so that all have equal weight. If its
        gradient is only rounding it moves by the inverse of the rounding; if even that is 0, by 1.
        The three kinds do not share a direction: the rounding of one would hide the gradient of
        another.
        """
        rng = np.random.default_rng(0)
        signs = [
            rng.choice([-1.0, 1.0], g.shape) * rng.uniform(0.5, 1.0, g.shape) for g in self._found
        ]
        amounts = [np.where(np.isfinite(g), np.abs(g), 0.0) for g in self._found]
        noise = [ROUNDINGS * EPS * size for size in self._sizes]
        kinds = [np.where(a > n, 0, np.where(n > 0, 1, 2)) for a, n in zip(amounts, noise)]
        units = [np.choose(k, [a, n, np.ones_like(a)]) for k, a, n in zip(kinds, amounts, noise)]
        for kind in range(3):
            chosen = [
                (k == kind) & (leaf is None or leaf == number) for number, k in enumerate(kinds)
            ]
            if any(map(np.any, chosen)):
                least = min(u[c].min() for u, c in zip(units, chosen) if c.any())
                yield [
                    np.where(c, s * (least / np.where(c, u, 1.0)), 0.0)
                    for c, s, u in zip(chosen, signs, units)
                ]

    def _agrees(self, direction: Sequence[Array]) -> bool:
        """Whether the gradient gives the true slope along `direction`."""
        self._spend()
        true, error = self._truth.along(direction)
        size = dot(map(np.abs, self._found), map(np.abs, direction))
        rounding = rounding_error(dot(self._sizes, map(np.abs, direction)), error)
        allowed = self.report.tolerance * size + rounding
        return bool(abs(dot(self._found, direction) - true) <= allowed)  # not so if either is NaN

    def _elements(self, leaf: int) -> None:
        """Compare the elements of one leaf, until two wrong ones are found."""
        name, wrong = self._program.names[leaf], len(self.report.disagreements)
        for index in np.ndindex(self._found[leaf].shape):
            self._spend()
            true, error = self._truth.along(one_at(self._program.point, leaf, index))
            if not np.isfinite(true):
                self.report.excluded.append(f"{name}[{', '.join(map(str, index))}]")
                continue
            rounding = rounding_error(float(self._sizes[leaf][index]), error)
            found = float(self._found[leaf][index])
            self.report.compare(name, index, found, true, abs(true), rounding)
            if len(self.report.disagreements) - wrong == _SHOWN:
                return
