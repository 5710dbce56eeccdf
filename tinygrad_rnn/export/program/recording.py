"""Recording a call of a model: its ops as a program, each scan in it as one `loop`.

The call runs once, op by op, on small arrays. The result is its lowered form in the compiler's IR,
before any pass: NumPy's ufuncs and the ops of this package, by name, with their attributes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ... import pytree
from ...compiler.execution import run, scans_taken_by
from ...compiler.ir.step import Step
from ...compiler.sequence import Scan
from ...compiler.trace.calls import detached
from ...compiler.trace.differentiation import step_of
from ...compiler.trace.recording import OpCall, Record, Result, record
from ...compiler.trace.step_invariance import Summary, difference
from ...engine.op import op
from ...engine.recording.mode import ModeChange, current_mode, enable_grad
from ...engine.tensor import Tensor
from ...nn.module import Module
from ...ops import astype
from ..errors import ExportError
from .loop import Loop, loop

__all__ = ["LengthsAreAnInput", "Recorded", "module_call", "recorded", "stop_gradient"]


class Recorded(NamedTuple):
    """A recorded call. `sources`: for each leaf of the step, its Tensor.

    `structure`: that of what the call returned.
    """

    step: Step
    sources: list[Tensor]
    structure: Any


@op(differentiable=False)
def stop_gradient(x: Any) -> Any:
    """The same value, with no gradient through it: `detach`, `no_grad`."""
    return x


def recorded(
    function: Callable[..., Any],
    structure: Any,
    inputs: Sequence[Tensor],
    kept: Sequence[Module] = (),
) -> Recorded:
    """The program of `function(*args, **kwargs)`; `structure` is that of (args, kwargs).

    A call of a module in `kept` is recorded as one op, `module_call`. ExportError if no program can
    replace the function.
    """
    found: list[Any] = []

    def call(_: Sequence[Tensor], leaves: Sequence[Tensor]) -> tuple[list[Any], list[Any]]:
        args, kwargs = pytree.unflatten(structure, leaves)
        result = function(*args, **kwargs)
        found.append(pytree.structure(result))
        return [], [_as_tensor(leaf) for leaf in pytree.leaves(result)]

    scans = _Scans(inputs)
    with enable_grad(), scans_taken_by(scans.run), _as_one_op(kept):
        _, _, made = record(call, [], inputs)
    step, sources = _lowered(made, 0, "model")
    return Recorded(step, sources, found[0])


@contextmanager
def _as_one_op(modules: Sequence[Module]) -> Iterator[None]:
    """Record a call of one of these modules as one op."""
    for module in modules:
        vars(module)["forward"] = partial(_called, module)
    try:
        yield
    finally:
        for module in modules:
            del vars(module)["forward"]


def _called(module: Module, *args: Any, **kwargs: Any) -> Any:
    bound = inspect.signature(type(module).forward).bind(module, *args, **kwargs)
    tree = {name: x for name, x in [*bound.arguments.items()][1:] if x is not None}
    results: list[Any] = []
    outputs = module_call(
        *pytree.leaves(tree), module=module, tree=pytree.structure(tree), results=results
    )
    return pytree.unflatten(results[0], outputs)


@op
def module_call(*arrays: Any, module: Module, tree: Any, results: list[Any]) -> Any:
    """A call of a module that exists in the target; `tree`: the structure of its arguments.

    `results`: receives the structure of what the module returned.
    """
    with ModeChange(watch=None, grad=False), scans_taken_by(_unrolled):
        given = pytree.unflatten(tree, [Tensor.of(np.asarray(x)) for x in arrays])
        found = type(module).forward(module, **given)
    results[:] = [pytree.structure(found)]
    return tuple(leaf._data for leaf in pytree.leaves(found))


def _unrolled(sequence: Scan) -> tuple[Any, Any]:
    with scans_taken_by(None):
        return run(sequence, unroll=True)


def _as_tensor(x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise ExportError(
            f"an exported model must return Tensors; this one returned {type(x).__name__}"
        )
    return x


class LengthsAreAnInput(Exception):
    """The lengths of a scan are this input; while recording, all must equal the number of steps."""

    def __init__(self, position: int, steps: int) -> None:
        super().__init__()
        self.position, self.steps = position, steps


class _Scans:
    """Intercepts each scan of a call: records its step, and applies `loop` instead."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        self._inputs = inputs

    def run(self, sequence: Scan) -> tuple[Any, Any]:
        """The last carry and the ys."""
        outer = current_mode().watch
        assert isinstance(outer, Record)
        outer.paused = True  # recording a step is not part of the model
        try:
            carry, step, sources = self._step(sequence)
        finally:
            outer.paused = False
        lengths = self._lengths(sequence)
        owner = sequence.function.owner
        own = dict(_named_tensors(owner))
        made = Loop(
            step,
            sequence.reverse,
            bool(lengths),
            sequence.length,
            owner,
            tuple(own.get(source) for source in sources),
            sequence.truncate,
        )
        outputs: Sequence[Tensor] = loop(*lengths, *sequence.xs, *carry, *sources, loop=made)
        ys = len(step.ys)
        return (
            pytree.unflatten(sequence.step.carry_structure, outputs[ys:]),
            pytree.unflatten(sequence.step.y_structure, outputs[:ys]),
        )

    def _step(self, sequence: Scan) -> tuple[list[Tensor], Step, list[Tensor]]:
        """The carry in its final dtypes, the lowered step, and the other Tensors that it reads."""
        files, step, name = sequence.function.files, sequence.step, sequence.function.name
        at = [Tensor.of(x._data[0]) for x in sequence.xs]
        records: list[Record] = []
        after: Sequence[Any] = sequence.carry
        for _ in range(3):  # the first may widen the carry; the other two must agree
            after, _, made = record(step, [Tensor.of(leaf._data) for leaf in after], at, files)
            records.append(made)
        _, second, third = records
        changes = second.refusal or difference(Summary(second), Summary(third))
        if changes is not None:
            raise ExportError(f"{name} cannot be exported: {changes}")
        lowered, sources = _lowered(second, step.carries, name)
        pairs = zip(sequence.carry, second.inputs)
        carry = [x if x.dtype == kept.dtype else astype(x, dtype=kept.dtype) for x, kept in pairs]
        return carry, lowered, sources

    def _lengths(self, sequence: Scan) -> list[Tensor]:
        if sequence.lengths is None:
            return []
        for position, given in enumerate(self._inputs):
            if given._data is sequence.lengths:
                if (sequence.lengths != sequence.length).any():
                    raise LengthsAreAnInput(position, sequence.length)
                return [given]
        raise ExportError(
            f"the lengths given to {sequence.function.name} must be an input of the exported "
            "model, passed on unchanged: not a list, and not computed in the model"
        )


