"""Run: what the node of a scan computes, forward and back, segment by segment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...engine.autograd import propagate
from ...engine.mode import enable_grad
from ...engine.node import Node
from ...engine.op import op
from ...engine.tensor import Tensor
from ...ops import generator
from .ragged import Span
from .segment import Segment, drawing_from

__all__ = ["Part", "Run", "Segments", "scan_node"]

Array = Any


class Run:
    """One run of a scan: what its node computes, forward and back.

    `work`: the same for arrays alone, its `leaves`, and which inputs are `wanted`. `again`: the
    results of the run op by op, from Tensors for the xs and the carry.
    """

    def __init__(
        self, work: Segment | Segments, again: Callable[[Sequence[Tensor]], Sequence[Tensor]]
    ) -> None:
        self.work = work
        self._unrolled = again
        self._of: Any = None  # the gradient that the cached result belongs to
        self._result: list[Any] = []

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The ys of all steps and the last carry, from the xs, the carry and the leaves."""
        self._random = generator().bit_generator.state if self.work.drawn else None
        return self.work.forward(arrays)

    def gradient(self, grad: Any, arrays: Sequence[Any], position: int) -> Any:
        """The gradient for one input; all are computed at the first question."""
        if self._of is not grad:
            recorded = isinstance(grad[0], Node)
            self._result = (self._by_unrolling if recorded else self.work.backward)(grad, arrays)
            self._of = grad
        found = self._result[position]
        return np.zeros_like(arrays[position]) if found is None else found

    def _by_unrolling(self, grad: Any, inputs: Sequence[Any]) -> list[Any]:
        """For gradients of gradients: the recorded gradient of the recorded steps."""
        with enable_grad(), drawing_from(self._random):
            results = self._unrolled(inputs)
        pairs = [(out, g) for out, g in zip(results, grad, strict=True) if out.requires_grad]
        wanted = [x for x in inputs if isinstance(x, Node) and x.requires_grad]
        found = propagate(
            [out for out, _ in pairs],
            [g for _, g in pairs],
            wanted=wanted,
            create_graph=True,
            retain_graph=True,
        )
        return [found.get(x) if isinstance(x, Node) else None for x in inputs]


@op(reads="run arrays")
def _scan(run: Any, *arrays: Array) -> tuple[Array, ...]:
    return tuple(run.forward(arrays))


_scan.name = "scan"
_scan.vjp(arrays=lambda grad, out, run, *arrays, position: run.gradient(grad, arrays, position))


def scan_node(
    run: Run, xs: Sequence[Tensor], carry: Sequence[Tensor], constants: Sequence[Array]
) -> Sequence[Tensor]:
    """The ys and the last carry, as the outputs of one node.

    `constants`: arrays that the programs have been made for, so that a backward pass notices if
    they have changed.
    """
    inputs = zip((*xs, *carry, *run.work.leaves), run.work.wanted, strict=True)
    given = [t if wanted else t.detach() for t, wanted in inputs]
    outputs: Sequence[Tensor] = _scan(run, *given, *constants)
    return outputs


class Part(NamedTuple):
    """A segment of a run, and its steps and rows."""

    span: Span
    segment: Segment

    @property
    def steps(self) -> slice:
        """The steps of the part."""
        return slice(self.span.first, self.span.last)


class Segments:
    """Segments one after the other, in running order, on fewer and fewer rows.

    A row's carry stays, and its ys are zero, at the steps at which it is in no part.
    """

    def __init__(self, parts: Sequence[Part], xs: int, steps: int, batch: int) -> None:
        self.parts = parts
        self.steps, self.batch = steps, batch
        step = parts[0].segment.compiled.step
        self._xs, self._ys = xs, len(step.ys)
        self._carry = slice(xs, xs + len(step.carry))  # its places among the inputs
        places: dict[Any, int] = {}  # of the leaves of all parts, among the inputs
        for leaf in (leaf for part in parts for leaf in part.segment.leaves):
            places.setdefault(leaf, self._carry.stop + len(places))
        self.leaves = [*places]
        self._leaves = [[places[leaf] for leaf in part.segment.leaves] for part in parts]
        # The carry of rows that are in no part goes through in any case.
        self.wanted = [False] * xs + [True] * len(step.carry) + [False] * len(places)
        for part, its_leaves in zip(parts, self._leaves, strict=True):
            wanted = part.segment.wanted
            for place in range(xs):
                self.wanted[place] |= wanted[place]
            for place, want in zip(its_leaves, wanted[self._carry.stop :], strict=True):
                self.wanted[place] |= want

    @property
    def drawn(self) -> bool:
        """Whether the steps draw random numbers."""
        return any(part.segment.drawn for part in self.parts)

    def _inputs(self, number: int, arrays: Sequence[Array], carry: Sequence[Array]) -> list[Array]:
        """Those of a part from those of the run; the carry is copied out of the whole batch."""
        part = self.parts[number]
        rows = part.span.rows
        return [
            *(x[part.steps, rows] for x in arrays[: self._xs]),
            *(np.array(leaf[rows]) for leaf in carry),
            *(arrays[k] for k in self._leaves[number]),
        ]

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The ys of all steps, and the last carry."""
        carry = [np.array(leaf) for leaf in arrays[self._carry]]
        outputs: list[Array] = []
        for number, part in enumerate(self.parts):
            results = part.segment.forward(self._inputs(number, arrays, carry))
            ys, new = results[: self._ys], results[self._ys :]
            if not outputs:
                shape = (self.steps, self.batch)
                outputs = [np.zeros((*shape, *y.shape[2:]), y.dtype) for y in ys]
            for whole, y in zip(outputs, ys, strict=True):
                whole[part.steps, part.span.rows] = y
            for whole, now in zip(carry, new, strict=True):
                whole[part.span.rows] = now
        return (*outputs, *carry)

    def backward(self, grad: Any, arrays: Sequence[Array]) -> list[Any]:
        """The gradients of the inputs, None for zero."""
        d_carry = [np.array(g) for g in grad[self._ys :]]
        found: list[Any] = [None] * len(arrays)
        found[self._carry] = d_carry
        for number, part in reversed([*enumerate(self.parts)]):
            steps, rows = part.steps, part.span.rows
            results = part.segment.backward(
                [*(g[steps, rows] for g in grad[: self._ys]), *(g[rows] for g in d_carry)],
                self._inputs(number, arrays, arrays[self._carry]),
            )
            for k, d in enumerate(results[: self._xs]):
                if d is not None:
                    found[k] = np.zeros_like(arrays[k]) if found[k] is None else found[k]
                    found[k][steps, rows] = d
            for whole, d in zip(d_carry, results[self._carry]):
                whole[rows] = 0 if d is None else d
            for place, d in zip(self._leaves[number], results[self._carry.stop :]):
                if d is not None:
                    found[place] = d if found[place] is None else found[place] + d
        return found
