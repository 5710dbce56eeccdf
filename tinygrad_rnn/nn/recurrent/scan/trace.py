"""Trace: one step of a cell, and its backward step, as straight-line programs.

The cell runs once on `Traced` tensors, under a watch that records every op. The backward step
comes from the ops' own VJPs, run on the same tensors. Then every elementwise op is taken apart
into NumPy's ufuncs by running its value on symbols; equal computations become one.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from ....engine.autograd import propagate
from ....engine.guard import tick
from ....engine.mode import PACKAGE_FOLDER, ModeChange, Scope, callers_line, current_mode
from ....engine.node import Node, is_floating
from ....engine.op import Op, op
from ....engine.tensor import Tensor
from ....ops import generator, matmul
from ....ops.shape import _permute as transposed
from ..cell import Cell
from ..nest import leaves, like
from ..unroll import masked_step
from .steady import Done, difference, unchanged
from .value import Value, identity

__all__ = ["Step", "TraceError", "Value", "identity", "trace"]


class TraceError(Exception):
    """The cell does something that depends on data, so it cannot be traced."""


class Traced(Tensor):
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
    """Keeps the history of every result, whether or not it requires a gradient."""

    def __init__(self, cell: Cell) -> None:
        self.drawn: list[Node] = []  # the results of ops that give new values in each call
        self.done: list[Done] = []
        self.start = tick()
        self.outer: dict[Node, Tensor] = {}  # leaves of the trace, and what they stand for
        self._leaves: dict[Tensor, Tensor] = {}
        self._files = _files_of(cell)

    def forward(
        self, op: Op, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        if not op.pure:
            self.drawn.append(node)
            if isinstance(node._data, tuple):
                raise TraceError(f"{op.name} draws several outputs at once, at {callers_line()}")
        node.op, node.inputs, node.attributes = op, tuple(map(self.leaf, inputs)), attributes
        node.values = [getattr(x, "_data", x) for x in inputs]
        node.scope = self._place()
        self.done.append(Done(op, list(map(self._constant, inputs)), attributes, node.scope))
        if isinstance(node, Tensor):
            node.__class__ = Traced

    def backward(self, node: Node, position: int, grad: Any) -> None:
        pass

    def leaf(self, x: Any) -> Any:
        """x; in place of a tensor from before the step, a leaf without its history and hooks."""
        if not isinstance(x, Tensor) or x.number > self.start or x in self.outer:
            return x
        if x not in self._leaves:
            leaf = self._leaves[x] = Tensor.of(x._data)
            leaf.requires_grad, leaf.name, leaf.number = x.requires_grad, x.name, x.number
            self.outer[leaf] = x
        return self._leaves[x]

    def _constant(self, x: Any) -> Any:
        """What an input is, if it is none of the values that the trace follows."""
        if isinstance(x, Traced) or not isinstance(x, Node) or x.number < self.start:
            return None if isinstance(x, Traced) else x
        return x._data if x.op is None else None

    def _place(self) -> Scope | None:
        """Where we are, with the author's line; a gradient is where its op was written."""
        now = current_mode().scope or Scope()
        return now if now.line else Scope(now.path, now.step, self._authors_line())

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


@dataclass(eq=False)
class Step:
    """A traced step: its inputs, its results, and the results of its backward step."""

    x: Value
    mask: Value | None
    state: list[Value]
    leaves: list[Tensor]  # parameters and other tensors that the step reads: their present arrays
    leaf_values: list[Value]
    learned: list[bool]  # whether those want a gradient
    new_state: list[Value]
    output: Value
    drawn: list[Value]  # random numbers, also those that nothing depends on
    grad_state: list[Value] = field(default_factory=list)  # inputs of the backward step
    grad_output: Value | None = None
    d_x: Value | None = None  # its results; None where there is no dependence
    d_state: list[Value | None] = field(default_factory=list)
    d_leaves: list[Value | None] = field(default_factory=list)


