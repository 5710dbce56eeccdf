"""Differentiation: the gradient of a step, its tangent, and the states that it passes.

The ops' gradient rules, run on the tracers of a step, give its backward step, which runs back in
time from the gradients of the results and carries the gradient of the state. It is a graph of
tracers like the step itself, so gradients of any order and tangents need no further mechanism. A
backward step is linear in the gradients it receives, and its own backward step with respect to
these maps tangents of the inputs to tangents of the results (Radul et al., "You Only Linearize
Once", 2022, sec. 5, on transposition).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from ... import ops
from ...engine.autograd import propagate
from ...engine.dtypes import is_floating
from ...engine.recording.mode import ModeChange
from ...engine.recording.node import Node
from ..ir.step import Step
from .lowering import Lowering
from .recording import Record
from .step_invariance import Place
from .tracers import GradientRules, StepGraph, Tracer, copied, graph_of, traced

__all__ = ["Differentiated", "step_of"]


def step_of(
    record: Record,
    carries: int,
    name: str,
    wanted: Sequence[bool],
    constants: Sequence[Any],
    numbers: Collection[Place] = (),
    masked: bool = False,
) -> tuple[Step, list[Any]]:
    """The program of a recorded step, and the origin of its leaves; arguments as in `graph_of`."""
    graph, sources = graph_of(record, carries, name, wanted, constants, numbers, masked)
    return Differentiated(graph).lowered(), sources


class Differentiated:
    """A step and its backward step, as one graph.

    `grads`: the gradients of the results, inputs of the backward step. `found`: those of
    `graph.inputs`, None for an input that no result depends on; a tap has the gradient of what it
    observes.
    """

    def __init__(self, graph: StepGraph) -> None:
        self.graph = graph
        self.grads = [traced(np.zeros_like(node._data)) for node in graph.results]
        grad_ys, grad_carry, grad_sums = self._by_result(self.grads)
        shown = len(graph.ys) - graph.observed  # an observed value contributes no gradient
        results = [*graph.next_carry, *graph.ys[:shown], *graph.sums]
        grads = [*grad_carry, *grad_ys[:shown], *grad_sums]
        self.found = _gradients(results, grads, graph.targets)

    def lowered(self) -> Step:
        """Both steps as a program."""
        graph, lowering = self.graph, Lowering()
        inputs = {node: lowering.input(node) for node in (*graph.inputs, *graph.mask, *self.grads)}
        lowering.run([*graph.results, *graph.drawn, *(d for d in self.found if d is not None)])

        def given(nodes: Iterable[Node]) -> tuple[Any, ...]:
            return tuple(inputs[node] for node in nodes)

        def values(nodes: Iterable[Node | None]) -> tuple[Any, ...]:
            return tuple(None if node is None else lowering.value(node) for node in nodes)

        grad_ys, grad_carry, grad_sums = self._by_result(self.grads)
        d_xs, d_carry, d_leaves = self._by_input(self.found)
        return Step(
            label=graph.label,
            xs=given(graph.xs),
            masked=graph.masked,
            carry=given(graph.carry),
            leaves=given(graph.leaves),
            constants=graph.constants,
            instructions=tuple(lowering.instructions),
            next_carry=values(graph.next_carry),
            ys=values(graph.ys),
            observed=graph.observed,
            sums=values(graph.sums),
            drawn=values(graph.drawn),
            grad_carry=given(grad_carry),
            grad_ys=given(grad_ys),
            grad_sums=given(grad_sums),
            d_xs=values((*d_xs, *(None for _ in graph.mask))),
            d_carry=values(d_carry),
            d_leaves=values(d_leaves),
        )

    def _by_result(self, each: Sequence[Any]) -> tuple[Sequence[Any], ...]:
        """One entry per result: for the ys, the next carry and the sums."""
        ys, carries = len(self.graph.ys), len(self.graph.carry)
        return each[:ys], each[ys : ys + carries], each[ys + carries :]

    def _by_input(self, each: Sequence[Any]) -> tuple[Sequence[Any], ...]:
        """One entry per input: for the xs, the carry and the leaves."""
        xs, carries = len(self.graph.unmasked), len(self.graph.carry)
        return each[:xs], each[xs : xs + carries], each[xs + carries :]

    # Steps derived from it.

    def states(self) -> StepGraph:
        """The step, returning also the carry that it was given at each time, and what it draws."""
        return replace(self.graph, ys=(*self.graph.carry, *self.graph.drawn), sums=(), observed=0)

    def with_states(self) -> StepGraph:
        """The step, whose ys are followed by those of `states`."""
        graph = self.graph
        return replace(graph, ys=(*graph.ys, *graph.carry, *graph.drawn))

    def gradient(self) -> StepGraph:
        """The backward step as a separate step, which runs in the other direction of time.

        It carries the gradient of the carry. Its xs are the xs of the step, the states, and the
        gradients of the ys; its leaves are those of the step, and the gradients of the sums. It
        returns the gradients of the xs and, as sums, those of the leaves, where they exist.
        """
        graph = self.graph
        grad_ys, grad_carry, grad_sums = self._by_result(self.grads)
        d_xs, d_carry, d_leaves = self._by_input(self.found)
        return replace(
            graph,
            label=f"the gradient of {graph.label}",
            xs=(*graph.unmasked, *graph.carry, *graph.drawn, *grad_ys, *graph.mask),
            carry=tuple(grad_carry),
            leaves=(*graph.leaves, *grad_sums),
            next_carry=_or_zeros(d_carry, graph.carry),
            ys=tuple(d for d in d_xs if d is not None),
            sums=tuple(d for d in d_leaves if d is not None),
            drawn=(),
            observed=0,
        )

    def parts(self, norms: Sequence[bool]) -> StepGraph:
        """The backward step, with what each step adds to the gradients of the leaves as further ys.

        `norms`: for each leaf, whether the norm is enough.
        """
        graph = self.gradient()
        flags = [
            n for n, d in zip(norms, self._by_input(self.found)[2], strict=True) if d is not None
        ]
        with _recording():
            parts = [_norm(d) if n else d for n, d in zip(flags, graph.sums, strict=True)]
        return replace(
            graph,
            label=f"the parts of {graph.label}",
            ys=(*graph.ys, *parts),
            sums=(),
        )

    def tangent(self, wanted: Sequence[bool]) -> StepGraph:
        """The step together with its derivative in the direction of tangents of its inputs.

        The xs, the carry and the leaves are followed by the tangents of those that are `wanted`,
        and the results of each kind by their tangents, where they are floating.
        """
        graph = self.graph
        fresh = {node: traced(node._data, name=node.name) for node in (*graph.inputs, *graph.mask)}
        grads = {grad: traced(grad._data, requires_grad=True) for grad in self.grads}
        backward = [d for d in self.found if d is not None]
        new = copied([*graph.results, *graph.drawn, *backward], fresh | grads)
        tangents = {
            node: traced(np.zeros_like(node._data))
            for node, want in zip(graph.inputs, wanted, strict=True)
            if want
        }
        pairs = [
            (new[d], tangents[x])
            for d, x in zip(self.found, graph.inputs, strict=True)
            if d is not None and x in tangents
        ]
        derivatives = _gradients(
            [d for d, _ in pairs], [t for _, t in pairs], [*grads.values()]
        )  # the transpose of a linear function is its gradient
        of_ys, of_carry, of_sums = self._by_result(derivatives)

        def inputs(nodes: Sequence[Node]) -> tuple[Node, ...]:
            return (*(new[x] for x in nodes), *(tangents[x] for x in nodes if x in tangents))

        def results(nodes: Sequence[Node], found: Sequence[Node | None]) -> tuple[Node, ...]:
            floating = [(x, d) for x, d in zip(nodes, found, strict=True) if is_floating(x._data)]
            own = _or_zeros([d for _, d in floating], [x for x, _ in floating])
            return (*(new[x] for x in nodes), *own)

        return replace(
            graph,
            label=f"the tangent of {graph.label}",
            xs=(*inputs(graph.unmasked), *(new[x] for x in graph.mask)),
            carry=inputs(graph.carry),
            leaves=inputs(graph.leaves),
            next_carry=results(graph.next_carry, of_carry),
            ys=results(graph.ys, of_ys),
            sums=results(graph.sums, of_sums),
            drawn=tuple(new[x] for x in graph.drawn),
            observed=0,
        )


def _gradients(
    results: Sequence[Node], grads: Sequence[Node], inputs: Sequence[Node]
) -> list[Node | None]:
    """The gradients of the inputs as further nodes of the graph, None where there is none."""
    pairs = [(r, g) for r, g in zip(results, grads, strict=True) if r.requires_grad]
    targets = [x for x in inputs if x.requires_grad]
    found: dict[Node, Any] = {}
    if pairs and targets:
        with _recording():
            found = propagate(
                [result for result, _ in pairs],
                [grad for _, grad in pairs],
                wanted=targets,
                create_graph=True,
                retain_graph=True,
            )
    return [found.get(x) for x in inputs]


def _norm(x: Any) -> Any:
    """The Euclidean norm in float64, correct even if squares would underflow, as in `norms`."""
    if x.dtype != np.float64:  # its squares neither underflow nor overflow in float64
        return np.sqrt(np.sum(np.square(ops.astype(x, dtype=np.dtype(np.float64)))))
    largest = np.max(np.abs(x))
    scale = np.where(np.logical_and(largest > 0, largest < np.inf), largest, 1.0)
    return scale * np.sqrt(np.sum(np.square(x / scale)))


@contextmanager
def _recording() -> Iterator[None]:
    with np.errstate(all="ignore"), ModeChange(grad=True, watch=GradientRules()):
        yield


def _or_zeros(found: Sequence[Node | None], like: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes, and constants of zeros where there is none."""
    pairs = zip(found, like, strict=True)
    return tuple(Tracer.of(np.zeros_like(x._data)) if d is None else d for d, x in pairs)
