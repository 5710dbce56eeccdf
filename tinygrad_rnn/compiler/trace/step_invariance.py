"""Step invariance: whether two steps applied the same ops to the same operands.

A step can differ from the next without reading a traced value: because of a number that it changes,
another library's random numbers, or its gradients. So two steps are recorded and compared. One
program replaces all steps only if nothing but the carry and x_t differed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ...engine.tensor import Tensor
from .recording import Record

__all__ = ["Place", "Summary", "changed_numbers", "difference", "external_arrays", "numbers_at"]


class Place(NamedTuple):
    """An operand of a recorded call."""

    call: int
    position: int


class Outer(NamedTuple):
    """A Tensor that existed before the step: the one read first, second, ..."""

    number: int


class _Call(NamedTuple):
    op: Any
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]
    grad: bool
    shapes: Any
    line: str | None


class Summary:
    """What a step did, without its values, for comparison and storage."""

    def __init__(self, record: Record) -> None:
        self._outer: dict[Tensor, Outer] = {}
        self.calls = [
            _Call(
                call.op,
                tuple(map(self._ref, call.inputs)),
                call.attributes,
                call.grad,
                _shapes(call.node._data),
                call.scope.line,
            )
            for call in record.calls
        ]
        self.results = [self._ref(x) for x in record.results]
        del self._outer

    def _ref(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return self._outer.setdefault(x, Outer(len(self._outer)))
        return x


def _shapes(data: Any) -> Any:
    return [part.shape for part in data] if isinstance(data, tuple) else np.shape(data)


def difference(first: Summary, second: Summary) -> str | None:
    """Where two steps differ, in words; None if they do not."""
    for one, other in zip(first.calls, second.calls, strict=False):
        if one.op.name != other.op.name:
            return f"{one.op.name} in one step is {other.op.name} in another, at {one.line}"
        if not _same((one.inputs, one.attributes), (other.inputs, other.attributes)):
            return f"{one.op.name} has other constant operands in another step, at {one.line}"
        if one.grad is not other.grad:
            return f"{one.op.name} is recorded for gradients in one step only, at {one.line}"
        if one.shapes != other.shapes:
            return f"the shape of {one.op.name}'s result depends on data, at {one.line}"
    if len(first.calls) != len(second.calls):
        return "another step applies a different number of ops"
    if not _same(first.results, second.results):
        return "another step returns other values"
    return None


def changed_numbers(first: Summary, second: Summary) -> dict[Place, Any] | None:
    """The Python numbers of the second step where the first had others, if nothing else differs.

    None if the steps differ in more.
    """
    if len(first.calls) != len(second.calls) or not _same(first.results, second.results):
        return None
    found: dict[Place, Any] = {}
    for k, (one, other) in enumerate(zip(first.calls, second.calls, strict=True)):
        if not _same(
            (one.op.name, one.attributes, one.grad, one.shapes),
            (other.op.name, other.attributes, other.grad, other.shapes),
        ):
            return None
        if len(one.inputs) != len(other.inputs):
            return None
        for position, (a, b) in enumerate(zip(one.inputs, other.inputs, strict=True)):
            if _same(a, b):
                continue
            if type(a) is not type(b) or type(a) not in (float, int):
                return None
            found[Place(k, position)] = b
    return found


def numbers_at(places: Any, of: Summary) -> dict[Place, Any]:
    """The numbers of a step at these places."""
    return {place: of.calls[place.call].inputs[place.position] for place in places}


def external_arrays(first: Summary, second: Summary) -> list[Any]:
    """The constant arrays that both steps read from the same memory: others may change them."""
    found = {}
    for one, other in zip(first.calls, second.calls, strict=True):
        pairs = zip(_arrays(one[1:3]), _arrays(other[1:3]), strict=True)
        found.update({id(a): a for a, b in pairs if np.may_share_memory(a, b)})
    return [*found.values()]


def _arrays(x: Any) -> Iterator[Any]:
    if isinstance(x, np.ndarray):
        yield x
    elif isinstance(x, tuple | list | dict):
        for part in x.values() if isinstance(x, dict) else x:
            yield from _arrays(part)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a is b or (a.shape == b.shape and a.dtype == b.dtype and _equal(a, b))
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return type(a) is type(b) and len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, float) and isinstance(b, float):
        return type(a) is type(b) and repr(a) == repr(b)  # 0.0 is not -0.0, and nan is nan
    return a is b or (type(a) is type(b) and bool(a == b))


def _equal(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
