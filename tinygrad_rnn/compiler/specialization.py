"""Specializations: the compiled programs of a step, each for one set of shapes, dtypes and flags.

A specialization has a key and guards. The key describes the arguments of a scan; the guards
describe everything else that the step reads. The specializations of a cell live as long as the
cell, those of a function as long as its code.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from ..engine.recording.guard import fingerprint
from ..engine.tensor import Tensor
from .errors import TraceError
from .guards.checks import Binding, Same, content_of
from .guards.guards import Guards, Unguardable
from .observed_step import Observed
from .runtime.scan import CompiledStep
from .step_function import FlatStep
from .trace.calls import Codes
from .trace.differentiation import Differentiated
from .trace.recording import Record
from .trace.step_invariance import Place, Summary, difference, external_arrays, numbers_at
from .trace.tracers import graph_of

__all__ = [
    "Refusal",
    "Seen",
    "Specialization",
    "Specializations",
    "compiled_steps",
    "refusal",
    "seen",
    "specializations",
    "specialize",
]  # fmt: skip

MOST = 16  # the most specializations that an owner keeps
MOST_ALIKE = 8  # the most with one key, which differ in their guards


class Refusal:
    """Why a step runs op by op. It holds as long as the function consists of the same parts.

    `guards`: everything that it reads, if that can be guarded; otherwise only its closure.
    """

    def __init__(
        self, reason: str, function: Callable[..., Any], guards: Guards | None = None
    ) -> None:
        self.reason, self._guards = reason, guards
        self._cells = [Same(cell) for cell in _closure(function)]

    def holds(self, function: Callable[..., Any]) -> bool:
        """Whether the reason still holds for this function, as far as is known without a trace."""
        if self._guards is not None:
            return self._guards.bind(function) is not None
        cells, none = _closure(function), Binding(0)
        if len(cells) != len(self._cells):
            return False
        return all(known.holds(cell, none) for known, cell in zip(self._cells, cells))


def _closure(function: Callable[..., Any]) -> list[Any]:
    """The parts of a function besides its code."""
    bound = getattr(function, "__self__", None)
    cells = getattr(getattr(function, "__func__", function), "__closure__", None) or ()
    return [*([bound] if bound is not None else []), *map(content_of, cells)]


def refusal(step: FlatStep, reason: str, recorded: Record | None) -> Refusal:
    """A refusal with the guards of the recorded step, if it has any."""
    guards = None
    if recorded is not None and recorded.refusal is not None:
        with suppress(Unguardable):
            guards = Guards(step.of.function, recorded.codes, ())
    return Refusal(reason, step.of.function, guards)


class Specialization:
    """A compiled step and its conditions. `sources`: the origin of each leaf; see `graph_of`.

    `observed`: the observed values, which are the last of its ys and whose gradients enter through
    the last xs. `summary`: what the recorded step did. `numbers`: the places of the Python numbers
    that are inputs of the program. `dtypes`: the dtypes of the carry.
    """

    def __init__(
        self,
        compiled: CompiledStep,
        guards: Guards,
        summary: Summary,
        sources: Sequence[Any],
        dtypes: Sequence[Any],
        y_structure: Any,
        observed: Observed,
    ) -> None:
        self.y_structure, self.observed = y_structure, observed
        self.uses = 0  # how often it was reused
        self.compiled, self.guards, self.summary = compiled, guards, summary
        self.dtypes = dtypes
        self._places = [s if isinstance(s, Place) else None for s in sources]
        self.numbers = [place for place in self._places if place is not None]
        self._kinds = [value.dtype for value in compiled.step.leaves]
        self._watched = [
            (array, fingerprint(array))
            for array in compiled.step.constants
            if not any(np.may_share_memory(array, known) for known in guards.arrays)
        ]
        guards.arrays = []

    def constants_are_unchanged(self) -> bool:
        """Whether arrays that the step reads and that no guard covers are unchanged."""
        return all(fingerprint(array) == known for array, known in self._watched)

    def leaves(self, binding: Binding, now: Summary | None = None) -> list[Tensor]:
        """The Tensors that a run reads besides its arguments; numbers are those of `now`."""
        if not self.numbers:
            return binding.leaves
        tensors = iter(binding.leaves)
        numbers = numbers_at(self.numbers, now or self.summary)
        return [
            next(tensors) if place is None else Tensor.of(np.asarray(numbers[place], kind))
            for place, kind in zip(self._places, self._kinds, strict=True)
        ]


class Specializations:
    """The specializations of one owner, by key; the most recently used at the end."""

    def __init__(self) -> None:
        self._known: dict[Any, list[Specialization | Refusal]] = {}
        self.pending: dict[Any, Seen] = {}  # the recorded steps of runs of one step
        self.latest: Specialization | Refusal | None = None

    def find(
        self, key: Any, function: Callable[..., Any]
    ) -> tuple[Specialization | Refusal | None, Binding | None]:
        """A specialization whose guards hold, and its leaves."""
        known = self._known.get(key, ())
        for k, entry in enumerate(known):
            if isinstance(entry, Refusal):
                if entry.holds(function):
                    return entry, None
                continue
            binding = entry.guards.bind(function)
            if binding is not None and entry.constants_are_unchanged():
                if k and isinstance(known, list):
                    known.insert(0, known.pop(k))
                entry.uses += 1
                return entry, binding
        return None, None

    def differing_in_numbers(
        self, key: Any, function: Callable[..., Any]
    ) -> tuple[Specialization, Binding] | None:
        """A specialization whose guards hold except for numbers that have changed."""
        for entry in self._known.get(key, ()):
            if isinstance(entry, Specialization):
                binding = entry.guards.bind(function, numbers=True)
                if binding is not None:
                    return entry, binding
        return None

    def dtypes(self, key: Any) -> Sequence[Any] | None:
        """The dtypes of the carry from its second step on, if they are known."""
        entries = self._known.get(key, ())
        return next((e.dtypes for e in entries if isinstance(e, Specialization)), None)

    def add(self, key: Any, entry: Specialization | Refusal) -> None:
        """Keep a specialization; if there are too many, drop the least recently used.

        TraceError if every run so far needed a new program.
        """
        alike = self._known.pop(key, [])
        others = [e for e in alike if isinstance(e, Specialization)]
        if isinstance(entry, Specialization) and len(others) >= MOST_ALIKE - 1:
            if not any(other.uses for other in others):  # each call has made a new one
                raise TraceError(
                    f"{MOST_ALIKE} of its programs differ only in what it reads besides its "
                    "arguments"
                )
        self._known[key] = [entry, *alike[: MOST_ALIKE - 1]]
        while sum(map(len, self._known.values())) > MOST and len(self._known) > 1:
            del self._known[next(iter(self._known))]

    def replace(self, key: Any, old: Specialization, new: Specialization | Refusal) -> None:
        """Replace one by another."""
        self._known[key] = [new, *(e for e in self._known.get(key, []) if e is not old)]

    def compiled(self) -> list[CompiledStep]:
        """All compiled steps, the most recently used at the end."""
        entries = [e for alike in self._known.values() for e in reversed(alike)]
        entries.sort(key=lambda entry: entry is self.latest)
        return [e.compiled for e in entries if isinstance(e, Specialization)]


_OF: weakref.WeakKeyDictionary[Any, Specializations] = weakref.WeakKeyDictionary()


def specializations(owner: Any) -> Specializations:
    """The specializations of a cell, or of the code of a function."""
    found = _OF.get(owner)
    if found is None:
        found = _OF[owner] = Specializations()
    return found


def compiled_steps(owner: Any) -> list[CompiledStep]:
    """Everything compiled for this owner, the most recently used at the end."""
    return specializations(owner).compiled()


def specialize(
    step: FlatStep,
    recorded: Record,
    seen: Seen,
    recording: bool,
    reverse: bool,
    numbers: Collection[Place] = (),
) -> Specialization:
    """The specialization for a recorded step, where another step was `seen` before it.

    `recording`: whether gradients may be asked for. TraceError if no program can replace both.
    """
    if recorded.refusal is not None:
        raise TraceError(recorded.refusal)
    now = Summary(recorded)
    found = difference(seen.summary, now)
    if found is not None:
        raise TraceError(found)
    carries = step.carries
    dtypes = [t.dtype for t in recorded.inputs[:carries]]
    if dtypes != [t.dtype for t in recorded.carry_after]:
        raise TraceError("the dtype of its carry changes with every step")
    nodes = [*recorded.inputs, *(call.node for call in recorded.calls)]
    wants = recording and any(node.requires_grad for node in nodes)
    wanted = [wants] * carries
    wanted += [recording and t.requires_grad for t in recorded.inputs[carries:]]
    constants = external_arrays(seen.summary, now)
    masked = len(recorded.inputs) - carries > step.x_leaves
    graph, sources = graph_of(recorded, carries, step.of.name, wanted, constants, numbers, masked)
    guards = guards_of(
        step,
        {**seen.codes, **recorded.codes},
        [source for source in sources if isinstance(source, Tensor)],
    )
    compiled = CompiledStep(Differentiated(graph), reverse)
    noted = step.noted
    observed = Observed([*noted], [node._data for node in noted.values()], step.names)
    return Specialization(compiled, guards, now, sources, dtypes, step.y_structure, observed)


class Seen(NamedTuple):
    """A recorded step: what it did, the code that ran, what it read, its carry's dtypes."""

    summary: Summary
    codes: Codes
    guards: Guards
    dtypes: Sequence[Any]


def seen(step: FlatStep, recorded: Record) -> Seen:
    """The summary of a recorded step. TraceError if no program can replace it."""
    if recorded.refusal is not None:
        raise TraceError(recorded.refusal)
    codes = recorded.codes
    guards = guards_of(step, codes, ())
    return Seen(Summary(recorded), codes, guards, [t.dtype for t in recorded.carry_after])


def guards_of(step: FlatStep, codes: Codes, tensors: Sequence[Tensor]) -> Guards:
    """The guards of a step whose code has run. TraceError if it cannot be guarded."""
    try:
        return Guards(step.of.function, codes, tensors)
    except Unguardable as reason:
        raise TraceError(str(reason)) from None
