"""Compilation of a step without running it: for a plan, or for fewer rows of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .. import ops
from ..engine.recording.mode import is_grad_enabled
from ..engine.tensor import Tensor
from .backends.executor import executing_on
from .drawing import drawing_from
from .errors import TraceError
from .guards.checks import Binding
from .runtime.scan import CompiledStep
from .sequence import Scan
from .specialization import Refusal, Specialization, seen, specializations, specialize
from .trace.recording import Record, record

__all__ = ["another_step", "compile_step", "compiled_without_running", "compiling_for"]


def compiled_without_running(
    sequence: Scan,
) -> tuple[Specialization | Refusal, Binding | None]:
    """The specialization for a sequence, existing or recorded on the first step; and its leaves."""
    known = specializations(sequence.function.owner)
    recording = is_grad_enabled()
    key = sequence.key(recording)
    found, binding = known.find(key, sequence.function.function)
    if found is None:
        found = _recorded(sequence, recording)
        known.add(key, found)
        if isinstance(found, Specialization):
            binding = found.guards.bind(sequence.function.function)
    return found, binding


def _recorded(sequence: Scan, recording: bool) -> Specialization | Refusal:
    """A new specialization for such a sequence, of a function known to have no side effects.

    It is recorded on one step of the sequence. Random numbers that the step draws do not advance
    the caller's generator.
    """
    step, files = sequence.step, sequence.function.files
    at = sequence.at(sequence.order[0])
    try:
        with compiling_for(sequence.executor):
            carry, _, first = record(step, sequence.carry, at, files)
            before = seen(step, first)
            _, _, second = record(step, _detached(carry), at, files)
            return specialize(step, second, before, recording, sequence.reverse)
    except TraceError as reason:
        return Refusal(str(reason), sequence.function.function)


def another_step(sequence: Scan, carry: Sequence[Tensor]) -> Record:
    """The recording of a later step of a function without side effects; advances no generator."""
    at = sequence.at(sequence.order[0])
    with compiling_for(sequence.executor):
        return record(sequence.step, _detached(carry), at, sequence.function.files)[2]


@contextmanager
def compiling_for(executor: str | None) -> Iterator[None]:
    """Compile for that executor, without advancing any random generator."""
    with executing_on(executor), drawing_from(ops.generator().bit_generator.state):
        yield


def _detached(carry: Sequence[Tensor]) -> list[Tensor]:
    found = []
    for leaf in carry:
        found.append(Tensor.of(leaf._data))
        found[-1].requires_grad = leaf.requires_grad
    return found


def compile_step(sequence: Scan) -> tuple[CompiledStep, list[Tensor]]:
    """The compiled step for a sequence that is not run, and the Tensors that the step reads.

    TraceError if there is none.
    """
    found, binding = compiled_without_running(sequence)
    if isinstance(found, Refusal):
        raise TraceError(found.reason)
    if binding is None:
        raise TraceError("it reads something that changes during the inspection")
    return found.compiled, found.leaves(binding)
