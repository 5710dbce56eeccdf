"""A law of cells: a name, a sentence, and a check that raises `Broken` with what it found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..cells.results import Results, first_difference

if TYPE_CHECKING:
    from ..cells.runs import Subject

__all__ = ["LAWS", "Broken", "DoesNotApply", "Law", "law", "require"]


class Broken(Exception):
    """A law that does not hold in this case; the message says what was found."""


class DoesNotApply(Exception):
    """A law that says nothing about this cell or layer; the message says why."""


class Law(NamedTuple):
    """A name, one sentence, and the check of a case of `steps` and `rows`.

    `unless`: the limits of a network (see `Network.limits`) under which it does not apply.
    `smaller`: cases that prove no more than `cases`. They are tried if one of `cases` is broken,
    for a simpler counterexample, or if a limit rules one out.
    """

    name: str
    says: str
    check: Callable[[Subject, int, int], None]
    cases: tuple[tuple[int, int], ...]  # (steps, rows), the smallest first
    unless: tuple[str, ...] = ()
    smaller: tuple[tuple[int, int], ...] = ()


LAWS: list[Law] = []

# The steps and rows of most laws. Nearly all use 1 and 3 rows, because a cell is compiled for each
# number of rows.
CASES, SMALLER = ((1, 1), (4, 3)), ((2, 1), (2, 2))


def law(
    name: str,
    says: str,
    cases: tuple[tuple[int, int], ...] = CASES,
    unless: tuple[str, ...] = (),
    smaller: tuple[tuple[int, int], ...] = SMALLER,
) -> Callable[..., Any]:
    """Decorate a law's check: it is listed in `LAWS` under `name`."""

    def listed(check: Callable[[Subject, int, int], None]) -> Callable[..., None]:
        LAWS.append(Law(name, says, check, cases, unless, smaller))
        return check

    return listed


def require(found: Results, expected: Results, what: str = "", exact: bool = False) -> None:
    """Raise `Broken`, beginning with `what`, at the first result that is not the expected one."""
    difference = first_difference(found, expected, exact)
    if difference is not None:
        raise Broken(what + difference)