def trace(
    cell: Cell, x: Any, state: Any, mask: Any, x_requires_grad: bool, differentiate: bool
) -> Step:
    """Trace one step of `cell` on x (T, B, ...), a state nest and an optional mask (T, B).

    `TraceError` if a step depends on data, if the next step is another, or of complex numbers.
    """
    if any(array.dtype.kind == "c" for array in [x, *(leaf._data for leaf in leaves(state))]):
        raise TraceError("its numbers are complex")
    random_state = generator().bit_generator.state
    try:
        with unchanged(cell) as changed:
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
                for leaf in leaves(state)
            ]
            mask_in = None if mask is None else _traced(mask[0], False)
            new, output = masked_step(cell, x_in, like(state, iter(state_in)), mask_in)
            news, output = [recorder.leaf(n) for n in leaves(new)], recorder.leaf(output)
            _check_next_step(cell, x[-1], state, mask_in, [x_in, *state_in], news, recorder.done)
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
    lowering = _Lowering()
    inputs = {
        name: lowering.input(t) for name, t in (("x", x_in), ("mask", mask_in)) if t is not None
    }
    state_values = [lowering.input(leaf) for leaf in state_in]
    grad_values = [lowering.input(grad) for grad in grads_in]
    results = [*news, output, *found.values(), *recorder.drawn]
    lowering.run(results)
    value = lowering.value
    return Step(
        x=inputs["x"],
        mask=inputs.get("mask"),
        state=state_values,
        leaves=[recorder.outer.get(leaf, leaf) for leaf in lowering.leaves],
        leaf_values=[lowering.of[leaf] for leaf in lowering.leaves],
        learned=[leaf.requires_grad for leaf in lowering.leaves],
        new_state=[value(leaf) for leaf in news],
        output=value(output),
        drawn=[value(node) for node in recorder.drawn],
        grad_state=grad_values[:-1],
        grad_output=grad_values[-1],
        d_x=value(found[x_in]) if x_in in found else None,
        d_state=[value(found[leaf]) if leaf in found else None for leaf in state_in],
        d_leaves=[value(found[leaf]) if leaf in found else None for leaf in lowering.leaves],
    )


def _check_next_step(
    cell: Cell,
    x: Any,
    state: Any,
    mask: Any,
    first: Sequence[Node],
    news: Sequence[Node],
    done: Sequence[Done],
) -> None:
    """Take another step, from the state after the first; TraceError if it is not the same."""
    recorder = _Recorder(cell)
    done = list(done)
    arrays = [x, *(leaf._data for leaf in news)]
    x_in, *state_in = [
        _traced(array, node.requires_grad) for array, node in zip(arrays, first, strict=True)
    ]
    with ModeChange(watch=recorder):
        masked_step(cell, x_in, like(state, iter(state_in)), mask)
    found = difference(done, recorder.done)
    if found is not None:
        raise TraceError(found)


def _traced(array: Any, requires_grad: bool) -> Traced:
    tensor = Traced.of(array)
    tensor.requires_grad = requires_grad
    return tensor


def _learned_leaves(outputs: Sequence[Node]) -> list[Node]:
    """The leaves, other than traced inputs, that the outputs depend on and that want a gradient."""
    return [
        node
        for node in _history(outputs)
        if node.op is None and node.requires_grad and not isinstance(node, Traced)
    ]


def _history(outputs: Sequence[Node]) -> list[Node]:
    """All nodes behind the outputs, inputs first."""
    found: dict[int, Node] = {}
    waiting = list(outputs)
    while waiting:
        node = waiting.pop()
        if node.number not in found:
            found[node.number] = node
            waiting.extend(x for x in node.inputs or () if isinstance(x, Node))
    return [found[number] for number in sorted(found)]


