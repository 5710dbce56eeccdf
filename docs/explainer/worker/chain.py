"""The chain rule at one unit: its gradient, as products of numbers that the reader can look up.

A path runs through elementwise ops from one named value to the next. What an op multiplies the
gradient by is its slope, which its own gradient rule gives. Of a product the slope is the other
factor, so it is called by that one's name; of a sum it is 1, which is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinygrad_rnn.engine.primitives.primitive import Primitive
from tinygrad_rnn.graph import Graph, GraphNode
from tinygrad_rnn.viz.gradient.flow import Gradients
from tinygrad_rnn.viz.model.unrolled import Unrolled

from .unit import Index, at_step, behind_views, broadcast, index_of, slopes

__all__ = ["chain_rule"]

LONGEST = 6  # slopes on one path; what is further away is given as a number


@dataclass(frozen=True)
class Path:
    """A product: the gradient `start` of the value called `at`, times the slopes on the way.

    Without a `start` the path ends at an op that is not elementwise, and `value` is what that op
    hands back.
    """

    at: str
    value: float
    start: float | None = None
    slopes: tuple[tuple[str, float], ...] = ()
    named: bool = True

    def times(self, slope: float, name: str | None) -> Path:
        """The same path with one more op on it, the one next to the unit."""
        more = () if name is None else ((name, slope),)
        return replace(self, value=self.value * slope, slopes=self.slopes + more)

    def told(self) -> dict[str, Any]:
        """For the page."""
        slopes = [{"name": name, "value": value} for name, value in self.slopes]
        return {"at": self.at, "value": self.value, "start": self.start, "slopes": slopes}


def chain_rule(unrolled: Unrolled, flow: Gradients, i: int, unit: int) -> dict[str, Any]:
    """The gradient at a unit: "paths" that add up to it, and "onward", what it becomes behind.

    "onward" are the products that the values get which the unit is made of.
    """
    graph = unrolled.graph
    node, index = behind_views(graph, graph[i], index_of(graph[i], unit))
    total = flow.at(node.index)
    gradient = 0.0 if total is None else float(np.asarray(total)[index])
    reading = _Reading(unrolled, flow, node.step)
    onward = [
        replace(path, value=path.value * gradient, start=gradient, slopes=path.slopes[::-1])
        for path in reading.back(node, index)
    ]
    return {
        "gradient": gradient,
        "paths": [path.told() for path in reading.to(node, index)],
        "onward": [path.told() for path in dict.fromkeys(onward)],
    }


@dataclass
class _Reading:
    """Names are told as seen from `step`."""

    unrolled: Unrolled
    flow: Gradients
    step: int | None

    @property
    def graph(self) -> Graph:
        return self.unrolled.graph

    def to(self, node: GraphNode, index: Index, depth: int = 0) -> Iterator[Path]:
        """What reaches an element: paths from the next named values that it goes into."""
        sent: dict[int, float] = defaultdict(float)
        for j, _, grad in self.flow.parts(node.index):
            sent[j] += float(np.asarray(grad)[index])
        for j, value in sent.items():
            after = self.graph[j]
            same = np.shape(after.value) == np.shape(node.value)
            if not (after.op and after.op.traits.elementwise and same) or depth == LONGEST:
                yield Path(self._receiver(after), value)
                continue
            slope = self._slope(after, index, node, index)
            if after.name:
                ends = [self._whole(after, index)]
            else:
                ends = list(self.to(after, index, depth + 1))
            yield from (end.times(*slope) for end in ends)

    def _whole(self, node: GraphNode, index: Index) -> Path:
        total = self.flow.at(node.index)
        gradient = 0.0 if total is None else float(np.asarray(total)[index])
        return Path(at_step(node.name, node, self.step), gradient, gradient)

    def back(self, node: GraphNode, index: Index, depth: int = 0) -> list[Path]:
        """The slopes of an element by what it is made of; `value` is their product."""
        if not (node.op and node.op.traits.elementwise) or depth == LONGEST:
            return []
        found = []
        for j in dict.fromkeys(node.inputs):
            before, place = self.graph[j], broadcast(self.graph[j], index)
            if not before.requires_grad:
                continue
            slope, name = self._slope(node, index, before, place)
            deeper = [] if before.name else self.back(before, place, depth + 1)
            if not any(path.named for path in deeper):
                deeper = [Path(self._written(before), 1.0, named=bool(before.name))]
            found += [path.times(slope, name) for path in deeper]
        return found

    def _slope(
        self, node: GraphNode, index: Index, by: GraphNode, place: Index
    ) -> tuple[float, str | None]:
        """d node / d by, and how it is called; None: it need not be told."""
        assert node.op is not None
        all_slopes = slopes(self.graph, node, index)
        uses = [position for position, j in enumerate(node.inputs) if j == by.index]
        value = float(sum(np.asarray(all_slopes[position])[place] for position in uses))
        others = [j for j in node.inputs if j != by.index]
        if len(others) == 1 and len(node.op.traits.multilinear) == 2:
            return value, self._written(self.graph[others[0]], node.op)
        if node.op.traits.linear:
            return value, None if value == 1 else ""
        return value, f"{node.symbol}′"

    def _written(self, node: GraphNode, within: Primitive | None = None) -> str:
        """A value by its name, or as an expression, in brackets `within` another op: tanh(c)."""
        node, _ = behind_views(self.graph, node, (0,) * np.ndim(node.value))
        if node.name:
            return at_step(node.name, node, self.step)
        if node.op is None:
            return f"{np.ravel(node.value)[0]:g}" if np.size(node.value) == 1 else node.label
        weights = self._weights(node)
        made_of = [self.graph[j] for j in node.inputs if j not in weights]
        if weights or len(made_of) != 2 or node.symbol.isalpha():
            arguments = [self._written(argument) for argument in made_of]
            if weights:
                return "·".join([*weights.values(), *arguments])
            return f"{node.symbol}({', '.join(arguments)})"
        text = f" {node.symbol} ".join(self._written(argument, node.op) for argument in made_of)
        return (
            f"({text})"
            if within and not (within is node.op and within.traits.associative)
            else text
        )

    def _weights(self, node: GraphNode) -> dict[int, str]:
        """Of a product of matrices the weights, by their place."""
        if not node.op or node.op.traits.elementwise or not node.op.traits.multilinear:
            return {}
        found = {j: self.graph[j] for j in node.inputs if self.unrolled.only_parameters[j]}
        seen = {
            j: behind_views(self.graph, w, (0,) * np.ndim(w.value))[0] for j, w in found.items()
        }
        return {j: weight.label for j, weight in seen.items()}

    def _receiver(self, node: GraphNode) -> str:
        """What a value goes into: its name, the weights that it is multiplied by, or the op."""
        weights = self._weights(node)
        return at_step(node.name or next(iter(weights.values()), node.symbol), node, self.step)
