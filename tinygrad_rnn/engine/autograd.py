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
from .explain import explained
from .guard import check_unchanged, clock
from .mode import ModeChange, current_mode
from .node import Hooks, Node
from .primitive import Primitive

__all__ = ["propagate"]

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
    relevant = None if wanted is None else _between(outputs, wanted)
    targets = frozenset(node.number for node in wanted or ())
    sums: dict[int, Any] = {}  # the gradient so far of each node that waits, by its number
    waiting: list[tuple[int, Node]] = []  # those nodes, as a heap: the largest number first
    own: set[int] = set()  # those whose sum is in memory that no one else holds
    found: dict[Node, Any] = {}
    watch = current_mode().watch

    def add(x: Node, grad: Any) -> None:
        number = x.number
        if number not in sums:
            sums[number] = grad
            heappush(waiting, (-number, x))
        elif number in own:
            np.add(sums[number], grad, out=sums[number])
        else:
            total = sums[number] = sums[number] + grad
            if not create_graph and total.__class__ is ndarray:
                own.add(number)

    for output, gradient in zip(outputs, gradients, strict=True):
        if relevant is None or output.number in relevant:
            add(output, gradient)
    while waiting:
        number, node = heappop(waiting)
        number = -number
        grad = sums.pop(number)
        op = node.op
        if grad.__class__ is not ndarray and not create_graph:
            grad = _complete(node, grad)
        retains = op is None
        if node._hooks is not None:
            grad = _run_hooks(node._hooks, grad)
            own.discard(number)
            retains = retains or node._hooks.retains_grad
        if retains if relevant is None else number in targets:
            own_memory = number in own or (create_graph and grad.requires_grad)
            if not own_memory:
                grad = grad.copy("K") if grad.__class__ is ndarray else np.copy(grad)
            found[node] = grad
        if op is None or (relevant is not None and not relevant[number]):
            continue
        inputs, values, attributes = node.inputs, node.values, node.attributes
        if inputs is None or values is None or attributes is None:
            raise GraphFreedError(_freed(node, op))
        index = op.traits.selects
        if index is not None:
            whole = inputs[0]
            if whole.number not in sums:
                add(whole, [None] * len(whole._data))
            sums[whole.number][index] = grad
        else:
            if number < clock.latest_change or node.guard is not None:
                check_unchanged(node, relevant)
            rules = op.rules
            for position, x in enumerate(inputs):
                if not (isinstance(x, Node) and x.requires_grad):
                    continue
                if relevant is not None and x.number not in relevant:
                    continue
                if create_graph:
                    part = _recorded_vjp(node, op, position, grad)
                else:
                    rule = rules[position] if position < len(rules) else op.rule(position)
                    try:
                        if attributes:
                            part = rule(grad, node._data, *values, **attributes)
                        else:
                            part = rule(grad, node._data, *values)
                    except Exception as error:
                        raise explained(
                            error, f"gradient of {op.name}", values, node.scope
                        ) from error
                like = x._data
                if (
                    part.__class__ is not ndarray
                    or part.shape != like.shape
                    or part.dtype is not like.dtype
                ):
                    try:
                        part = _fitted(part, like)
                    except Exception as error:
                        raise explained(
                            error, f"gradient of {op.name}", values, node.scope
                        ) from error
                if watch is not None:
                    watch.backward(node, position, part)
                if x.number in sums:
                    add(x, part)
                else:  # what `add` does first, without the call
                    sums[x.number] = part
                    heappush(waiting, (-x.number, x))
        if not retain_graph:
            node.inputs = node.values = node.guard = None
    return found


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
        leads_on = any(
            isinstance(x, Node) and x.number in relevant for x in reached[number].inputs or ()
        )
        if leads_on or number in ends:
            relevant[number] = leads_on
    if not ends <= relevant.keys():
        for node in reached.values():
            if node.op is not None and node.inputs is None:
                raise GraphFreedError(_freed(node, node.op))
    return relevant


def _complete(node: Node, grad: Any) -> Any:
    """An array from a NumPy scalar; for several outputs, zeros for those that had no gradient."""
    if isinstance(grad, list):
        return tuple(
            np.zeros(data.shape, data.dtype) if part is None else part
            for data, part in zip(node._data, grad, strict=True)
        )
    return np.asarray(grad)


def _run_hooks(hooks: Hooks, grad: Any) -> Any:
    for hook in list(hooks.values()):
        grad = hook(grad)
    return grad


def _recorded_vjp(node: Node, op: Primitive, position: int, grad: Any) -> Any:
    """The gradient rule run on Tensors, so that it is recorded like any other computation."""
    assert node.inputs is not None and node.values is not None
    for x, value in zip(node.inputs, node.values, strict=True):
        if isinstance(x, Node) and x._data is not value:
            raise StaleValueError(
                f"{op.name}: the array of its input was replaced after the forward pass"
                f"{node.place()}. Run backward() before the change."
            )
    out: Any = node
    if isinstance(grad, list):
        kind = next(type(part) for part in grad if part is not None)
        out = node.outputs(kind)
        grad = tuple(
            kind.of(np.zeros_like(data)) if part is None else part
            for data, part in zip(node._data, grad, strict=True)
        )
    with ModeChange(grad=True, scope=node.scope):
        try:
            return op.rule(position)(grad, out, *node.inputs, **(node.attributes or {}))
        except Exception as error:
            raise _explained(error, node) from error


def _fitted(grad: Any, like: Any) -> Any:
    """`grad` in the shape and dtype of `like`: broadcast axes summed, summed axes broadcast."""
    if not isinstance(grad, Node | ndarray):
        if grad is None:
            raise TypeError("its rule returned None; a rule returns the gradient of its input")
        grad = np.asarray(grad)
    shape = like.shape
    if not grad.ndim and shape and grad.__class__ is ndarray:  # such as that of a sum
        grad = ndarray(shape, grad.dtype, grad, 0, (0,) * len(shape))  # faster than broadcast_to,
        grad.flags.writeable = False  # and as safe: all of its elements are one
    elif grad.shape != shape:
        new = max(grad.ndim - len(shape), 0)
        if new and grad.shape[new:] == shape:  # broadcast along new axes alone, such as a bias
            grad = np.sum(grad, axis=tuple(range(new)))
            return grad if grad.dtype == like.dtype else grad.astype(like.dtype)
        repeated = tuple(
            axis
            for axis, size in enumerate(grad.shape)
            if axis < new or (shape[axis - new] == 1 and size != 1 and grad.ndim >= len(shape))
        )
        if repeated:
            grad = np.sum(grad, axis=repeated, keepdims=True)
            grad = np.reshape(grad, grad.shape[new:])
        if grad.shape != shape:
            grad = np.broadcast_to(grad, shape)
    return grad if grad.dtype == like.dtype else grad.astype(like.dtype)


def _explained(error: Exception, node: Node) -> Exception:
    assert node.op is not None
    return explained(error, f"gradient of {node.op.name}", node.values or (), node.scope)


def _freed(node: Node, op: Primitive) -> str:
    return (
        f"backward() a second time through {op.name}{node.place()}: the first backward pass freed "
        "this part of the graph. Pass retain_graph=True to the first one, or run forward again."
    )
