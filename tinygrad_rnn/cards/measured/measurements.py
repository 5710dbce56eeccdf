"""Measurements: the measured sections; the cell is trained once for all of them."""

from __future__ import annotations

from functools import cached_property

from ...viz.style.text import escaped
from ..section import Section
from ..subject import Subject
from .dynamics import Case, Dynamics, cases, dynamics, dynamics_section
from .learning import learning_section
from .speed import speed_section
from .trained import CannotLearn, TaskMaker, Trained, trained

__all__ = ["Measurements"]


class Measurements:
    """The measurements of a subject. `task`: the task that it learns."""

    def __init__(self, subject: Subject, task: TaskMaker | None, quick: bool, seed: int) -> None:
        self.subject, self.task, self.quick, self.seed = subject, task, quick, seed

    @cached_property
    def _trained(self) -> Trained | str:
        """The cell before and after training, or why there is none."""
        try:
            return trained(self.subject, self.task, self.quick, self.seed)
        except CannotLearn as reason:
            return str(reason)

    def learning(self) -> Section:
        """Curves on a task."""
        found = self._trained
        if isinstance(found, str):
            return _missing("learning", "Learning", found)
        return learning_section(self.subject.name, found)

    def gradient(self) -> tuple[Section, list[Dynamics]]:
        """The gradient through time."""
        found = self._trained
        if isinstance(found, str):
            several = [self._as_it_is()]
            about = f"Measured on the given cell and random sequences: {found}."
        else:
            several = cases(found)
            about = (
                "How far back the gradient of the cell reaches and how fast changes of its state "
                f"grow or shrink, on sequences of the task “{found.task.name}”, at initialisation "
                f"and after {found.updates:,} updates."
            )
        try:
            measured = [dynamics(case, self.quick) for case in several]
        except (TypeError, ValueError) as error:
            return _missing("gradient", "The gradient through time", str(error)), []
        return dynamics_section(measured, about), measured

    def _as_it_is(self) -> Case:
        given = self.subject.given(60 if self.quick else 200, 8)
        return Case("as it is", self.subject.cell, given.x, given.inputs, given.constants, [])

    def speed(self) -> Section:
        """Milliseconds of a training step."""
        return speed_section(self.subject, self.quick)


def _missing(name: str, title: str, why: str) -> Section:
    return Section(name, title, "", f"<p>Not measured: {escaped(why)}.</p>")
