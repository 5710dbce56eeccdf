"""ObservedStep: a step that also records its named values and its states."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import ops, pytree
from ..engine.dtypes import is_floating
from ..engine.recording.clock import tick
from ..engine.recording.mode import ModeChange, current_mode, is_grad_enabled
from ..engine.tensor import Tensor
from .step_function import FlatStep, StepFunction

__all__ = ["Label", "Observed", "ObservedStep", "StepNotes", "Wanted", "joined", "relative"]


class Label(NamedTuple):
    """The label of a value of a step: the module path inside the step, and the name.

    `leaf`: for a value that the step passes to the next, which leaf of the carry it is.
    """

    path: str
    name: str
    leaf: int | None


class Wanted(NamedTuple):
    """The values that an observer wants.

    `waits_for`: the module whose calls are observed; None inside such a call. `names`: the names of
    the values; None for all. `states_only`: whether only leaves of carries are wanted.
    """

    waits_for: Any
    names: frozenset[str] | None
    states_only: bool

    def __call__(self, name: str, leaf: int | None) -> bool:
        """Whether values of that name, or that leaf of a carry, are to be kept."""
        if leaf is None and self.states_only:
            return False
        return self.names is None or name in self.names

    @property
    def key(self) -> Any:
        """The key of an observed program."""
        waits_for = None if self.waits_for is None else weakref.ref(self.waits_for)
        return waits_for, self.names, self.states_only


class Observed(NamedTuple):
    """The named values that a compiled step returns.

    `samples`: the values in the traced step. `names`: all names in the step.
    """

    labels: Sequence[Label]
    samples: Sequence[Any]
    names: frozenset[str]


class ObservedStep(FlatStep):
    """A step on leaves whose named values and states are recorded each time it runs.

    The function receives copies of the carry and of x_t, so that a value that it names or passes on
    belongs to this step only. The compiler removes the copies.
    """

    def __init__(self, wanted: Wanted, *of: Any) -> None:
        super().__init__(*of)
        self._wanted = wanted
        self._notes = StepNotes(wanted, "")

    def __call__(
        self, carry: Sequence[Tensor], xs: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """See `FlatStep`."""
        self._notes = StepNotes(self._wanted, path_here())
        with ModeChange(observer=self._notes):
            given = [*map(_own, xs[: self.x_leaves]), *xs[self.x_leaves :]]
            return super().__call__([_differentiable(_own(leaf)) for leaf in carry], given)

    def _checked(self, carry: Any, result: Any) -> tuple[list[Tensor], list[Tensor]]:
        leaves, ys = super()._checked(carry, result)
        self._notes.add_states(self.of, leaves, result[0])
        return leaves, ys

    @property
    def noted(self) -> dict[Label, Tensor]:  # type: ignore[override]
        """The named values and the states of the last step."""
        return self._notes.labelled()

    @property
    def names(self) -> frozenset[str]:  # type: ignore[override]
        """All names in that step, including those of values that are not wanted."""
        return frozenset(name for _, name in self._notes.found.values())


class StepNotes:
    """Records the values named during a step. An observer of the engine."""

    def __init__(self, wanted: Wanted, base: str) -> None:
        self.waits_for = wanted.waits_for
        self.base = base  # the path to which those of labels are relative
        self.start = tick()
        self.found: dict[Tensor, tuple[str, str]] = {}  # path and name
        self._leaves: dict[Tensor, int] = {}
        self._wants = wanted

    def inside(self, path: str) -> StepNotes:
        """These notes inside the module that they wait for."""
        inner = object.__new__(StepNotes)
        inner.__dict__.update(vars(self), waits_for=None, base=path)
        return inner

    def named(self, node: Any, name: str) -> None:
        """Record a value of this step; values from before the step are ignored."""
        if self.waits_for is None and node.number > self.start:
            self.found[node] = relative(path_here(), self.base), name

    def add_states(self, of: StepFunction, leaves: Sequence[Tensor], tree: Any) -> None:
        """Record the leaves of the next carry, by name or, without one, by position."""
        if self.waits_for not in (None, of.owner):
            return
        path = of.path if self.waits_for is None else ""
        for k, (leaf, place) in enumerate(zip(leaves, pytree.places(tree), strict=True)):
            if leaf.number > self.start:
                self.found.setdefault(leaf, (path, f"state{place}"))
                self._leaves.setdefault(leaf, k)

    def labelled(self) -> dict[Label, Tensor]:
        """The wanted values, in the order in which they were named."""
        found: dict[Label, Tensor] = {}
        count: dict[tuple[str, str], int] = {}
        for node, place in self.found.items():
            count[place] = count.get(place, 0) + 1
            path, name = place[0], numbered(place[1], count[place])
            leaf = self._leaves.get(node)
            if self._wants(place[1], leaf) or self._wants(name, leaf):
                found[Label(path, name, leaf)] = node
        return found


def _own(leaf: Tensor) -> Tensor:
    """The same value as a new node of this step."""
    return ops.copy(leaf) if is_floating(leaf._data) else leaf


def _differentiable(leaf: Tensor) -> Tensor:
    """The node, made to require a gradient even if none of its inputs does."""
    if is_grad_enabled() and is_floating(leaf._data):
        leaf.requires_grad = True
    return leaf


def numbered(name: str, count: int) -> str:
    """The name of value number `count` of that name.

    >>> numbered("gate", 1), numbered("gate", 2)
    ('gate', 'gate#2')
    """
    return name if count == 1 else f"{name}#{count}"


# Module paths


def path_here() -> str:
    """The current module path."""
    scope = current_mode().scope
    return "" if scope is None else scope.path


def relative(path: str, base: str) -> str:
    """A module path relative to another that contains it.

    >>> relative("Net.lstm.l0", "Net"), relative("Net", "Net")
    ('lstm.l0', '')
    """
    return path[len(base) :].removeprefix(".") if base else path


def joined(*paths: str) -> str:
    """Module paths nested in one another.

    >>> joined("Net", "", "lstm")
    'Net.lstm'
    """
    return ".".join(filter(None, paths))
