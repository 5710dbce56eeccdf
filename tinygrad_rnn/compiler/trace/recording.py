"""Trace: one step of a cell, and its backward step, as straight-line programs.

The cell runs once on `Tracer` tensors, under a watch that records every op. The backward step
comes from the ops' own VJPs, run on the same tensors. `lowering` makes instructions of both.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from ... import pytree
from ...engine.autograd import propagate
from ...engine.clock import tick
from ...engine.dtypes import is_floating
from ...engine.guard import fingerprint
from ...engine.mode import ModeChange, current_mode
from ...engine.node import Node
from ...engine.op import op
from ...engine.primitive import Primitive
from ...engine.scope import PACKAGE_FOLDER, Scope, callers_line
from ...engine.tensor import Tensor
from ...nn.recurrent.cell import Cell
from ...nn.recurrent.unroll import masked_step
from ...ops import generator
from ..errors import TraceError
from ..ir.instruction import Origin
from ..ir.step import Step
from .lowering import Lowering, nodes_behind
from .step_invariance import OpCall, difference, external_arrays, undo_mutations

__all__ = ["TraceError", "trace"]


class Tracer(Tensor):
    """A Tensor whose elements must not be looked at, because other steps will have others."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TraceError(f"a value of the step is looked at or held on to, at {callers_line()}")

    __bool__ = __float__ = __int__ = __index__ = __array__ = __setitem__ = _update = _refuse
    item = tolist = numpy = register_hook = retain_grad = backward = _refuse
    data = property(_refuse)

    def detach(self) -> Tensor:
        """The same value without a gradient, which other steps have, too."""
        stopped: Tensor = _detached(self)
        return stopped


@op(elementwise=True, differentiable=False)
def _detached(x: Any) -> Any:
    return x


_detached.name = "detach"


