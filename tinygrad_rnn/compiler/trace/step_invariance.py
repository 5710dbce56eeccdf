"""Steady: whether a cell does the same at every step, so that one traced step stands for all.

A step can differ from the next without looking at a traced value: by a number that the cell keeps
and changes, random numbers of another library, a gradient taken inside, a tensor made of the
elements of another. So the cell takes a second step, and what it did in both is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ...engine.tensor import Tensor
from ...nn.recurrent.cell import Cell

__all__ = ["OpCall", "difference", "external_arrays", "undo_mutations"]


class OpCall(NamedTuple):
    """One op of a step: what it was called with, but for the values that a trace follows."""

    op: Any
    constants: list[Any]
    attributes: dict[str, Any]
    place: Any


def difference(first: Sequence[OpCall], second: Sequence[OpCall]) -> str | None:
    """In words, where two steps differ; None if they do not."""
    for one, other in zip(first, second, strict=False):
        if not _same(one[:3], other[:3]):
            return f"{one.op.name} meets other numbers at each step, at {one.place}"
    if len(first) != len(second):
        return "the next step has another number of ops"
    return None


def external_arrays(first: Sequence[OpCall], second: Sequence[OpCall]) -> list[Any]:
    """The constant arrays that both steps look at in the same memory: others may change them."""
    found = {}
    for one, other in zip(first, second, strict=True):
        for a, b in zip(_arrays(one[1:3]), _arrays(other[1:3]), strict=True):
            if np.may_share_memory(a, b):
                found[id(a)] = a
    return [*found.values()]


def _arrays(x: Any) -> Iterator[Any]:
    if isinstance(x, np.ndarray):
        yield x
    elif isinstance(x, tuple | list | dict):
        for part in x.values() if isinstance(x, dict) else x:
            yield from _arrays(part)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a is b or (a.dtype == b.dtype and _equal(a, b))
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return a is b or (type(a) is type(b) and bool(a == b or a != a))


def _equal(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")


@contextmanager
def undo_mutations(cell: Cell) -> Iterator[list[str]]:
    """Undo what the block does to the cell; the list tells afterwards which attributes it was."""
    attributes = [(module, dict(vars(module))) for module in cell.modules()]
    buffers = [(name, held, np.array(held._data)) for name, held in cell.named_buffers()]
    changed: list[str] = []
    try:
        yield changed
    finally:
        for module, before in attributes:
            now = vars(module)
            changed += [
                f"{type(module).__name__}.{name}"
                for name in {**before, **now}
                if name not in before or name not in now or _differs(before[name], now[name])
            ]
            now.clear()
            now.update(before)
        for name, held, array in buffers:
            if not _equal(held._data, array):
                changed.append(f"{type(cell).__name__}.{name}")
                held._data = array


def _differs(before: Any, now: Any) -> bool:
    return before is not now and (isinstance(now, Tensor) or not _same(before, now))
