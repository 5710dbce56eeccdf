"""Where a wrong gradient comes from: the op, its module path, its time step, the user's line.

Every gradient that flows back along an edge of the graph (from an op to one of its inputs) can be
checked on its own: perturb what that op sees of that input in a complex-step run, and observe the
outputs. The wrong edge closest to the outputs is the cause; the errors behind it follow from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...engine.primitives.primitive import Primitive
from ...engine.recording.mode import current_mode
from ...engine.recording.node import Node
from ...engine.recording.scope import Scope, callers_line
from .differentiation import STEP, ComplexStep
from .program import Program, direction_for

__all__ = ["first_wrong"]

_TOLERANCE = 1e-8


class _Call(NamedTuple):
    op: Primitive
    node: Node
    inputs: Sequence[Any]


class _Recorder:
    """Records every application of an op, and every gradient along an edge."""

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self.parts: dict[tuple[int, int], Any] = {}
        self._forward = True

    def forward(self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: Any) -> None:
        if not self._forward:
            return  # an op in a hook
        outer = current_mode().scope or Scope()
        node.scope = Scope(outer.path, outer.step, callers_line())
        self.calls.append(_Call(op, node, inputs))

    def forward_is_done(self) -> None:
        self._forward = False
        self.parts.clear()  # these belong to gradients that the function itself took

    def backward(self, node: Node, position: int, grad: Any) -> None:
        self.parts[node.number, position] = np.array(grad._data if isinstance(grad, Node) else grad)


class _Carried(ComplexStep):
    """Notes which inputs and results of each application carry a derivative."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[list[bool]] = []
        self.results: list[bool] = []

    def forward(self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: Any) -> None:
        super().forward(op, node, inputs, attributes)
        self.inputs.append([_carries(x) for x in inputs])
        self.results.append(_carries(node))


class _Injection(ComplexStep):
    """Changes what one application of an op sees of one of its inputs."""

    def __init__(self, number: int, position: int, direction: Any, verify: bool) -> None:
        super().__init__(verify)
        self._number, self._position, self._direction = number, position, direction
        self._count = 0

    def forward(self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: Any) -> None:
        if self._count == self._number:
            values = [x._data if isinstance(x, Node) else x for x in inputs]
            moved = values[self._position] + 1j * STEP * self._direction
            values[self._position] = moved
            stepped = op.value(*values, **attributes)
            node._data = self.through(op, values, attributes, stepped, node.scope)
        else:
            super().forward(op, node, inputs, attributes)
        self._count += 1


def first_wrong(program: Program) -> str | None:
    """A description of where the gradient first goes wrong going backwards; None if unknown."""
    recorder = _Recorder()
    program.gradient(program.point, recorder)
    carried = _Carried()
    try:
        program.slope(direction_for(program.point), carried)
    except TypeError:
        return None  # fn refuses complex numbers
    if len(carried.results) != len(recorder.calls):
        return None  # another path was taken: the runs cannot be compared
    verify = bool(carried.differences)
    return _cut(recorder, carried) or _wrong_edge(program, recorder, verify)


def _cut(recorder: _Recorder, carried: _Carried) -> str | None:
    """The first op that depends on the inputs although the recorded graph does not show it."""
    for call, inputs, result in zip(recorder.calls, carried.inputs, carried.results, strict=True):
        for position, (x, carries) in enumerate(zip(call.inputs, inputs, strict=True)):
            if carries and not (isinstance(x, Node) and x.requires_grad):
                if call.op.traits.differentiable:
                    return (
                        f"the graph is cut before {_described(call)}: its input "
                        f"{call.op.input_name(position)!r} depends on what is checked, but "
                        "carries no history (detach(), no_grad() or .data)"
                    )
        if result and not call.node.requires_grad:
            return f"the graph is cut at {_described(call)}: it was not recorded (no_grad())"
    return None


def _wrong_edge(program: Program, recorder: _Recorder, verify: bool) -> str | None:
    for number in reversed(range(len(recorder.calls))):
        call = recorder.calls[number]
        for position in range(len(call.inputs)):
            part = recorder.parts.get((call.node.number, position))
            if part is None:
                continue
            (direction,) = direction_for([part])
            still = [np.zeros(x.shape) for x in program.point]
            true = program.slope(still, _Injection(number, position, direction, verify))
            terms = part * direction
            found = float(np.sum(terms))
            allowed = _TOLERANCE * max(float(np.sum(np.abs(terms))), abs(true))
            if not abs(found - true) <= allowed:
                return (
                    f"the gradient of {_described(call)} with respect to its input "
                    f"{call.op.input_name(position)!r}{_named(call.inputs[position])}, along one "
                    f"direction: {found:.9g}, truly {true:.9g}"
                )
    return None


def _described(call: _Call) -> str:
    where = f" [{call.node.scope}]" if call.node.scope is not None and str(call.node.scope) else ""
    return f"{call.op.name}{_named(call.node)}{where}"


def _named(node: Any) -> str:
    name = getattr(node, "name", None)
    return f" ({name})" if name else ""


def _carries(x: Any) -> bool:
    data = x._data if isinstance(x, Node) else x
    parts = data if isinstance(data, tuple) else (data,)
    return any(np.iscomplexobj(part) and bool(np.any(np.imag(part))) for part in parts)
