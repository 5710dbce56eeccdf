"""Node: one value of a computation, and how it was made. What the backward pass walks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..primitives.primitive import Primitive, selection
from .clock import tick
from .scope import Scope

__all__ = ["Hooks", "Node", "Self"]

Self = TypeVar("Self", bound="Node")
Kind = TypeVar("Kind", bound="Node")


class Hooks(dict[int, Callable[..., Any]]):
    """The hooks of a node by their keys, and whether the node keeps its gradient."""

    retains_grad = False

    def add(self, hook: Callable[..., Any]) -> Callable[[], None]:
        """Add a hook, called after those that are there; returns a function that removes it."""
        key = max(self, default=0) + 1
        self[key] = hook

        def remove() -> None:
            self.pop(key, None)

        return remove


class Node:
    """A value and its history: the op, the inputs and the attributes that it came from.

    `Tensor` is a Node that one can compute with. A leaf (a parameter, an input, a constant) has
    no op. The history lasts until a backward pass frees it.
    """

    __slots__ = (
        "__weakref__",
        "_data",  # the array; for an op with several outputs, the tuple of them
        "_grad",
        "_hooks",
        "attributes",  # dict: the op's keyword arguments, complete, axes counted from the end
        "guard",  # fingerprints of inputs that someone outside could write into
        "inputs",  # tuple: what the op was called with, Nodes and constants
        "name",  # given with `named`, or by the Module that owns a parameter
        "number",  # moment of creation; larger than that of every input
        "op",
        "requires_grad",
        "scope",
        "shared",  # whether someone outside holds the array
        "values",  # list: the arrays and constants behind `inputs`, as the op's value saw them
    )

    _data: Any
    _grad: Any
    _hooks: Hooks | None
    attributes: dict[str, Any] | None
    guard: dict[int, int] | None
    inputs: tuple[Any, ...] | None
    name: str | None
    number: int
    op: Primitive | None
    requires_grad: bool
    scope: Scope | None
    shared: bool
    values: list[Any] | None

    @classmethod
    def of(
        cls: type[Self],
        data: Any,
        op: Primitive | None = None,
        inputs: tuple[Any, ...] | None = None,
        values: list[Any] | None = None,
        attributes: dict[str, Any] | None = None,
        scope: Scope | None = None,
    ) -> Self:
        """A node around `data`, which is neither copied nor checked; a leaf if no op is given."""
        node: Self = _new(cls)
        node._data = data
        node.number = tick()
        node.op = op
        node.inputs = inputs
        node.values = values
        node.attributes = attributes
        node.scope = scope
        node.requires_grad = op is not None
        node.shared = False
        node._grad = node._hooks = node.name = node.guard = None
        return node

    @property
    def is_leaf(self) -> bool:
        """Whether this node is the start of a graph: made by a user, not by a recorded op."""
        return self.op is None

    @property
    def output_index(self) -> int | None:
        """Which output of the op of several behind `inputs[0]` this is; None for any other node.

        >>> import tinygrad_rnn as tg
        >>> first, second = tg.split(tg.zeros(4, requires_grad=True), 2)
        >>> second.output_index
        1
        """
        return None if self.op is None else self.op.traits.selects

    def outputs(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """Each output of this application of an op of several, as a node of that kind."""
        outputs = []
        history: Any = (self,), [None], {}, self.scope
        for index, data in enumerate(self._data):
            if self.requires_grad and data.dtype.kind in "fc":
                output = kind.of(data, selection(index), *history)
            else:
                output = kind.of(data)
            output.shared = self.shared
            outputs.append(output)
        return tuple(outputs)

    def place(self) -> str:
        """` in <module path>, step <t>`, or nothing where it is not known. For error messages."""
        where = str(self.scope) if self.scope is not None else ""
        return f", in {where}" if where else ""


_new = object.__new__
