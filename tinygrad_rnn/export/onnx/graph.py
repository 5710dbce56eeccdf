"""OnnxGraph: an ONNX graph under construction, with its subgraphs and its dynamic sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Dim", "OnnxGraph", "Value", "element_type"]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: its name, dtype and number of axes."""

    name: str
    dtype: Any
    ndim: int


class OnnxGraph:
    """Nodes and constants; new ones go into the innermost subgraph that is open."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self._count = 0
        self._known: dict[Any, Value] = {}  # small constants, each once

    def fresh(self, hint: str) -> str:
        """An unused name."""
        self._count += 1
        return f"{hint}_{self._count}"

    def constant(self, x: Any, dtype: Any = None, name: str | None = None) -> Value:
        """An array stored in the file."""
        array = np.asarray(x, dtype)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size < 64 else None
        if name is None and key is not None and key in self._known:
            return self._known[key]
        made = Value(name or self.fresh("constant"), array.dtype, array.ndim)
        self.constants[made.name] = array
        if key is not None:
            self._known.setdefault(key, made)
        return made

    def add(
        self,
        kind: str,
        *inputs: Value | str,
        dtype: Any = None,
        ndim: int | None = None,
        **given: Any,
    ) -> Value:
        """A node of one output; dtype and ndim are those of its first input if not given."""
        (name,) = self.add_all(kind, inputs, 1, **given)
        first = next((x for x in inputs if isinstance(x, Value)), None)
        dtype = first.dtype if dtype is None and first else dtype
        ndim = first.ndim if ndim is None and first else ndim
        return Value(name, dtype, ndim or 0)

    def add_all(
        self, kind: str, inputs: Sequence[Value | str], outputs: int, **given: Any
    ) -> list[str]:
        """Add a node; returns the names of its outputs. The input "" is an omitted one."""
        from onnx import helper

        names = [x.name if isinstance(x, Value) else x for x in inputs]
        made = [self.fresh(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, **given))
        return made

    @contextmanager
    def inside(self) -> Iterator[list[Any]]:
        """A subgraph: it receives the nodes added meanwhile, and may read the graph around it."""
        outer, self.nodes = self.nodes, []
        known, self._known = self._known, dict(self._known)
        try:
            yield self.nodes
        finally:
            self.nodes, self._known = outer, known

    def cast(self, x: Value, dtype: Any) -> Value:
        """x in that dtype."""
        dtype = np.dtype(dtype)
        if x.dtype == dtype:
            return x
        return self.add("Cast", x, dtype=dtype, to=element_type(dtype))

    def integers(self, values: Sequence[Any]) -> Value:
        """A vector of integers, some of which may be a `Dim`."""
        if not any(isinstance(v, Dim) for v in values):
            return self.constant(np.array(values, np.int64).reshape(-1))
        parts = [
            v.vector() if isinstance(v, Dim) else self.constant(np.array([v], np.int64))
            for v in values
        ]
        return self.add("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]


class Dim:
    """A size that is known when the graph runs; sums and products of sizes are nodes."""

    def __init__(self, graph: OnnxGraph, value: Value) -> None:
        self._graph, self.value = graph, value  # int64, no axes

    def _with(self, kind: str, other: Any) -> Dim:
        operand = other.value if isinstance(other, Dim) else self._graph.constant(other, np.int64)
        return Dim(self._graph, self._graph.add(kind, self.value, operand))

    def __mul__(self, other: Any) -> Dim:
        return self if type(other) is int and other == 1 else self._with("Mul", other)

    def __add__(self, other: Any) -> Dim:
        return self if type(other) is int and other == 0 else self._with("Add", other)

    __rmul__, __radd__ = __mul__, __add__

    def vector(self) -> Value:
        """As a vector of one number."""
        return self._graph.add("Unsqueeze", self.value, self._graph.constant([0], np.int64), ndim=1)


def element_type(dtype: Any) -> int:
    """ONNX's number for a dtype."""
    from onnx import helper

    found: int = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return found
