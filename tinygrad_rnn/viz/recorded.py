"""A model's recorded pass, as the functions that look into the gradient read it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Hashable
from typing import Any

from ..engine.tensor import Tensor
from ..graph import Graph
from .flow import Flow, weights_of
from .picture import run_unrolled, scalar_of
from .unrolled import Link, Unrolled

__all__ = ["Array", "Loss", "Model", "Recorded", "numbered"]

Array = Any
Model = Callable[..., Any]
Loss = Callable[[Any], Tensor] | None


class Recorded:
    """A model's recorded pass, unrolled, and the gradient of its loss.

    `steps`: how many columns there are. `places[key][column]`: where in the graph an op of a step
    stands, by the key of its row. ValueError if there are no time steps.
    """

    def __init__(self, model: Model, x: Any, loss: Loss) -> None:
        scalar = scalar_of(run_unrolled(model, x), loss)
        self.graph = Graph.of(scalar, inputs=[x] if isinstance(x, Tensor) else [])
        if not self.graph.steps:
            raise ValueError(
                "the model records no time steps: run a recurrent layer with unroll=True, or mark "
                "the steps of your own loop with `with tg.scope('name', step=t):`"
            )
        self.unrolled = Unrolled(self.graph).build()
        self.flow = Flow(self.graph, weights_of([scalar]))
        self.steps = len(self.unrolled.steps)
        self.places: dict[Hashable, dict[int, int]] = defaultdict(dict)
        for key, column, node in zip(self.unrolled.keys, self.unrolled.column_of, self.graph):
            if column >= 0 and node.op is not None:
                self.places[key][column] = node.index

    def states(self) -> dict[Hashable, list[Link]]:
        """The links that carry each state over, by the key of the state."""
        found: dict[Hashable, list[Link]] = defaultdict(list)
        for link in self.unrolled.links.values():
            if link.delta and link.value in self.places:
                found[link.value].append(link)
        return found

    def title(self, key: Hashable) -> tuple[str, str]:
        """Module path and name of a row."""
        node = self.graph[next(iter(self.places[key].values()))]
        return node.path, node.name or node.label


def numbered(name: str, taken: Container[str]) -> str:
    """`name`, with the first number behind it that makes it differ from those taken, if it must.

    >>> numbered("gate", ["gate", "gate 2"])
    'gate 3'
    """
    unique, number = name, 2
    while unique in taken:
        unique, number = f"{name} {number}", number + 1
    return unique