def _named_tensors(owner: Any) -> Iterator[tuple[Tensor, str]]:
    """The parameters and buffers of a module by their names in it."""
    if isinstance(owner, Module):
        for name, held in (*owner.named_parameters(), *owner.named_buffers()):
            yield held, name


def _lowered(made: Record, carries: int, name: str) -> tuple[Step, list[Tensor]]:
    """The forward step of a recording, and the Tensor of each of its leaves."""
    if made.refusal is not None:
        raise ExportError(f"{name} cannot be exported: {made.refusal}")
    _with_stops(made)
    step, sources = step_of(made, carries, name, [False] * len(made.inputs), ())
    return step, sources


def _with_stops(made: Record) -> None:
    """Insert a `stop_gradient` wherever the model stops gradients; no gradient is recorded."""
    calls: list[OpCall] = []
    moved: dict[int, Result] = {}  # where the result of each call is now

    def place(x: Any) -> Any:
        return moved[x.call] if isinstance(x, Result) else x

    for number, call in enumerate(made.calls):
        inputs = tuple(map(place, call.inputs))
        stops = not call.grad or not call.op.traits.differentiable
        if call.op is detached:
            calls.append(call._replace(op=stop_gradient, inputs=inputs, grad=False))
            stops = False
        else:
            calls.append(call._replace(inputs=inputs, grad=False))
        if stops and getattr(call.node._data, "dtype", None) is not None:
            if call.node._data.dtype.kind == "f":
                of = (Result(len(calls) - 1),)
                calls.append(call._replace(op=stop_gradient, inputs=of, attributes={}, grad=False))
        moved[number] = Result(len(calls) - 1)
    made.results = [*map(place, made.results)]
    made.calls = calls
