"""What a run records for a picture: the history of every value, and what was detached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...engine.primitives.primitive import Primitive
from ...engine.recording.mode import current_mode
from ...engine.recording.node import Node
from ...engine.tensor import Tensor

__all__ = ["WholeHistory"]


class WholeHistory:
    """Keeps the history of values that require no gradient, too.

    The first step works on a state of zeros, the others on one that requires a gradient. Without
    this they would record different ops and could not be drawn alike. `severed`: the tensors that
    an input of some op was detached from; they are identified by the array that both share.
    """

    def __init__(self) -> None:
        self._severed: dict[int, Tensor] = {}
        self._made: dict[int, Node] = {}  # by the identity of its array, which it keeps alive

    @property
    def severed(self) -> list[Tensor]:
        """The tensors that were detached, in that order."""
        return list(self._severed.values())

    def forward(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        """Called by each op with its outputs."""
        mode = current_mode()
        if node.op is None and op.traits.differentiable and mode.grad:
            node.op, node.inputs, node.attributes = op, tuple(inputs), attributes
            node.values = [x._data if isinstance(x, Node) else x for x in inputs]
            node.scope = mode.scope
        for x in inputs:
            origin = self._made.get(id(x._data)) if isinstance(x, Node) and x.op is None else None
            if isinstance(origin, Tensor):
                self._severed[origin.number] = origin
        self._made[id(node._data)] = node

    def backward(self, node: Node, position: int, grad: Any) -> None:
        """Nothing to keep in the backward pass."""
