"""Differentiation: from the record of a step to its program and that of its backward step.

The recorded calls become a graph of `Tracer`s, which hold the values of the recorded step. The
gradient rules of the ops, run on them, are the backward step; `lowering` makes instructions of
both.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NoReturn

import numpy as np

from ...engine.autograd import propagate
from ...engine.dtypes import is_floating
from ...engine.mode import ModeChange, current_mode
from ...engine.node import Node
from ...engine.primitive import Primitive
from ...engine.scope import Scope, callers_line
from ...engine.tensor import Tensor
from ..errors import TraceError
from ..ir.instruction import Instruction, Origin, native
from ..ir.step import Step
from .calls import detached
from .lowering import Lowering, nodes_behind
from .recording import Input, Record, Result
from .step_invariance import Place

__all__ = ["step_of"]


class Tracer(Tensor):
    """A value of the step: an example, whose elements no gradient rule may read."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TraceError(f"data-dependent access in a gradient rule, at {callers_line()}")

    __bool__ = __float__ = __int__ = __index__ = __array__ = __setitem__ = _update = _refuse
    item = tolist = numpy = register_hook = retain_grad = backward = _refuse
    data = property(_refuse)

    def detach(self) -> Tensor:
        """The same value without a gradient."""
        stopped: Tensor = detached(self)
        return stopped


