"""Noticing that an array was changed while a backward pass still needs its old content.

Two ways an array can change, two cheap ways to notice:

* **Through us** (in-place operators, optimisers): `note_change` stamps the array with the clock
  that also numbers the nodes. A backward pass compares one integer a node with the latest stamp,
  and looks closer only where a change came after the node.
* **Behind our back** (`t.data[...] = 0`, or the ndarray that a tensor shares): possible only for
  arrays that someone outside holds. Those are fingerprinted (CRC-32, about 4 GB/s): when a node
  saves one that is known to be held outside, and when `Tensor.data` or `numpy()` hands one out.
  Arrays that never left the engine cost nothing.

What cannot be noticed: a write into an array that was handed out only as a view made before, by
NumPy itself, and a write that is undone before the backward pass (which then is harmless).
"""

from __future__ import annotations

import weakref
import zlib
from collections.abc import Container, Set
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import StaleValueError
from ..primitives.reads import OUTPUT
from .clock import tick
from .node import Node

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["check_unchanged", "clock", "note_change", "note_hand_out", "note_shared_inputs"]


class _Ledger:
    """When each array last changed (or was handed out), and a note; by the owner of its memory."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[int, weakref.ref[Array], Any]] = {}

    def add(self, array: Array, note: Any) -> None:
        owner = _owner(array)
        key = id(owner)
        entries = self._entries

        def forget(gone: weakref.ref[Array]) -> None:
            if key in entries and entries[key][1] is gone:
                del entries[key]

        clock.latest_change = now = tick()
        entries[key] = (now, weakref.ref(owner, forget), note)

    def since(self, moment: int, array: Array) -> Any:
        """The note on `array`'s entry if that was made after `moment`, otherwise None."""
        found = self._entries.get(id(_owner(array)))
        return found[2] if found is not None and found[0] > moment else None

    def __contains__(self, array: Array) -> bool:
        return id(_owner(array)) in self._entries


class _Clock:
    """The moment of the latest change or hand-out of any array."""

    latest_change = 0


clock = _Clock()
changes = _Ledger()  # note: the cause, in words
handed_out = _Ledger()  # note: the fingerprint at that moment


def note_change(array: Array, cause: str) -> None:
    """Say that `array` was just changed in place, by `cause` (words for the error message)."""
    changes.add(array, cause)


def note_hand_out(array: Array) -> None:
    """Say that `array` is being handed out: from now on anyone may write into it."""
    if array not in handed_out:
        handed_out.add(array, fingerprint(_owner(array)))


def fingerprint(array: Array) -> int:
    """CRC-32 of the array's content."""
    if array.flags.f_contiguous:
        array = array.T  # in the order of memory, so that nothing is copied
    return zlib.crc32(np.ascontiguousarray(array).data)


def note_shared_inputs(node: Node) -> None:
    """Take the fingerprints that `node`, made from arrays that someone outside holds, needs."""
    outputs = node._data if isinstance(node._data, tuple) else (node._data,)
    node.shared = any(_held_outside(data.base) for data in outputs)
    if node.op is None or node.inputs is None or node.values is None:
        return
    held = {
        position
        for position, (x, value) in enumerate(zip(node.inputs, node.values, strict=True))
        if isinstance(value, np.ndarray) and getattr(x, "shared", True)
    }
    read = held & _positions_read(node, None) if held else held
    node.guard = {position: fingerprint(node.values[position]) for position in read}


def _held_outside(base: Any) -> bool:
    """Whether someone may hold the memory of an op's output, `base`, besides that output."""
    return base is not None and not getattr(base, "private", False)


def check_unchanged(node: Node, relevant: Container[int] | None) -> None:
    """Raise if a value that the gradients of `node` read changed since it was recorded.

    The gradients are those of the inputs that require one and, where given, whose number is
    `relevant`. Called by the backward pass only for nodes that are older than the latest change
    or that carry fingerprints.
    """
    assert node.values is not None
    guard, values = node.guard or {}, node.values
    if node.number >= clock.latest_change:  # nothing was changed by us, or handed out, since
        if all(fingerprint(values[position]) == known for position, known in guard.items()):
            return
    for position in _positions_read(node, relevant):
        value = node._data if position == OUTPUT else node.values[position]
        for array in value if isinstance(value, tuple) else (value,):
            if isinstance(array, np.ndarray):
                _check(node, position, array)


def _positions_read(node: Node, relevant: Container[int] | None) -> Set[int]:
    """The positions (`OUTPUT`: the output) whose values the gradients of `node` read."""
    assert node.op is not None and node.inputs is not None and node.values is not None
    wanted = [
        position
        for position, x in enumerate(node.inputs)
        if isinstance(x, Node) and x.requires_grad and (relevant is None or x.number in relevant)
    ]
    return node.op.positions_read(wanted, node._data, node.values, node.attributes or {})


def _check(node: Node, position: int, array: Array) -> None:
    assert node.op is not None and node.inputs is not None
    cause = changes.since(node.number, array)
    if cause is None:
        if node.guard is not None and position in node.guard:
            unchanged = fingerprint(array) == node.guard[position]
        else:
            before = handed_out.since(node.number, array)
            unchanged = before is None or fingerprint(_owner(array)) == before
        if unchanged:
            return
        cause = "a write from outside into its array (through `.data`, `.numpy()` or an ndarray)"
    source = node if position == OUTPUT else node.inputs[position]
    role = "output" if position == OUTPUT else f"input {node.op.input_name(position)!r}"
    raise StaleValueError(
        f"{node.op.name}: its {role} ({_describe(source, array)}) is needed for the gradient, but "
        f"after the forward pass it was changed by {cause}{node.place()}. Run backward() before "
        f"the change, or change a copy (`t = t + u` instead of `t += u`)."
    )


def _owner(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _describe(source: Any, value: Array) -> str:
    name = getattr(source, "name", None)
    shape = ", ".join(map(str, value.shape))
    return f"{name!r}, " * bool(name) + f"{value.dtype}[{shape}]"
