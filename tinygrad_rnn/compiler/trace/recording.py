"""Recording: the ops that a step applies, recorded while it runs on real values.

Values are not replaced by stand-ins, so a step cannot detect that it is being recorded: it computes
what it always computes. `CallMonitor` watches everything that it does besides applying ops. If a
step does something that a program cannot repeat, the recording is *refused*, with the reason, and
the step continues undisturbed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from ...engine.primitives.primitive import Primitive
from ...engine.recording.clock import tick
from ...engine.recording.collector import no_collection
from ...engine.recording.guard import fingerprint
from ...engine.recording.mode import ModeChange, current_mode
from ...engine.recording.node import Node
from ...engine.recording.scope import PACKAGE_FOLDER, Scope
from ...engine.tensor import Tensor
from ..ir.instruction import Origin
from .calls import CallMonitor, Codes

__all__ = ["Input", "OpCall", "Record", "Result", "record"]


class Input(NamedTuple):
    """An input of the step: a leaf of the carry or, after these, of x_t."""

    position: int


class Result(NamedTuple):
    """The result of a call in the step."""

    call: int


class OpCall(NamedTuple):
    """One application of an op.

    Its inputs: an Input, a Result, a Tensor that existed before the step, or a constant.
    """

    op: Primitive
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]
    node: Node
    scope: Scope
    grad: bool  # whether ops were being recorded for gradients at that point


class Record:
    """The ops of one step, in order, and its other effects. An observer that watches them run."""

    def __init__(self, inputs: Sequence[Tensor], files: Iterable[str], earlier: Record | None):
        self.inputs = list(inputs)
        self.calls: list[OpCall] = []
        self.results: list[Any] = []  # the leaves of the next carry and of y_t, as inputs of calls
        self.observed = 0  # how many of the last results are observed values
        self.carry_after: list[Tensor] = []
        self.refusal: str | None = None
        self.start = tick()
        self.paused = False  # while the recording itself runs
        self.codes: Codes = {}  # the Python code that ran
        self._arrays: list[tuple[Any, int]] = []  # constants, and their fingerprints when read
        self._files = frozenset(files)
        self._authors: dict[str, bool] = {}  # by file: whether its lines are the author's
        self._earlier = earlier
        self.refs: dict[Node, Input | Result] = {t: Input(k) for k, t in enumerate(self.inputs)}

    def refuse(self, reason: str) -> None:
        """Keep the first reason why no program can replace this step, with the user's line."""
        if self.refusal is None:
            line = self._authors_line()
            self.refusal = f"{reason}, at {line}" if line else reason

    def depends_on_data(self, x: Node) -> bool:
        """Whether x can have other elements in another step or call."""
        return x in self.refs or x.number < self.start

    # As an observer of the engine

    def forward(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        """Note a call."""
        self.paused = True
        try:
            self._note(op, node, inputs, attributes)
        finally:
            self.paused = False

    def _note(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        if not op.traits.pure and isinstance(node._data, tuple):
            self.refuse(f"{op.name} draws several outputs at once")
        if self._shape_depends_on_data(op, node, inputs, attributes):
            self.refuse(f"the shape of {op.name}'s result depends on data")
        mode = current_mode()
        place = Origin(mode.scope.path if mode.scope else "", None, self._authors_line(), op.name)
        self.refs[node] = Result(len(self.calls))
        refs = tuple(map(self.ref, inputs))
        self.calls.append(OpCall(op, refs, attributes, node, place, mode.grad))

    def _shape_depends_on_data(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> bool:
        """Whether other integers or truth values give a result of another shape, as a mask does."""
        if op.traits.elementwise or not op.traits.pure or isinstance(node._data, tuple):
            return False
        picks = [isinstance(x, Node) and _discrete(x) and self.depends_on_data(x) for x in inputs]
        if True not in picks:
            return False
        for other in (np.zeros_like, np.ones_like):
            values = [getattr(x, "_data", x) for x in inputs]
            values = [other(v) if pick else v for v, pick in zip(values, picks, strict=True)]
            try:
                with np.errstate(all="ignore"):
                    shape = np.shape(op.value(*values, **attributes))
            except Exception:  # the op does not take such integers
                continue
            if shape != node._data.shape:
                return True
        return False

    def backward(self, node: Node, position: int, grad: Any) -> None:
        """A gradient taken inside the step is refused where it is asked for."""

    def ref(self, x: Any) -> Any:
        """An input of a call as the recording keeps it."""
        if isinstance(x, np.ndarray):
            self._arrays.append((x, fingerprint(x)))
        if not isinstance(x, Node):
            return x
        if x in self.refs:
            return self.refs[x]
        if x.number < self.start:
            if self._earlier is not None and x in self._earlier.refs:
                self.refuse("a value of an earlier step is read, but not from the carry")
            return x
        if x.op is not None:
            self.refuse(
                "a tensor is used that was created out of sight, for example in another thread"
            )
        return x._data  # a leaf made in the step: a constant

    def finish(self, results: Sequence[Any]) -> None:
        """Called after the step, with the leaves of its results."""
        self.results = [self.ref(t) for t in results]
        if any(np.asarray(t._data).dtype.kind == "c" for t in (*self.inputs, *results)):
            self.refuse("its numbers are complex")
        if any(fingerprint(array) != before for array, before in self._arrays):
            self.refuse("an array is changed in place after an op has read it")

    def _authors_line(self) -> str | None:
        """`file.py:12` of the innermost frame in the author's code rather than this package's."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not record.__code__:
            file = frame.f_code.co_filename
            if file not in self._authors:
                own = file.startswith(PACKAGE_FOLDER)
                self._authors[file] = not own or file in self._files
            if self._authors[file]:
                return f"{file}:{frame.f_lineno}"
            frame = frame.f_back
        return None


def record(
    step: Callable[[Sequence[Tensor], Sequence[Tensor]], tuple[list[Any], list[Any]]],
    carry: Sequence[Tensor],
    xs: Sequence[Tensor],
    files: Callable[[], Iterable[str]] = frozenset,
    earlier: Record | None = None,
) -> tuple[list[Any], list[Any], Record]:
    """Run a step and record it: the next carry and y_t, as leaves, and the recording.

    `files`: files of this package whose lines count as the author's. `earlier`: the recording of
    the step before.
    """
    given = _distinct([*carry, *xs])
    carry, xs = given[: len(carry)], given[len(carry) :]
    made = Record(given, files(), earlier)
    monitor = CallMonitor(made)
    # Without the garbage collector: what it calls, finalizers for instance, is not the step's.
    with ModeChange(watch=made), no_collection(), monitor:
        next_carry, ys = step(carry, xs)
    made.codes = monitor.codes
    noted = getattr(step, "noted", {}).values()
    made.finish([*next_carry, *ys, *noted])
    made.observed = len(noted)
    made.carry_after = list(next_carry)
    return next_carry, ys, made


def _discrete(x: Node) -> bool:
    return isinstance(x._data, np.ndarray) and x._data.dtype.kind in "biu"


def _distinct(given: Sequence[Tensor]) -> list[Tensor]:
    """The same values as distinct objects: in another step they may differ."""
    found: dict[int, Tensor] = {}
    for x in given:
        other: Any = x if id(x) not in found else np.positive(x)
        found[id(other)] = other
    return [*found.values()]
