"""The backward pass: reverse-mode differentiation over recorded nodes, without recursion.

Nodes are numbered as they are made, so among the nodes that wait for their turn the one with the
largest number has received all of its gradient. A heap of numbers is all the scheduling there is,
and gradients are summed in the same order on every run.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ..errors import GraphFreedError, StaleValueError
from .primitives.primitive import Primitive
from .recording.broadcasting import unbroadcast, zeros
from .recording.explain import explained
from .recording.guard import check_unchanged, clock
from .recording.mode import ModeChange, current_mode
from .recording.node import Node

__all__ = ["OutputGradients", "propagate"]

ndarray = np.ndarray


def propagate(
    outputs: Sequence[Node],
    gradients: Sequence[Any],
    *,
    wanted: Sequence[Node] | None = None,
    create_graph: bool = False,
    retain_graph: bool = False,
) -> dict[Node, Any]:
    """The gradients of `sum(output * gradient)` with respect to `wanted`.

    Without `wanted`: to every leaf that requires a gradient, and to every node that retains one.
    `gradients` are arrays, or Tensors if `create_graph`; so are those returned, each with memory
    of its own. Nothing is computed that no wanted node needs.
    """
    run = _BackwardPass(outputs, wanted, create_graph)
    for output, gradient in zip(outputs, gradients, strict=True):
        if run.relevant is None or output.number in run.relevant:
            run.add(output, gradient)
    while run.waiting:
        node = heappop(run.waiting)[1]
        grad, op = run.sums.pop(node.number), node.op
        if op is None or node._hooks is not None or (wanted and node.number in run.targets):
            grad = run.deliver(node, grad)
        if op is not None and (run.relevant is None or run.relevant[node.number]):
            run.pull_back(node, op, grad)
            if not retain_graph:
                node.inputs = node.values = node.guard = None
    return run.found


class _BackwardPass:
    """One walk back over a graph: which gradients wait, and which have been found."""

    def __init__(
        self, outputs: Sequence[Node], wanted: Sequence[Node] | None, create_graph: bool
    ) -> None:
        self.relevant = None if wanted is None else _between(outputs, wanted)
        self.found: dict[Node, Any] = {}
        self.waiting: list[tuple[int, Node]] = []  # a heap: the largest number first
        self.targets = frozenset(node.number for node in wanted or ())
        self.sums: dict[int, Any] = {}  # the gradient so far of each node that waits
        self._own: set[int] = set()  # those whose sum is in memory that no one else holds
        self._create_graph = create_graph
        self._watch = current_mode().watch

    def add(self, x: Node, grad: Any) -> None:
        """Add to the gradient of `x`, which from now on waits for its turn."""
        sums, number = self.sums, x.number
        if number not in sums:
            sums[number] = grad
            heappush(self.waiting, (-number, x))
        elif number in self._own:
            np.add(sums[number], grad, out=sums[number])
        else:
            total = sums[number] + grad
            if not self._create_graph:
                total = total if total.__class__ is ndarray else np.asarray(total)
                self._own.add(number)
            sums[number] = total

    def deliver(self, node: Node, grad: Any) -> Any:
        """Run the hooks of `node` and note its gradient, if it is asked for; returns that."""
        own, retains = node.number in self._own, node.op is None
        if node._hooks is not None:
            for hook in list(node._hooks.values()):
                grad, own = hook(grad), False
            retains = retains or node._hooks.retains_grad
        if retains if self.relevant is None else node.number in self.targets:
            if not own and not (self._create_graph and grad.requires_grad):
                grad = grad.copy("K") if grad.__class__ is ndarray else np.copy(grad)
            self.found[node] = grad
        return grad

    def pull_back(self, node: Node, op: Primitive, grad: Any) -> None:
        """From the gradient of `node` to its share in those of its inputs, by the op's rules."""
        inputs, values, attributes = node.inputs, node.values, node.attributes
        if inputs is None or values is None or attributes is None:
            raise GraphFreedError(_freed(node))
        sums, relevant, rules, watch = self.sums, self.relevant, op.rules, self._watch
        if op.traits.selects is not None:
            whole = inputs[0]
            if whole.number not in sums:
                self.add(whole, _OfOutputs())
            of_outputs, index = sums[whole.number], op.traits.selects
            # Several nodes may select one output: a recorded rule that reads it has one of its own.
            of_outputs[index] = of_outputs[index] + grad if index in of_outputs else grad
            return
        if node.number < clock.latest_change or node.guard is not None:
            check_unchanged(node, relevant)
        if grad.__class__ is _OfOutputs:
            grad = grad.complete(node._data, self._create_graph)
        out = _recorded_output(node, grad) if self._create_graph else node._data
        joint = None if op.joint_rule is None else self._jointly(node, op.joint_rule, grad, out)
        for position, x in enumerate(inputs):
            if not (isinstance(x, Node) and x.requires_grad):
                continue
            number = x.number
            if relevant is not None and number not in relevant:
                continue
            try:
                if joint is not None:
                    part = joint[position]
                    if part is None:
                        part = np.zeros_like(x if self._create_graph else x._data)
                elif self._create_graph:
                    part = _recorded_vjp(node, op.rule(position), grad, out)
                else:
                    rule = rules[position] if position < len(rules) else op.rule(position)
                    if attributes:
                        part = rule(grad, out, *values, **attributes)
                    else:
                        part = rule(grad, out, *values)
                like = x._data
                if (
                    part.__class__ is not ndarray
                    or part.shape != like.shape
                    or part.dtype is not like.dtype
                ):
                    part = unbroadcast(part, like)
            except Exception as error:
                raise _explained(error, node) from error
            if watch is not None:
                watch.backward(node, position, part)
            if number in sums:
                self.add(x, part)
            else:  # what `add` does first, without the call
                sums[number] = part
                heappush(self.waiting, (-number, x))
                if joint is not None and not self._create_graph:
                    self._own.add(number)

    def _jointly(self, node: Node, rule: Any, grad: Any, out: Any) -> Sequence[Any]:
        """The gradients of all inputs, by a rule that finds them together."""
        try:
            if self._create_graph:
                return list(_recorded_vjp(node, rule, grad, out))
            found: list[Any] = rule(grad, out, *(node.values or ()), **(node.attributes or {}))
            return found
        except Exception as error:
            raise _explained(error, node) from error


