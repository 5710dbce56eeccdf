"""The recorded pass of a model, in the form in which the gradient functions read it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Hashable
from typing import Any

from ...engine.tensor import Tensor
from ...graph import Graph
from ..model.run import run_unrolled, scalar_of
from ..model.unrolled import Unrolled
from .flow import Flow, weights_of

__all__ = ["NO_STEPS", "Array", "Loss", "Model", "Recorded", "numbered"]

Array = Any
NO_STEPS = (
    "the model records no time steps: use a recurrent layer or `tg.scan`, or mark the steps of "
    "your own loop with `with tg.scope('name', step=t):`"
)
Model = Callable[..., Any]
Loss = Callable[[Any], Tensor] | None


class Recorded:
    """The recorded, unrolled pass of a model, and the gradient of its loss.

    `steps`: the number of columns. `places[key][column]`: the place in the graph of the op of a row
    (by the row's key) in a step. ValueError if there are no time steps.
    """

    def __init__(self, model: Model, x: Any, loss: Loss) -> None:
        scalar = scalar_of(run_unrolled(model, x), loss)
        self.graph = Graph.of(scalar, inputs=[x] if isinstance(x, Tensor) else [])
        if not self.graph.steps:
            raise ValueError(NO_STEPS)
        self.unrolled = Unrolled(self.graph).build()
        self.flow = Flow(self.graph, weights_of([scalar]))
        self.steps = len(self.unrolled.steps)
        self.places: dict[Hashable, dict[int, int]] = defaultdict(dict)
        for key, column, node in zip(self.unrolled.keys, self.unrolled.column_of, self.graph):
            if column >= 0 and node.op is not None:
                self.places[key][column] = node.index
        self._same = self._merge()

    def _merge(self) -> dict[Hashable, Hashable]:
        """Merge rows of one path and name that never occur in the same step.

        The first step may be made of other ops than those after it, for example where its state is
        a constant. Returns the new key of each key.
        """
        same: dict[Hashable, Hashable] = {}
        named: dict[tuple[str, str], list[Hashable]] = defaultdict(list)
        for key, columns in list(self.places.items()):
            node = self.graph[min(columns.values())]
            if not node.name:
                continue
            alike = named[node.path, node.name]
            for other in alike:
                if not columns.keys() & self.places[other].keys():
                    self.places[other] |= self.places.pop(key)
                    same[key] = other
                    break
            else:
                alike.append(key)
        return same

    def key(self, i: int) -> Hashable:
        """The key of the row of node `i`."""
        key = self.unrolled.keys[i]
        return self._same.get(key, key)

    def states(self) -> dict[Hashable, int]:
        """What one step passes on to another: how many steps later it is used, by its key.

        A value computed from parameters alone in every step, such as a transposed weight, is not a
        state.
        """
        found: dict[Hashable, int] = {}
        columns = self.unrolled.column_of
        for node in self.graph:
            for i in node.inputs:
                delta = columns[node.index] - columns[i]
                if delta and min(columns[i], columns[node.index]) >= 0:
                    found.setdefault(self.key(i), delta)
        prepared = self.unrolled.only_parameters
        return {
            key: delta
            for key, delta in found.items()
            if key in self.places and not all(prepared[i] for i in self.places[key].values())
        }

    def title(self, key: Hashable) -> tuple[str, str]:
        """Module path and name of a row."""
        node = self.graph[next(iter(self.places[key].values()))]
        return node.path, node.name or node.label


def numbered(name: str, taken: Container[str]) -> str:
    """`name`, with the first number appended that makes it unique, if it is taken.

    >>> numbered("gate", ["gate", "gate 2"])
    'gate 3'
    """
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name} {number}", number + 1
    return unique