class _Recorder:
    """Keeps the ancestors of every result, whether or not it requires a gradient."""

    def __init__(self, cell: Cell) -> None:
        self.drawn: list[Node] = []  # the results of ops that give new values in each call
        self.done: list[OpCall] = []
        self.start = tick()
        self.outer: dict[Node, Tensor] = {}  # leaves of the trace, and what they stand for
        self._leaves: dict[Tensor, Tensor] = {}
        self._files = _files_of(cell)

    def forward(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        if not op.pure:
            self.drawn.append(node)
            if isinstance(node._data, tuple):
                raise TraceError(f"{op.name} draws several outputs at once, at {callers_line()}")
        node.op, node.inputs, node.attributes = op, tuple(map(self.leaf, inputs)), attributes
        node.values = [getattr(x, "_data", x) for x in inputs]
        node.scope = self._place(op)
        self.done.append(OpCall(op, list(map(self._constant, inputs)), attributes, node.scope))
        if isinstance(node, Tensor):
            node.__class__ = Tracer

    def backward(self, node: Node, position: int, grad: Any) -> None:
        pass

    def leaf(self, x: Any) -> Any:
        """x; in place of a tensor from before the step, a leaf without its ancestors and hooks."""
        if not isinstance(x, Tensor) or x.number > self.start or x in self.outer:
            return x
        if x not in self._leaves:
            leaf = self._leaves[x] = Tensor.of(x._data)
            leaf.requires_grad, leaf.name, leaf.number = x.requires_grad, x.name, x.number
            self.outer[leaf] = x
        return self._leaves[x]

    def _constant(self, x: Any) -> Any:
        """What an input is, if it is none of the values that the trace follows."""
        if isinstance(x, Tracer) or not isinstance(x, Node) or x.number < self.start:
            return None if isinstance(x, Tracer) else x
        return x._data if x.op is None else None

    def _place(self, op: Primitive) -> Scope | None:
        """Where we are, with the author's line; a gradient is where its op was written."""
        now = current_mode().scope or Scope()
        return now if now.line else Origin(now.path, now.step, self._authors_line(), op.name)

    def _authors_line(self) -> str | None:
        """`file.py:12` of the innermost frame that is the author's, not this package's."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not trace.__code__:
            file = frame.f_code.co_filename
            if file in self._files or not file.startswith(PACKAGE_FOLDER):
                return f"{file}:{frame.f_lineno}"
            frame = frame.f_back
        return None


def _files_of(cell: Cell) -> frozenset[str]:
    """The files in which the cell is written, if some are this package's own."""
    kinds = [kind for kind in type(cell).__mro__ if issubclass(kind, Cell) and kind is not Cell]
    modules = [sys.modules.get(kind.__module__) for kind in kinds]
    return frozenset(filter(None, (getattr(module, "__file__", None) for module in modules)))


def trace(
    cell: Cell, x: Any, state: Any, mask: Any, x_requires_grad: bool, differentiate: bool
) -> Step:
    """Trace one step of `cell` on x (T, B, ...), a state nest and an optional mask (T, B).

    `TraceError` if a step depends on data, if the next step is another, or of complex numbers.
    """
    if any(array.dtype.kind == "c" for array in [x, *pytree.leaves(state)]):
        raise TraceError("its numbers are complex")
    random_state = generator().bit_generator.state
    try:
        with undo_mutations(cell) as changed:
            step = _trace(cell, x, state, mask, x_requires_grad, differentiate)
        drew_numbers = generator().bit_generator.state != random_state
    finally:
        generator().bit_generator.state = random_state
    if changed:
        raise TraceError(f"a step changes {', '.join(changed)}")
    if drew_numbers and not step.drawn:
        raise TraceError("random numbers are drawn by something that is no op; use tg.rand_like")
    return step


def _trace(
    cell: Cell, x: Any, state: Any, mask: Any, x_requires_grad: bool, differentiate: bool
) -> Step:
    recorder = _Recorder(cell)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with ModeChange(grad=True, watch=recorder):
            x_in = _traced(x[0], x_requires_grad)
            state_in = [
                _traced(leaf._data, differentiate and is_floating(leaf._data))
                for leaf in pytree.leaves(state)
            ]
            mask_in = None if mask is None else _traced(mask[0], False)
            new, output = masked_step(cell, x_in, pytree.unflatten(state, state_in), mask_in)
            news, output = [recorder.leaf(n) for n in pytree.leaves(new)], recorder.leaf(output)
            first, done = [x_in, *state_in], recorder.done
            constants = _check_next_step(cell, x[-1], state, mask_in, first, news, done)
            grads_in = [_traced(np.zeros_like(leaf._data), False) for leaf in [*news, output]]
            found: dict[Node, Any] = {}
            if differentiate:
                pairs = [
                    (leaf, grad)
                    for leaf, grad in zip([*news, output], grads_in, strict=True)
                    if leaf.requires_grad
                ]
                learned = _learned_leaves([*news, output])
                wanted = [*state_in, *([x_in] if x_requires_grad else []), *learned]
                found = propagate(
                    [leaf for leaf, _ in pairs],
                    [grad for _, grad in pairs],
                    wanted=wanted,
                    create_graph=True,
                    retain_graph=True,
                )
    lowering = Lowering(lambda node: isinstance(node, Tracer))
    inputs = {
        name: lowering.input(t) for name, t in (("x", x_in), ("mask", mask_in)) if t is not None
    }
    state_values = [lowering.input(leaf) for leaf in state_in]
    grad_values = [lowering.input(grad) for grad in grads_in]
    results = [*news, output, *found.values(), *recorder.drawn]
    lowering.run(results)
    value = lowering.value
    return Step(
        label=type(cell).__name__,
        x=inputs["x"],
        mask=inputs.get("mask"),
        state=tuple(state_values),
        leaves=tuple(recorder.outer.get(leaf, leaf) for leaf in lowering.leaves),
        leaf_values=tuple(lowering.of[leaf] for leaf in lowering.leaves),
        learned=tuple(leaf.requires_grad for leaf in lowering.leaves),
        constants=tuple((array, fingerprint(array)) for array in constants),
        instructions=tuple(lowering.instructions),
        new_state=tuple(value(leaf) for leaf in news),
        output=value(output),
        drawn=tuple(value(node) for node in recorder.drawn),
        grad_state=tuple(grad_values[:-1]),
        grad_output=grad_values[-1],
        d_x=value(found[x_in]) if x_in in found else None,
        d_state=tuple(value(found[leaf]) if leaf in found else None for leaf in state_in),
        d_leaves=tuple(value(found[leaf]) if leaf in found else None for leaf in lowering.leaves),
    )


def _check_next_step(
    cell: Cell,
    x: Any,
    state: Any,
    mask: Any,
    first: Sequence[Node],
    news: Sequence[Node],
    done: Sequence[OpCall],
) -> list[Any]:
    """Take another step, from the state after the first; TraceError if it is not the same.

    Returns the arrays from outside that both have looked at.
    """
    recorder = _Recorder(cell)
    done = list(done)
    arrays = [x, *(leaf._data for leaf in news)]
    x_in, *state_in = [
        _traced(array, node.requires_grad) for array, node in zip(arrays, first, strict=True)
    ]
    with ModeChange(watch=recorder):
        masked_step(cell, x_in, pytree.unflatten(state, state_in), mask)
    found = difference(done, recorder.done)
    if found is not None:
        raise TraceError(found)
    return external_arrays(done, recorder.done)


def _traced(array: Any, requires_grad: bool) -> Tracer:
    tensor = Tracer.of(array)
    tensor.requires_grad = requires_grad
    return tensor


def _learned_leaves(outputs: Sequence[Node]) -> list[Node]:
    """The leaves, other than traced inputs, that the outputs depend on and that want a gradient."""
    return [
        node
        for node in nodes_behind(outputs)
        if node.op is None and node.requires_grad and not isinstance(node, Tracer)
    ]
