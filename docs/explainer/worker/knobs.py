"""Knobs on a cell that nothing is known of: biases of its gates, radius of its recurrent weights.

Which parameters these are follows from gradients of one step. A bias of a gate is a parameter to
which the gate's argument has the slope 1. A recurrent weight gets a gradient from a state that is
not zero, and none from a state of zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree
from tinygrad_rnn.engine.autograd import propagate
from tinygrad_rnn.graph import Graph

__all__ = ["Knobs"]

ROWS = 8  # of random inputs, so that no gradient is zero by chance

Array = Any


class Knobs:
    """What can be turned: `biases`, by the name of a gate, and `recurrent`, blocks of weights."""

    def __init__(self, cell: nn.Cell, input_size: int) -> None:
        self._parameters = dict(cell.named_parameters())
        x = tg.tensor(np.random.default_rng(0).standard_normal((ROWS, input_size)))
        x = tg.astype(x, dtype=tg.get_default_dtype())
        zeros = cell.initial_state(ROWS)
        ones = pytree.map(lambda leaf: leaf + 0.5 if leaf.dtype.kind == "f" else leaf, zeros)
        resting, moving = _step(cell, x, zeros), _step(cell, x, ones)
        self.biases = dict(self._biases(resting))
        self.recurrent = list(self._recurrent(resting, moving))
        self._before: dict[str, dict[str, Array]] = {}  # what a knob has changed, as it was

    def _biases(self, graph: Graph) -> Any:
        """Of each named value that a function of one argument makes: [(parameter, mask)]."""
        for node in graph:
            if node.op is None or not node.name or len(node.inputs) != 1:
                continue
            argument = graph[node.inputs[0]]
            ones = np.ones_like(argument.value)
            found = []
            for name, gradient in self._gradients([(argument, ones)]).items():
                mask = gradient == ROWS
                if gradient.ndim == 1 and mask.sum() == ones.shape[-1]:
                    found.append((name, mask))
            if found:
                yield node.name, found

    def _recurrent(self, resting: Graph, moving: Graph) -> Any:
        """Square blocks of weights that the state is multiplied by: (parameter, rows, columns)."""
        still, moved = (
            self._gradients([(graph[i], np.ones_like(graph[i].value)) for i in graph.outputs])
            for graph in (resting, moving)
        )
        for name, gradient in moved.items():
            if gradient.ndim != 2:
                continue
            before = still.get(name, np.zeros_like(gradient))
            columns = np.flatnonzero(gradient.any(axis=0) & ~before.any(axis=0))
            size = len(columns)
            if size and gradient.shape[0] % size == 0 and np.ptp(columns) == size - 1:
                for first in range(0, gradient.shape[0], size):
                    yield name, slice(first, first + size), slice(columns[0], columns[0] + size)

    def _gradients(self, starts: list[tuple[Any, Array]]) -> dict[str, Array]:
        """By the name of a parameter, what flows to it from these nodes of a graph."""
        starts = [(node.source, gradient) for node, gradient in starts if node.requires_grad]
        back = propagate(
            [source for source, _ in starts],
            [gradient for _, gradient in starts],
            wanted=list(self._parameters.values()),
            retain_graph=True,
        )
        return {name: back[p] for name, p in self._parameters.items() if p in back}

    def radius(self) -> float | None:
        """The largest size of an eigenvalue of a recurrent block; None without one."""
        blocks = [
            self._parameters[name].data[rows, columns] for name, rows, columns in self.recurrent
        ]
        return max((_radius(block) for block in blocks), default=None)

    def bias(self, gate: str) -> float:
        """The mean bias of a gate, over its units and all parameters that are added up in it."""
        return float(
            sum(self._parameters[name].data[mask].mean() for name, mask in self.biases[gate])
        )

    def set_bias(self, gate: str, value: float) -> None:
        """Make the biases of a gate sum to `value`, for each unit."""
        self._note(gate, [name for name, _ in self.biases[gate]])
        for name, mask in self.biases[gate]:
            self._change(name, np.where(mask, value, self._parameters[name].data))
            value = 0.0

    def set_radius(self, value: float) -> None:
        """Scale each recurrent block so that its largest eigenvalue has this size."""
        for name, rows, columns in self.recurrent:
            data = self._parameters[name].data.copy()
            now = _radius(data[rows, columns])
            if now:
                data[rows, columns] *= value / now
            self._change(name, data)

    def let_go(self, gate: str) -> None:
        """Give each unit of a gate the bias that it had before the first `set_bias`."""
        before = self._before.pop(gate, {})
        for name, mask in self.biases.get(gate, []):
            if name in before:
                data = self._parameters[name].data
                self._change(name, np.where(mask, before[name], data))

    def _note(self, knob: str, names: list[str]) -> None:
        known = {name: self._parameters[name].data.copy() for name in names}
        self._before.setdefault(knob, known)

    def _change(self, name: str, data: Array) -> None:
        parameter = self._parameters[name]
        parameter.data = data.astype(parameter.dtype)


def _step(cell: nn.Cell, x: Any, state: Any) -> Graph:
    """The graph of one step, to the states that it hands on."""
    with tg.enable_grad():
        leaves = pytree.leaves(cell(x, state))
    return Graph.of(*(leaf for leaf in leaves if leaf.requires_grad))


def _radius(block: Array) -> float:
    return float(np.abs(np.linalg.eigvals(block)).max())
