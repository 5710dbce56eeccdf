"""The ledger: the gradient of each parameter, split by the time step in which it was used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal, overload

import numpy as np

from ...compiler.runtime.node import Run
from ...engine.autograd import propagate
from ...engine.recording.mode import enable_grad
from ...engine.tensor import Tensor
from ...graph import Graph, GraphNode
from ...norms import norm
from ..model.columns import assign_columns, dependence
from ..model.run import scalar_of
from .flow import Flow, weights_of
from .recorded import NO_STEPS, Array, Loss, Model, numbered

__all__ = ["ledger"]

Steps = dict[int | None, Any]


@overload
def ledger(
    model: Model, x: Any, loss: Loss = None, *, norms: Literal[False] = False
) -> dict[str, dict[int | None, Array]]: ...
@overload
def ledger(
    model: Model, x: Any, loss: Loss = None, *, norms: Literal[True]
) -> dict[str, dict[int | None, float]]: ...


def ledger(model: Model, x: Any, loss: Loss = None, *, norms: bool = False) -> Any:
    """dL/dW of each parameter, split by the time step in which the parameter was used.

    Keyed by the parameter's name, then by step (None: outside all steps); the parts sum to
    `W.grad`. A weight that is transposed or otherwise prepared once for all steps is split as well:
    each step's part is propagated back through the preparation by the ops' own gradient rules.

    `norms`: return the Euclidean norm of each part instead of the part; `plot_ledger` needs no
    more. If a scan uses a parameter directly, the parts are then never all in memory at once.

    Layers and scans run compiled. ValueError if the model records no time steps.

    >>> import tinygrad_rnn as tg
    >>> layer = tg.nn.RNN(1, 1, bias=False)
    >>> parts = ledger(layer, tg.ones(3, 1, 1))["weight_hh_l0"]
    >>> sorted(parts)  # each step used it; the first with h = 0
    [0, 1, 2]
    >>> parts[0]
    array([[0.]], dtype=float32)
    >>> ledger(layer, tg.ones(3, 1, 1), norms=True)["weight_hh_l0"][0]
    0.0
    """
    with enable_grad():
        scalar = scalar_of(model(x), loss)
    split = _Split(scalar, x, norms)
    found: dict[str, Steps] = {}
    for name, parts in split.of_parameters():
        found[numbered(name, found)] = parts
    return found


class _Split:
    """The gradient of one number, split by step where parameters enter the steps."""

    def __init__(self, scalar: Tensor, x: Any, norms: bool) -> None:
        self._graph = graph = Graph.of(scalar, inputs=[x] if isinstance(x, Tensor) else [])
        self._runs = {node.index: run for node in graph if (run := _run_of(node)) is not None}
        if not graph.steps and not self._runs:
            raise ValueError(NO_STEPS)
        self._prepared, none = dependence(graph, self._runs, prepares=True)
        columns = assign_columns(graph, graph.steps, self._prepared, none)
        steps = dict(enumerate(graph.steps))
        self._step_of = [steps.get(column) for column in columns]
        self._flow = Flow(graph, weights_of([scalar]))
        self._norms = norms
        self._parts: dict[int, Steps] = defaultdict(dict)

    def of_parameters(self) -> Iterator[tuple[str, Steps]]:
        """The name of each parameter, and its parts by step."""
        for i, prepared in enumerate(self._prepared):
            if prepared and self._graph[i].requires_grad:
                for target, _, grad in self._flow.parts(i):
                    if not self._prepared[target] and target not in self._runs:
                        self._add(i, self._step_of[target], grad)
        for place in self._runs:
            self._split_run(place)
        self._to_leaves()
        for i, parts in sorted(self._parts.items()):
            if self._norms:
                parts = {
                    step: part if isinstance(part, float) else norm(part)
                    for step, part in parts.items()
                }
            yield self._graph[i].label, parts

    def _add(self, i: int, step: int | None, part: Any) -> None:
        parts = self._parts[i]
        parts[step] = parts[step] + part if step in parts else part

    def _split_run(self, place: int) -> None:
        """Split the gradients of a scan's inputs by step."""
        run, node = self._runs[place], self._graph[place]
        assert node.source is not None and node.source.inputs is not None
        inputs = node.inputs[1:]  # the first is the run
        asked = {
            k: self._is_norm_enough(i)
            for k, i in enumerate(inputs)
            if self._prepared[i] and self._graph[i].requires_grad
        }
        grads = [np.zeros_like(output) for output in node.value]
        for user, _ in self._graph.consumers[place]:
            grad = self._flow.at(user)
            if grad is not None:
                grads[self._graph[user].selects or 0] = grad
        for k, step, part in run.parts(grads, node.source.inputs[1:], asked):
            self._add(inputs[k], step, part)

    def _is_norm_enough(self, i: int) -> bool:
        """Whether no part of a node's gradient is added to another or propagated further."""
        uses = [target for target, _, _ in self._flow.parts(i)]
        if not self._norms or self._graph[i].op is not None or not self._runs.keys() >= {*uses}:
            return False
        steps = [step for target in uses for step in self._runs[target].steps]
        return len({*steps}) == len(steps)

    def _to_leaves(self) -> None:
        """Propagate each part back through the ops outside the steps, to the parameters."""
        for node in reversed(self._graph.nodes):
            if node.op is None or node.index not in self._parts:
                continue
            assert node.source is not None
            # Skip the selection of one of several outputs: continue with the inputs of the op.
            made_of = node.inputs if node.selects is None else self._graph[node.inputs[0]].inputs
            leaves = [self._graph[i] for i in made_of if self._graph[i].requires_grad]
            sources = [leaf.source for leaf in leaves if leaf.source is not None]
            for step, grad in self._parts.pop(node.index).items():
                back = propagate([node.source], [grad], wanted=sources, retain_graph=True)
                for leaf in leaves:
                    if leaf.source in back:
                        self._add(leaf.index, step, back[leaf.source])


def _run_of(node: GraphNode) -> Run | None:
    return None if node.source is None else Run.of(node.source)
