"""observe: the named values of every step of every scan, and their gradients, at full speed.

An observed value is an additional output of the compiled step. Its gradient is that of a *tap*: an
input of zeros that is added to the value in the mathematics, so that the gradient of the tap is the
gradient of the value, summed over all its uses. The program performs no addition, and the tap
itself takes no memory; only its gradient does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..engine.autograd import propagate
from ..engine.recording.mode import ModeChange, current_mode
from ..engine.tensor import Tensor
from .observed_step import (
    Label,
    Observed,
    ObservedStep,
    StepNotes,
    Wanted,
    joined,
    numbered,
    path_here,
    relative,
)
from .observed_value import Nodes, ObservedValue, Outputs, StateRun

__all__ = ["Observation", "ObservedRun", "inside_observed_step", "observe", "observer_of"]


@contextmanager
def observe(
    model: Any = None, names: Iterable[str] | None = None, *, states_only: bool = False
) -> Iterator[Observation]:
    """Record every named value at every step, and the gradient that reached it.

    Names are given with `named`, as in `f = tg.sigmoid(...).named("forget gate")`; the gates and
    states of all cells of this package have names. A state without a name is called "state", or
    "state[0]", `state["memory"]`, ... after its position in the pytree of states. Nothing is
    unrolled: layers and `tg.scan` run compiled, at nearly the speed at which they train.

    `model`: the Module to observe while it is called; None for everything inside the block.
    `names`: the names of the values to keep, without module paths; None for all. `states_only`:
    keep only the states that the steps of cells and scans pass on.

    The block gets a mapping. A key consists of the module path within the model and the name:
    "lstm.l0: forget gate". The second value of a name in the same step is "forget gate#2". Each
    entry is an `ObservedValue`, whose `data` are the values (T, B, ...), zero in the padding, and
    whose `grad` is, after a backward pass, the gradient that reached each of them, summed over all
    backward passes; or a list of these if a layer was called more than once.

    ValueError at the end of the block if no value had one of the `names`. KeyError for an unknown
    key. Both list the available names.

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.LSTM(3, 4), tg.randn(5, 2, 3)
    >>> with tg.observe(layer, names=["forget gate", "c"]) as seen:
    ...     layer(x)[0].sum().backward()
    >>> seen
    {'l0: forget gate': float32 (5, 2, 4), 'l0: c': float32 (5, 2, 4)}
    >>> seen["l0: forget gate"].data.shape, seen["l0: c"].grad.shape
    ((5, 2, 4), (5, 2, 4))
    """
    if isinstance(names, str):
        raise TypeError(f"names is a list of names: names=[{names!r}]")
    if model is not None and not hasattr(model, "named_modules"):
        raise TypeError(
            f"observe needs a Module, and {model!r} is not one; without a model, as in `with "
            "tg.observe() as seen:`, it observes everything inside the block"
        )
    seen = Observation(model, None if names is None else frozenset(names), states_only)
    with ModeChange(observer=Observer(seen, model, "")):
        yield seen
    seen.check_names()


class Observer:
    """Passes the named values of some part of a program to an Observation.

    `waits_for`: the module whose calls it observes; None inside such a call. `base`: the module
    path to which keys are relative.
    """

    def __init__(self, seen: Observation, waits_for: Any, base: str) -> None:
        self.seen, self.waits_for, self.base = seen, waits_for, base

    @property
    def wanted(self) -> Wanted:
        """The values to observe."""
        return Wanted(self.waits_for, self.seen.wanted, self.seen.states_only)

    def inside(self, path: str) -> Observer:
        """The observer inside the module that this one waits for, which is at that path."""
        self.seen.forget_counts()
        return Observer(self.seen, None, path)

    def named(self, node: Any, name: str) -> None:
        """Keep a value that is named outside all scans."""
        if self.waits_for is not None:
            return
        scope = current_mode().scope
        step = None if scope is None else scope.step
        path = relative(path_here(), self.base)
        numbered_name = self.seen.count(path, step, name)
        self.seen.names.add(name)
        wants = self.wanted
        if wants(name, None) or wants(numbered_name, None):
            self.seen.add(path, numbered_name, Nodes({step: node}, None))


def observer_of(owner: Any) -> Observer | None:
    """The current observer of that owner's scans, if there is one.

    A scan inside an observed step runs op by op, and its named values belong to that step.
    """
    observer = current_mode().observer
    if not isinstance(observer, Observer):
        return None
    modules = getattr(owner, "modules", None)
    if observer.waits_for is None or modules is None:
        return observer
    return observer if any(m is observer.waits_for for m in modules()) else None


def inside_observed_step() -> bool:
    """Whether an observed step, whose named values are recorded, is running."""
    return isinstance(current_mode().observer, StepNotes)


# What is observed


class Observation(Mapping[str, Any]):
    """The result of `observe`: by module path and name, an `ObservedValue` or a list of them."""

    def __init__(self, model: Any, wanted: frozenset[str] | None, states_only: bool) -> None:
        self.wanted, self.states_only = wanted, states_only
        self.names: set[str] = set()  # all names, including those of values that are not kept
        self.runs: list[ObservedRun] = []  # of scans, in order
        self._model = model
        self._found: dict[str, list[ObservedValue]] = {}
        self._counts: dict[str, tuple[int | None, dict[str, int]]] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._found:
            raise KeyError(self._unknown(key))
        calls = self._found[key]
        return calls[0] if len(calls) == 1 else [*calls]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{key!r}: {_of_calls(self._found[key])}" for key in self) + "}"

    def calls(self) -> Iterator[tuple[str, ObservedValue]]:
        """Each key with each of its values, one for each call of the layer."""
        for key, calls in self._found.items():
            for value in calls:
                yield key, value

    def differentiate(self, output: Tensor) -> None:
        """Propagate the gradient of a number, or of a sum of numbers, only to the values.

        This works like `output.backward()`, but parameters get no gradient, and the graph is kept.

        >>> import tinygrad_rnn as tg
        >>> layer = tg.nn.RNN(2, 3)
        >>> with tg.observe(layer) as seen:
        ...     outputs, h = layer(tg.randn(4, 1, 2))
        >>> seen.differentiate(h)
        >>> seen["l0: h"].grad.data[-1]  # that of the last state, by itself
        array([[1., 1., 1.]], dtype=float32)
        """
        wanted = [node for _, value in self.calls() for node in value.differentiable()]
        if not wanted or not output.requires_grad:
            return
        ones = np.ones_like(output._data)
        found = propagate([output], [ones], wanted=wanted, retain_graph=True)
        for node, grad in found.items():
            node._grad = Tensor.of(grad if node._grad is None else node._grad._data + grad)

    def clear(self) -> None:
        """Discard everything observed so far, for example before the next batch."""
        self._found.clear()
        self.runs.clear()

    def _unknown(self, key: Any) -> str:
        if not self._found:
            return f"{key!r}: nothing was observed; {self._nothing()}"
        near = difflib.get_close_matches(str(key), self._found, 1)
        near = near or [known for known in self._found if known.endswith(f": {key}")][:1]
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"nothing observed is called {key!r}; {hint}There are: {_listed(self._found)}"

    def _nothing(self) -> str:
        if self._model is None:
            return "was anything with a name computed inside the block?"
        return f"was the {type(self._model).__name__} called inside the block?"

    def check_names(self) -> None:
        """ValueError if no value had one of the requested names."""
        missing = sorted((self.wanted or frozenset()) - self.names)
        missing = [name for name in missing if name.partition("#")[0] not in self.names]
        if missing and self.names:
            near = difflib.get_close_matches(missing[0], self.names, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(
                f"nothing is named {missing[0]!r}; {hint}The names are: "
                f"{_listed(sorted(self.names))}"
            )
        if missing:
            raise ValueError(f"nothing is named {missing[0]!r}: {self._nothing()}")

    # Recording

    def count(self, path: str, step: int | None, name: str) -> str:
        """The name, with a number if the step has already had a value of that name."""
        at, counts = self._counts.get(path, (step, {}))
        if at != step:
            counts = {}
        counts[name] = counts.get(name, 0) + 1
        self._counts[path] = step, counts
        return numbered(name, counts[name])

    def forget_counts(self) -> None:
        """Called when the model is called: names are counted from the beginning again."""
        self._counts.clear()

    def add(self, path: str, name: str, part: Nodes | Outputs) -> None:
        """Add values under their name: further steps of the same call, or another call."""
        calls = self._found.setdefault(f"{path}: {name}" if path else name, [])
        if not calls or not calls[-1].continues_with(part):
            calls.append(ObservedValue(path, name))
        calls[-1].parts.append(part)


def _of_calls(calls: Sequence[ObservedValue]) -> str:
    return calls[0].described() if len(calls) == 1 else f"{len(calls)} calls"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "none"


class ObservedRun:
    """The named values of one run of a scan, while it runs: of its compiled parts, and of steps
    that run op by op.

    `valid` (T, B): which steps are not padding; None for all. `first`: the number of the first
    step.
    """

    def __init__(self, observer: Observer, step: ObservedStep, valid: Any, first: int) -> None:
        self.step = step
        self.carry: Sequence[Tensor] = ()  # before the first step
        self.last: Sequence[Tensor] = ()  # the carry after the last step
        self.xs: Sequence[Tensor] = ()
        self.reverse = False
        self._observer: Observer | None = observer  # until it is finished
        self._base = "" if observer.waits_for is not None else relative(path_here(), observer.base)
        self.valid, self._first = valid, first
        self._nodes: dict[Label, dict[int, Tensor]] = {}
        self._outputs: list[tuple[Label, Outputs]] = []

    def note(self, t: int) -> None:
        """Keep the named values of step `t`, the last step that ran."""
        assert self._observer is not None
        for label, node in self.step.noted.items():
            self._nodes.setdefault(label, {})[t] = node
        self._observer.seen.names |= self.step.names

    def put_out(
        self, of: Observed, first: int, values: Sequence[Any], its: Sequence[Tensor]
    ) -> None:
        """Keep the values of a compiled run that starts at step `first`, and their taps."""
        assert self._observer is not None
        self._observer.seen.names |= of.names
        for label, array, tap in zip(of.labels, values, its, strict=True):
            start = first - self._first
            valid = None if self.valid is None else self.valid[start : start + len(array)]
            self._outputs.append((label, Outputs(first, array, tap, label.leaf, valid)))

    @property
    def path(self) -> str:
        """The module path of the states."""
        return joined(self._base, self.step.of.path)

    def states(self) -> dict[int, Any] | None:
        """Each leaf of the carry after each step, (T, ...); None if it is not known from one run.

        Leaves that were not recorded, such as one that occurs twice, are omitted.
        """
        if self._nodes:
            return None
        return {label.leaf: out.values() for label, out in self._outputs if label.leaf is not None}

    def finish(self) -> None:
        """Pass everything to the observation.

        For a step that ran twice, the compiled run counts.
        """
        compiled: set[int] = set()
        if self._nodes:
            compiled.update(*(outputs.steps for _, outputs in self._outputs))
        self._nodes = {
            label: {t: nodes[t] for t in sorted(nodes.keys() - compiled)}
            for label, nodes in self._nodes.items()
            if nodes.keys() - compiled
        }
        assert self._observer is not None
        seen, self._observer = self._observer.seen, None
        seen.runs.append(self)
        run = StateRun(self.last, self.reverse)

        def add(path: str, name: str, part: Nodes | Outputs) -> None:
            part.run = run
            seen.add(path, name, part)

        for label, outputs in self._outputs:
            add(joined(self._base, label.path), label.name, outputs)
        for label, nodes in self._nodes.items():
            valid = None if self.valid is None else self.valid[[t - self._first for t in nodes]]
            add(joined(self._base, label.path), label.name, Nodes(nodes, label.leaf, valid))