class _Lowering:
    """From recorded nodes to values: elementwise ops as ufuncs, equal computations once."""

    def __init__(self) -> None:
        self.of: dict[Node, Any] = {}
        self.leaves: list[Tensor] = []
        self._scope: Scope | None = None  # of the node that is being taken apart
        self._known: dict[Any, Value] = {}

    def input(self, node: Node) -> Value:
        made = self.of[node] = Value(None, (), {}, node._data, node.name)
        return made

    def value(self, node: Node) -> Any:
        return self.of[node]

    def run(self, results: Sequence[Node]) -> None:
        for node in _history(results):
            if node in self.of:
                continue
            self._scope = node.scope
            if node.op is None:
                self._leaf(node)
            elif node.op.selects:
                self._select(node)
            elif not isinstance(node._data, tuple):
                self.of[node] = self._apply(node)

    def _leaf(self, node: Node) -> None:
        if isinstance(node, Traced):  # made inside the step, e.g. zeros for an unused output
            self.of[node] = node._data
            return
        assert isinstance(node, Tensor)
        self.input(node)
        self.leaves.append(node)

    def _select(self, node: Node) -> None:
        """One output of an op of several: as an op of its own, which computes all and picks one."""
        assert node.inputs is not None and node.attributes is not None
        whole = node.inputs[0]
        self.of[node] = self._instruction(
            whole.op,
            [self._operand(x) for x in whole.inputs],
            {**whole.attributes, "output": node.attributes["index"]},
            node._data,
            node,
        )

    def _operand(self, x: Any) -> Any:
        return self.of[x] if isinstance(x, Node) else x

    def _apply(self, node: Node) -> Any:
        assert node.op is not None and node.inputs is not None and node.attributes is not None
        operands = [self._operand(x) for x in node.inputs]
        if node.op is transposed and isinstance(operands[0], Value):
            return self._transpose(operands[0], node.attributes["axes"], node)
        if node.op.elementwise and node.op.pure:
            try:
                symbols = [Symbol(self, o) if isinstance(o, Value) else o for o in operands]
                result = node.op.value(*symbols, **node.attributes)
            except Exception:  # the op does more than ufuncs: it stays as it is
                result = None
            if isinstance(result, Symbol) and result.value.dtype == node._data.dtype:
                if node.name is not None:
                    result.value.name = node.name
                return result.value
        return self._instruction(node.op, operands, node.attributes, node._data, node)

    def _transpose(self, x: Value, axes: tuple[int, ...], node: Node) -> Value:
        """x with its axes in another order: two such are one or none, and (A B^T)^T is B A^T."""
        if x.fn is transposed:
            before = x.inputs[0]
            axes = tuple(x.attributes["axes"][axis] for axis in axes)
            straight = axes == tuple(range(-len(axes), 0))
            return before if straight else self._transpose(before, axes, node)
        matrices = x.fn is matmul and all(
            isinstance(f, Value) and len(f.shape) == 2 for f in x.inputs
        )
        if matrices and axes == (-1, -2) and any(f.fn is transposed for f in x.inputs):
            factors = [self._transpose(f, axes, node) for f in reversed(x.inputs)]
            return self._instruction(matmul, factors, {}, x.example.T, node)
        return self._instruction(transposed, [x], {"axes": axes}, x.example.transpose(axes), node)

    def _instruction(
        self, fn: Any, inputs: Sequence[Any], attributes: Any, example: Any, node: Node | None
    ) -> Value:
        key = (fn, identity(inputs), identity(attributes))
        pure = getattr(fn, "pure", True)
        if not pure or key not in self._known:
            made = Value(fn, tuple(inputs), attributes, example, scope=self._scope)
            if node is not None:
                made.name = node.name
            if made.scope is None or made.scope.line is None:  # such as a sum of gradients
                scopes = (x.scope for x in inputs if isinstance(x, Value))
                made.scope = next((s for s in scopes if s is not None and s.line), made.scope)
            if not pure:
                return made
            self._known[key] = made
        return self._known[key]

    def ufunc(self, fn: Any, inputs: Sequence[Any]) -> Value:
        examples = [x.example if isinstance(x, Value) else x for x in inputs]
        with np.errstate(all="ignore"):
            example = np.asarray(fn(*examples))
        return self._instruction(fn, inputs, {}, example, None)


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for an array while an elementwise op's value runs; records the ufuncs it calls."""

    def __init__(self, lowering: _Lowering, value: Value) -> None:
        self._lowering = lowering
        self.value = value
        self.shape, self.dtype, self.ndim = value.shape, value.dtype, len(value.shape)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs or ufunc.nout != 1:
            return NotImplemented
        operands = [x.value if isinstance(x, Symbol) else x for x in inputs]
        return Symbol(self._lowering, self._lowering.ufunc(ufunc, operands))

    def __bool__(self) -> bool:
        raise NotImplementedError("a branch is not a ufunc")

    def __array_function__(self, function: Callable[..., Any], _: Any, inputs: Any, __: Any) -> Any:
        if function is np.copy:  # a value of a program is never written over
            return inputs[0]
        raise NotImplementedError(f"np.{function.__name__} is not a ufunc")