class _OfOutputs(dict[int, Any]):
    """The gradient of an op of several outputs: of those that have one, by their index."""

    def complete(self, outputs: tuple[Any, ...], recorded: bool) -> OutputGradients:
        """The gradient of each output; zeros for those that nothing depends on."""
        found = [self.get(index) for index in range(len(outputs))]
        for index, data in enumerate(outputs):
            if found[index] is None:
                none = zeros(data.shape, data.dtype)
                found[index] = type(next(iter(self.values()))).of(none) if recorded else none
        return OutputGradients(found)


class OutputGradients(tuple[Any, ...]):
    """The gradient of each output of an op of several, as its rules get it."""


def _between(outputs: Sequence[Node], wanted: Sequence[Node]) -> dict[int, bool]:
    """The numbers of the nodes on a path from an output down to a wanted node.

    True for those from which the path goes on, False for those where it ends. GraphFreedError if a
    wanted node may lie behind a part of the graph that is no longer there.
    """
    reached = {output.number: output for output in outputs}
    to_visit = list(reached.values())
    while to_visit:
        for x in to_visit.pop().inputs or ():
            if isinstance(x, Node) and x.requires_grad and x.number not in reached:
                reached[x.number] = x
                to_visit.append(x)
    ends = {node.number for node in wanted}
    relevant: dict[int, bool] = {}
    for number in sorted(reached):  # inputs before what is made from them
        for x in reached[number].inputs or ():
            if isinstance(x, Node) and x.number in relevant:
                relevant[number] = True
                break
        else:
            if number in ends:
                relevant[number] = False
    if not ends <= relevant.keys():
        for node in reached.values():
            if node.op is not None and node.inputs is None:
                raise GraphFreedError(_freed(node))
    return relevant


def _recorded_output(node: Node, grad: Any) -> Any:
    """What a node has made, for its rules to be run on Tensors: a tuple, of an op of several."""
    assert node.op is not None and node.inputs is not None and node.values is not None
    for x, value in zip(node.inputs, node.values, strict=True):
        if isinstance(x, Node) and x._data is not value:
            raise StaleValueError(
                f"{node.op.name}: the array of its input was replaced after the forward pass"
                f"{node.place()}. Run backward() before the change."
            )
    return node.outputs(type(grad[0])) if grad.__class__ is OutputGradients else node


def _recorded_vjp(node: Node, rule: Any, grad: Any, out: Any) -> Any:
    """A gradient rule run on Tensors, so that it is recorded like any other computation."""
    assert node.op is not None and node.inputs is not None
    with ModeChange(grad=True, scope=node.scope):
        return rule(grad, out, *node.inputs, **(node.attributes or {}))


def _explained(error: Exception, node: Node) -> Exception:
    assert node.op is not None
    return explained(error, f"gradient of {node.op.name}", node.values or (), node.scope)


def _freed(node: Node) -> str:
    name = node.op.name if node.op is not None else "this tensor"
    return (
        f"backward() a second time through {name}{node.place()}: the first backward pass freed "
        "this part of the graph. If a state is carried on from batch to batch, detach it between "
        "them: state = tg.detach(state). Otherwise run forward again, or pass retain_graph=True to "
        "the first backward()."
    )
