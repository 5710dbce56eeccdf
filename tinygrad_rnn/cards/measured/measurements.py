"""Measurements: the measured sections; the cell is trained once for all of them.

Measured once, a section can be drawn in any language.
"""

from __future__ import annotations

from functools import cached_property, partial

from ...language import say
from ...viz.style.text import escaped
from ..section import Drawn, Section
from ..subject import Subject
from .dynamics import Case, Dynamics, cases, dynamics, dynamics_section
from .learning import learning_section
from .speed import speed, speed_section
from .trained import CannotLearn, TaskMaker, Trained, trained

__all__ = ["Measurements"]


class Measurements:
    """The measurements of a subject. `task`: the task that it learns."""

    def __init__(self, subject: Subject, task: TaskMaker | None, quick: bool, seed: int) -> None:
        self.subject, self.task, self.quick, self.seed = subject, task, quick, seed

    @cached_property
    def _trained(self) -> Trained | CannotLearn:
        """The cell before and after training, or why there is none."""
        try:
            return trained(self.subject, self.task, self.quick, self.seed)
        except CannotLearn as reason:
            return reason

    def learning(self) -> Drawn:
        """Curves on a task."""
        found = self._trained
        if isinstance(found, CannotLearn):
            return partial(_missing, "learning", "Learning", found)
        return partial(learning_section, self.subject.name, found)

    def gradient(self) -> tuple[Drawn, list[Dynamics]]:
        """The gradient through time."""
        found = self._trained
        several = [self._as_it_is()] if isinstance(found, CannotLearn) else cases(found)
        try:
            measured = [dynamics(case, self.quick) for case in several]
        except (TypeError, ValueError) as error:
            return partial(_missing, "gradient", "The gradient through time", error), []
        return lambda: dynamics_section(measured, _about(found)), measured

    def _as_it_is(self) -> Case:
        given = self.subject.given(60 if self.quick else 200, 8)
        return Case("as it is", self.subject.cell, given.x, given.inputs, given.constants, [])

    def speed(self) -> Drawn:
        """Milliseconds of a training step."""
        return partial(speed_section, speed(self.subject, self.quick))


def _about(found: Trained | CannotLearn) -> str:
    if isinstance(found, CannotLearn):
        return say("Measured on the given cell and random sequences: {why}.", why=found)
    return say(
        "How far back the gradient of the cell reaches and how fast changes of its state grow or "
        "shrink, on sequences of the task “{task}”, at initialisation and after {updates:,} "
        "updates.",
        task=say(found.task.name),
        updates=found.updates,
    )


def _missing(name: str, title: str, why: Exception) -> Section:
    told = say("Not measured: {why}.", why=why)
    return Section(name, say(title), "", f"<p>{escaped(told)}</p>")