class _GradientRules:
    """Keeps what the gradient rules compute, whether or not it requires a gradient itself."""

    def forward(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        node.op, node.inputs, node.attributes = op, tuple(inputs), attributes
        node.values = [getattr(x, "_data", x) for x in inputs]
        now = current_mode().scope or Scope()
        node.scope = now if now.line else Origin(now.path, now.step, None, op.name)
        if isinstance(node, Tensor):
            node.__class__ = Tracer

    def backward(self, node: Node, position: int, grad: Any) -> None:
        pass


def step_of(
    record: Record,
    carries: int,
    name: str,
    wanted: Sequence[bool],
    constants: Sequence[Any],
    numbers: Collection[Place] = (),
    masked: bool = False,
) -> tuple[Step, list[Any]]:
    """The program of a recorded step, and what each of its leaves is: a Tensor, or a Place.

    The first `carries` inputs are the carry. `wanted`: of the carry and of x_t, whether each leaf
    may want a gradient. `numbers`: the constants that are inputs of the program instead.
    """
    graph = _Graph(record, wanted, numbers)
    results, given = graph.results, graph.inputs
    shown = len(results) - record.observed
    observed = results[shown:]
    found: dict[Node, Any] = {}
    with np.errstate(all="ignore"), ModeChange(grad=True, watch=_GradientRules()):
        grads = [_traced(np.zeros_like(leaf._data), False) for leaf in results]
        pairs = [(r, g) for r, g in zip(results[:shown], grads) if r.requires_grad]
        learned = [n for n in nodes_behind(results) if n in graph.leaves and n.requires_grad]
        targets = [*(node for node in (*given, *observed) if node.requires_grad), *learned]
        if pairs and targets:
            found = propagate(
                [result for result, _ in pairs],
                [grad for _, grad in pairs],
                wanted=targets,
                create_graph=True,
                retain_graph=True,
            )
    lowering = Lowering(lambda node: isinstance(node, Tracer))
    inputs = [lowering.input(node) for node in given]
    grad_values = [lowering.input(grad) for grad in grads]
    drawn = [graph.nodes[k] for k, call in enumerate(record.calls) if not call.op.pure]
    lowering.run([*results, *found.values(), *drawn])
    value = lowering.value
    carry, xs = given[:carries], given[carries : len(given) - masked]
    mask = inputs[len(given) - masked :]
    taps = [Instruction.input(np.zeros_like(node._data)) for node in observed]

    def gradients(nodes: Sequence[Node]) -> tuple[Any, ...]:
        return tuple(value(found[node]) if node in found else None for node in nodes)

    return Step(
        label=name,
        xs=(*inputs[carries : len(given) - masked], *taps, *mask),
        masked=masked,
        observed=len(observed),
        carry=tuple(inputs[:carries]),
        leaves=tuple(lowering.of[leaf] for leaf in lowering.leaves),
        constants=tuple(constants),
        instructions=tuple(lowering.instructions),
        next_carry=tuple(value(node) for node in results[:carries]),
        ys=tuple(value(node) for node in results[carries:]),
        drawn=tuple(value(node) for node in drawn),
        grad_carry=tuple(grad_values[:carries]),
        grad_ys=tuple(grad_values[carries:]),
        d_xs=(*gradients([*xs, *observed]), *(None for _ in mask)),
        d_carry=gradients(carry),
        d_leaves=gradients(lowering.leaves),
    ), [graph.leaves[leaf] for leaf in lowering.leaves]


class _Graph:
    """The nodes of a recorded step: its inputs, its leaves, and what each call has made."""

    def __init__(self, record: Record, wanted: Sequence[bool], numbers: Collection[Place]) -> None:
        self.inputs = [
            _traced(t._data, want and is_floating(t._data))
            for t, want in zip(record.inputs, wanted, strict=True)
        ]
        self.leaves: dict[Node, Any] = {}  # what each leaf stands for
        self._leaf_of: dict[Any, Tensor] = {}
        self.nodes: list[Node] = []
        for k, call in enumerate(record.calls):
            places = {Place(k, i) for i in range(len(call.inputs))} & set(numbers)
            inputs = tuple(map(self._operand, call.inputs))
            for place in places:
                inputs = self._with_number(inputs, place)
            self.nodes.append(_node(call, inputs))
        self.results = [self._result(x) for x in record.results]

    def _operand(self, ref: Any) -> Any:
        if isinstance(ref, Input):
            return self.inputs[ref.position]
        if isinstance(ref, Result):
            return self.nodes[ref.call]
        return self._leaf(ref, ref) if isinstance(ref, Tensor) else native(ref)

    def _leaf(self, of: Any, like: Any) -> Tensor:
        """A leaf without the history and the hooks of what it stands for."""
        if of not in self._leaf_of:
            array = like._data if isinstance(like, Tensor) else like
            leaf = self._leaf_of[of] = Tensor.of(native(array))
            if isinstance(like, Tensor):
                leaf.requires_grad, leaf.name = like.requires_grad, like.name
            self.leaves[leaf] = of
        return self._leaf_of[of]

    def _with_number(self, inputs: tuple[Any, ...], place: Place) -> tuple[Any, ...]:
        """The number at the place as a leaf, in the dtype that it takes among those operands."""
        others = [x._data.dtype if isinstance(x, Node) else x for x in inputs]
        dtype = np.result_type(*others)
        leaf = self._leaf(place, np.asarray(inputs[place.position], dtype))
        return tuple(leaf if i == place.position else x for i, x in enumerate(inputs))

    def _result(self, ref: Any) -> Node:
        node = self._operand(ref)
        return node if isinstance(node, Node) else _traced(np.asarray(node), False)


def _node(call: Any, inputs: tuple[Any, ...]) -> Node:
    """The node of a recorded call on these inputs."""
    data = native(call.node._data)
    values = [x._data if isinstance(x, Node) else x for x in inputs]
    kind = Node if isinstance(data, tuple) else Tracer
    node = kind.of(data, call.op, inputs, values, call.attributes, call.scope)
    node.name = call.node.name
    node.requires_grad = (
        call.grad
        and call.op.differentiable
        and any(isinstance(x, Node) and x.requires_grad for x in inputs)
        and (isinstance(data, tuple) or is_floating(data))
    )
    return node


def _traced(array: Any, requires_grad: bool) -> Tracer:
    tensor = Tracer.of(array)
    tensor.requires_grad = requires_grad
    return tensor
