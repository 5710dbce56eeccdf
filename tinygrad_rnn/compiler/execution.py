"""Execution of a scan: by a known program, or op by op while the first steps are recorded.

The first run is its own trace: its first two steps run op by op and are recorded. If a program can
replace them, it runs the whole sequence. Otherwise the rest runs op by op, and one message says
why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import numpy as np

from .. import ops, pytree
from ..engine.recording.mode import current_mode, is_grad_enabled, scope
from ..engine.tensor import Tensor
from .compilation import another_step, compiling_for
from .drawing import drawing_from
from .errors import TraceError
from .guards.checks import Binding
from .guards.names import names_in
from .notices import notify
from .observation import inside_observed_step
from .observed_value import taps
from .padding import divided
from .runtime.node import Run, scan_node
from .runtime.segment import Loop
from .runtime.unrolled import stacked, unrolled
from .sequence import Scan
from .specialization import (
    Refusal,
    Seen,
    Specialization,
    refusal,
    seen,
    specializations,
    specialize,
)
from .step_function import StepFunction
from .trace.recording import Record, record
from .trace.step_invariance import Summary, changed_numbers

__all__ = ["run", "scans_are_taken", "scans_taken_by"]

Runner: TypeAlias = Callable[[Scan], tuple[Any, Any]]
_runner: ContextVar[Runner | None] = ContextVar("tinygrad_rnn.runner", default=None)


@contextmanager
def scans_taken_by(runner: Runner | None) -> Iterator[None]:
    """Within this context `runner(sequence)` runs every scan of this thread.

    It returns the last carry and the ys. Exporters use this to record a whole model, in which a
    scan is one call, neither unrolled nor compiled. None: scans run as usual again.
    """
    token = _runner.set(runner)
    try:
        yield
    finally:
        _runner.reset(token)


def scans_are_taken() -> bool:
    """Whether a runner handles the scans of this thread; see `scans_taken_by`."""
    return _runner.get() is not None


def run(sequence: Scan, *, unroll: bool = False) -> tuple[Any, Any]:
    """The last carry and the ys of a sequence, as pytrees."""
    runner = _runner.get()
    if runner is not None:
        return runner(sequence)
    step = sequence.step
    if not sequence.length:
        return _nothing(sequence)
    if unroll or current_mode().watch is not None or inside_observed_step():
        ys: dict[int, Sequence[Tensor]] = {}
        carry = _unrolled(sequence, sequence.carry, sequence.order, ys)
        leaves: Sequence[Tensor] = stacked(ys)
    else:
        carry, leaves = _compiled(sequence)
    if sequence.observed is not None:
        sequence.observed.carry, sequence.observed.xs = sequence.carry, sequence.xs
        sequence.observed.reverse, sequence.observed.last = sequence.reverse, carry
        sequence.observed.finish()
    return (
        pytree.unflatten(step.carry_structure, carry),
        pytree.unflatten(step.y_structure, leaves),
    )


def _nothing(sequence: Scan) -> tuple[Any, Any]:
    """No steps: the unchanged carry, and empty ys whose shapes come from a step on zeros.

    No generator is advanced.
    """
    step = sequence.step
    x = [Tensor.of(np.zeros(x.shape[1:], x.dtype)) for x in sequence.xs]
    with drawing_from(ops.generator().bit_generator.state):
        _, ys = step(sequence.carry, x)
    empty = [Tensor.of(np.zeros((0, *y.shape), y.dtype)) for y in ys]
    return (
        pytree.unflatten(step.carry_structure, sequence.carry),
        pytree.unflatten(step.y_structure, empty),
    )


def _unrolled(
    sequence: Scan, carry: Sequence[Tensor], steps: Sequence[int], ys: dict[int, Any]
) -> Sequence[Tensor]:
    return unrolled(
        sequence.step,
        carry,
        sequence.xs,
        sequence.valid,
        steps,
        ys,
        sequence.first_step,
        sequence.observed,
    )


def _compiled(sequence: Scan) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """The last carry and the leaves of the ys, by a program if one exists or can be compiled."""
    known = specializations(sequence.function.owner)
    recording = is_grad_enabled()
    key = sequence.key(recording)
    found, binding = known.find(key, sequence.function.function)
    known.latest = found
    if isinstance(found, Specialization):
        assert binding is not None
        return _run(sequence, found, found.leaves(binding))
    if isinstance(found, Refusal):
        ys: dict[int, Any] = {}
        carry = _unrolled(sequence, sequence.carry, sequence.order, ys)
        return carry, stacked(ys)
    return _first_run(sequence, key, recording)


def _first_run(
    sequence: Scan, key: Any, recording: bool
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """A run whose first steps are recorded, so that the rest, and later runs, are compiled."""
    function, step = sequence.function, sequence.step
    known = specializations(function.owner)
    carry = sequence.carry
    ys: dict[int, Sequence[Tensor]] = {}
    before: Seen | None = known.pending.pop(key, None)
    if before is not None and before.guards.bind(function.function, strict=True) is None:
        before = None  # it was another step, or it changed what the step reads
    dtypes = known.dtypes(key) if before is None else before.dtypes
    carry = carry if dtypes is None else _cast(carry, dtypes)
    last: Record | None = None
    start = ops.generator().bit_generator.state
    for done, t in enumerate(sequence.order, 1):
        with scope(step=sequence.first_step + t):
            carry, ys[t], last = record(step, carry, sequence.at(t), function.files, last)
        if sequence.observed is not None:
            sequence.observed.note(sequence.first_step + t)
        try:
            if done == 1:
                found = _same_but_numbers(sequence, key, last)
                if found is not None:
                    return _run(sequence, *found)
            if before is None:
                before = seen(step, last)
                if sequence.length > 1 or any(
                    names_in(one.code).writes for one in last.codes.values()
                ):
                    continue
                last = another_step(sequence, carry)  # a run of one step, which has no side effects
            if before.guards.bind(function.function, strict=True) is None:
                raise TraceError("a step changes something that the next step reads")
            with compiling_for(sequence.executor):
                made = specialize(step, last, before, recording, sequence.reverse)
            known.add(key, made)
        except TraceError as reason:
            known.latest = refusal(step, str(reason), last)
            known.add(key, known.latest)
            _notify(function, str(reason))
            carry = _unrolled(sequence, carry, sequence.order[done:], ys)
            return carry, stacked(ys)
        known.latest = made
        binding = made.guards.bind(function.function)
        if binding is None:
            carry = _unrolled(sequence, carry, sequence.order[done:], ys)
            return carry, stacked(ys)
        if made.compiled.step.drawn:
            result = _drawn_again(sequence, made, binding, start)
            if result is not None:
                return result
        if made.compiled.step.drawn and done == sequence.length:
            return carry, stacked(ys)
        if made.compiled.step.drawn:  # these steps have already drawn their random numbers
            rest = sequence.rest(carry, done)
            carry, others = _run(rest, made, made.leaves(binding))
            mine = stacked(ys)
            pairs = zip(others, mine) if sequence.reverse else zip(mine, others)
            return carry, [ops.concatenate(pair) for pair in pairs]
        return _run(sequence, made, made.leaves(binding))
    if before is not None:
        known.pending[key] = before
    return carry, stacked(ys)


def _drawn_again(
    sequence: Scan, made: Specialization, binding: Binding, start: Any
) -> tuple[Sequence[Tensor], Sequence[Tensor]] | None:
    """The whole run with the random numbers of its first steps, and those that follow.

    None if another thread has drawn numbers in the meantime: those belong to it.
    """
    generator = ops.generator().bit_generator
    drawn = generator.state
    with drawing_from(start):
        result = _run(sequence, made, made.leaves(binding))
        end = ops.generator().bit_generator.state
    if generator.state != drawn:
        return None
    generator.state = end
    return result


def _same_but_numbers(
    sequence: Scan, key: Any, last: Record
) -> tuple[Specialization, list[Tensor]] | None:
    """A specialization for a step that differs only in numbers, and the leaves for a run.

    Numbers that have changed become inputs of the program.
    """
    function = sequence.function.function
    known = specializations(sequence.function.owner)
    found = known.differing_in_numbers(key, function)
    if found is None or last.refusal is not None or any(not c.op.traits.pure for c in last.calls):
        return None
    old, binding = found
    now = Summary(last)
    changed = changed_numbers(old.summary, now)
    if changed is None:
        return None
    if changed.keys() <= set(old.numbers):
        return old, old.leaves(binding, now)
    places = {*old.numbers, *changed}
    again = Seen(now, last.codes, old.guards, old.dtypes)
    with compiling_for(sequence.executor):
        made = specialize(sequence.step, last, again, key[-2], sequence.reverse, places)
    known.replace(key, old, made)
    bound = made.guards.bind(function)
    return None if bound is None else (made, made.leaves(bound, now))


def _run(
    sequence: Scan, of: Specialization, leaves: Sequence[Tensor]
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Run a sequence by a program."""
    compiled = of.compiled
    sequence.step.y_structure = of.y_structure
    carry = _cast(sequence.carry, of.dtypes)
    loop = Loop(
        compiled,
        sequence.valid,
        sequence.reverse,
        sequence.length,
        sequence.checkpoint,
        sequence.first_step,
    )
    work = None if sequence.valid is None else divided(sequence, of, leaves)
    labels, xs = of.observed.labels, [*sequence.xs]
    count, wanted = len(xs), compiled.wanted[len(xs) :]
    xs += taps(of.observed.samples, sequence.length, wanted[: len(labels)])
    if current_mode().twice and sequence.valid is None and sequence.observed is None:
        made = Run.with_states(loop, xs, carry, leaves)
    else:
        made = Run(loop, leaves, work)
    outputs = scan_node(made, xs, carry)
    ys = len(made.loop.compiled.step.ys)
    last, shown = ys + len(carry), len(compiled.step.ys) - len(labels)
    if sequence.observed is not None:
        values = [output._data for output in outputs[shown:ys]]
        sequence.observed.put_out(of.observed, sequence.first_step, values, xs[count:])
    return outputs[ys:last], outputs[:shown]


def _cast(carry: Sequence[Tensor], dtypes: Sequence[Any]) -> Sequence[Tensor]:
    """The carry in the dtypes that it has from its second step on."""
    return [
        leaf if leaf.dtype == d else leaf.astype(d) for leaf, d in zip(carry, dtypes, strict=True)
    ]


def _notify(function: StepFunction, reason: str) -> None:
    notify(
        f"{function.name} runs step by step, unrolled, because {reason}. Written with ops "
        "(tg.where, tg.rand_like, ...) it would run as a scan; if this is intended, pass "
        "unroll=True",
        function.kind,
    )
