"""All lessons, and the function that shows one."""

from __future__ import annotations

from .exploding import EXPLODING
from .gates import GATES
from .lesson import Lesson
from .no_future import NO_FUTURE
from .page import Show
from .truncation import TRUNCATION
from .vanishing import VANISHING

__all__ = ["LESSONS", "show"]

_ALL = (VANISHING, EXPLODING, GATES, NO_FUTURE, TRUNCATION)
LESSONS: dict[str, Lesson] = {lesson.name: lesson for lesson in _ALL}
"""The lessons by name."""


def show(lesson: str, **knobs: float) -> Show:
    """A lesson with two networks side by side: save it as `.html` to turn its knobs.

    `lesson`: "vanishing", "exploding", "gates", "no-future" or "truncation". `knobs`: the values to
    change, such as `forget_bias`, `spectral_radius`, `steps`, `truncate`. ValueError for a lesson
    or a knob that does not exist, or a value out of range.

    >>> show("vanishing", forget_bias=0)
    <lesson vanishing: forget_bias=0, spectral_radius=0.9, steps=100>
    """
    if lesson not in LESSONS:
        raise ValueError(f"there is no lesson {lesson!r}; there are {', '.join(LESSONS)}")
    return Show(LESSONS[lesson].at(knobs))
