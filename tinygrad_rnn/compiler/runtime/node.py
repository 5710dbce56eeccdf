"""Run: what the node of a scan computes, forward and back, segment by segment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ... import ops
from ...engine.dtypes import is_floating
from ...engine.op import op
from ...engine.recording.mode import is_grad_enabled, no_grad
from ...engine.recording.node import Node
from ...engine.tensor import Tensor
from ...norms import norm, norms_of_rows
from ...ops import generator
from ..drawing import drawing_from
from ..ir.step import Step
from .scan import CompiledStep
from .segment import Loop, Segment
from .segments import Segments

__all__ = ["Run", "scan_node"]

Array = Any


class Run:
    """One run of a scan: what its node computes, forward and back.

    `loop`: the step and the times that it runs over. `work`: how that is done on arrays, its
    `leaves`, and which inputs are `wanted`; by default in one segment. `states`: which outputs are
    the states before each step and what was drawn, if these are among the ys.
    """

    states: slice | None = None

    def __init__(
        self, loop: Loop, leaves: Sequence[Tensor], work: Segment | Segments | None = None
    ) -> None:
        self.loop, self.work = loop, work or Segment(loop, leaves)

    @classmethod
    def with_states(
        cls, loop: Loop, xs: Sequence[Tensor], carry: Sequence[Tensor], leaves: Sequence[Tensor]
    ) -> Run:
        """A run on these that also puts out its states, for gradients of gradients."""
        compiled = loop.compiled.with_states(_Given(xs, carry, leaves).wanted())
        run = cls(loop._replace(compiled=compiled), leaves)
        run.states = slice(len(loop.compiled.step.ys), len(compiled.step.ys))
        return run

    def forward(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The ys of all steps, the last carry and the sums, from the xs, the carry, the leaves."""
        self._random = generator().bit_generator.state if self.work.drawn else None
        return self.work.forward(arrays)

    def gradients(self, grad: Any, outputs: Any, arrays: Sequence[Any]) -> list[Any]:
        """The gradients of the inputs, None for zero, from those of the outputs."""
        if isinstance(grad[0], Node):
            return self._by_a_scan(grad, outputs, arrays)
        return self.work.backward(grad, arrays)

    def _by_a_scan(
        self, grads: Sequence[Tensor], outputs: Sequence[Tensor], inputs: Sequence[Any]
    ) -> list[Any]:
        """For gradients of gradients: the backward step, run over time as a scan of its own."""
        loop, step = self.loop, self.loop.compiled.step
        saved = None if self.states is None else outputs[self.states]
        results = iter(self._backward_scan(CompiledStep.gradient, grads, inputs, saved))
        d_xs = [None if d is None else next(results) for d in step.d_xs]
        d_carry = [next(results) for _ in step.d_carry]
        d_leaves = [None if d is None else next(results) for d in step.d_leaves]
        constants = [None] * (len(inputs) - loop.xs - len(d_carry) - len(d_leaves))
        return [*d_xs[: loop.xs], *d_carry, *d_leaves, *constants]

    @classmethod
    def of(cls, node: Node) -> Run | None:
        """The run that a node is; None for any other node."""
        first = node.inputs[0] if node.inputs else None
        return first if isinstance(first, cls) else None

    @property
    def steps(self) -> range:
        """The numbers of its steps, in order of time."""
        return range(self.loop.first_step, self.loop.first_step + self.loop.steps)

    def parts(
        self, grads: Sequence[Any], inputs: Sequence[Any], asked: Mapping[int, bool]
    ) -> Iterator[tuple[int, int, Any]]:
        """The gradients of some inputs, split by the steps that use them: input, step and part.

        `grads`: those of all outputs. `asked`: the places of these inputs, and for each of them
        whether the norms of its parts are enough. A step uses its own x_t, and the first of the
        run the carry.
        """
        loop, step, steps = self.loop, self.loop.compiled.step, self.steps
        carry, leaves = loop.xs, loop.xs + len(step.carry)
        norms = [asked.get(place, False) for place in range(leaves, leaves + len(step.leaves))]
        backward = partial(CompiledStep.parts, norms=norms)
        with no_grad():
            given = [Tensor.of(grad) for grad in grads]
            found = iter(self._backward_scan(backward, given, inputs))
        d_xs = [None if d is None else next(found)._data for d in step.d_xs]
        d_leaves = [None if d is None else next(found)._data for d in step.d_leaves]
        d_all = [*d_xs[:carry], *(next(found)._data for _ in step.carry), *d_leaves]
        for place, is_norm in asked.items():
            d = d_all[place]
            if d is None:
                continue
            if carry <= place < leaves:
                yield place, steps[-1 if loop.reverse else 0], norm(d) if is_norm else d
                continue
            if place < carry:
                d = norms_of_rows(d) if is_norm else _each_in_its_place(d)
            for t, part in zip(steps, d.tolist() if is_norm else d, strict=True):
                yield place, t, part

    def _backward_scan(
        self,
        derived: Callable[..., CompiledStep],
        grads: Sequence[Tensor],
        inputs: Sequence[Any],
        saved: Sequence[Tensor] | None = None,
    ) -> Sequence[Tensor]:
        """The results of a backward step that is `derived` from the step, run back over time.

        It needs the state before each step, and what was drawn. If these are not `saved`, another
        run of the step has them as its ys, so that gradients flow back through them too.
        """
        loop, step = self.loop, self.loop.compiled.step
        given = _Given.of(loop, inputs)
        if saved is None:
            states = loop._replace(compiled=loop.compiled.states(given.wanted()))
            with drawing_from(self._random):
                saved = scan_node(Run(states, given.leaves), given.xs, given.carry)
        ys, carries = len(step.ys), len(step.carry)
        of_step = saved[: carries + len(step.drawn)]
        given = _Given(
            xs=[*given.xs, *of_step, *grads[:ys]],
            carry=grads[ys : ys + carries],
            leaves=[*given.leaves, *grads[ys + carries :]],
        )
        backward = derived(loop.compiled, wanted=given.wanted())
        run = Run(loop._replace(compiled=backward, reverse=not loop.reverse), given.leaves)
        return scan_node(run, given.xs, given.carry)

    def tangents(
        self, tangents: Sequence[Any], inputs: Sequence[Any], size: int | None
    ) -> list[Any]:
        """The tangents of the outputs, by one scan that computes the values beside them.

        `tangents`: of the inputs, None for zero; `size`: of their leading axis, if they have one.
        """
        loop, given = self.loop, _Given.of(self.loop, inputs)
        own = _Given.of(loop, tangents)
        leading = () if size is None else (size,)
        own = own._replace(
            carry=[
                Tensor.of(np.zeros((*leading, *x.shape), x.dtype)) if t is None else t
                for t, x in zip(own.carry, given.carry, strict=True)
                if is_floating(x._data)
            ]
        )
        moving = (
            *(t is not None for t in own.xs),
            *(is_floating(x._data) for x in given.carry),
            *(t is not None for t in own.leaves),
        )
        timed = [t if t is None or size is None else ops.moveaxis(t, 0, 1) for t in own.xs]
        both = _Given(
            xs=[*given.xs, *(t for t in timed if t is not None)],
            carry=[*given.carry, *own.carry],
            leaves=[*given.leaves, *(t for t in own.leaves if t is not None)],
        )
        wanted = both.wanted()
        if size is not None and any(wanted):  # recorded, one direction after the other
            each = [
                self.tangents([t if t is None else t[k] for t in tangents], inputs, None)
                for k in range(size)
            ]
            return [None if t[0] is None else ops.stack(t) for t in zip(*each, strict=True)]
        compiled = loop.compiled.tangent(moving, wanted, size)
        with drawing_from(self._random):
            run = Run(loop._replace(compiled=compiled), both.leaves)
            results = scan_node(run, both.xs, both.carry)
        return _tangents_among(results, loop.compiled.step, size)


def _each_in_its_place(rows: Array) -> Iterator[Array]:
    """For each row of an array, an array like that one of zeros and of that row."""
    for t, row in enumerate(rows):
        whole = np.zeros_like(rows)
        whole[t] = row
        yield whole


class _Given(NamedTuple):
    """What a scan is given."""

    xs: Sequence[Tensor]
    carry: Sequence[Tensor]
    leaves: Sequence[Tensor]

    @classmethod
    def of(cls, loop: Loop, inputs: Sequence[Any]) -> _Given:
        """From the inputs of its node."""
        first, step = loop.xs, loop.compiled.step
        last = first + len(step.carry)
        return cls(inputs[:first], inputs[first:last], inputs[last : last + len(step.leaves)])

    def wanted(self) -> tuple[bool, ...]:
        """Which inputs of the step may want a gradient; the carry does if anything does."""
        xs, leaves = [x.requires_grad for x in self.xs], [x.requires_grad for x in self.leaves]
        some = any([*xs, *leaves, *(x.requires_grad for x in self.carry)])
        flags = (*xs, *(some for _ in self.carry), *leaves)
        return flags if is_grad_enabled() else (False,) * len(flags)


def _tangents_among(results: Sequence[Tensor], step: Step, size: int | None) -> list[Any]:
    """Those of each output; None for integers."""
    found: list[Any] = []
    rest = list(results)
    for values in (step.ys, step.next_carry, step.sums):
        floating = [np.asarray(getattr(x, "sample", x)).dtype.kind == "f" for x in values]
        own = iter(rest[len(values) : len(values) + sum(floating)])
        rest = rest[len(values) + sum(floating) :]
        for is_float in floating:
            tangent = next(own) if is_float else None
            if values is step.ys and size is not None and tangent is not None:
                tangent = ops.moveaxis(tangent, 1, 0)
            found.append(tangent)
    return found


@op(reads="run arrays")
def _scan(run: Any, *arrays: Array) -> tuple[Array, ...]:
    return tuple(run.forward(arrays))


_scan.name = "scan"


@_scan.vjp_of_all
def _(grad: Any, out: Any, run: Run, *arrays: Any) -> list[Any]:
    return [None, *run.gradients(grad, out, arrays)]


@_scan.pushes
def _(tangents: Sequence[Any], run: Run, *inputs: Any, size: int | None) -> Sequence[Any]:
    return run.tangents(tangents[1:], inputs, size)


def scan_node(run: Run, xs: Sequence[Tensor], carry: Sequence[Tensor]) -> Sequence[Tensor]:
    """The ys, the last carry and the sums, as the outputs of one node.

    Its last inputs are the arrays that the programs have been made for, so that a backward pass
    notices if they have changed.
    """
    recorded = is_grad_enabled()
    given = [
        t.detach() if recorded and t.requires_grad and not wanted else t
        for t, wanted in zip((*xs, *carry, *run.work.leaves), run.work.wanted, strict=True)
    ]
    outputs: Sequence[Tensor] = _scan(run, *given, *run.loop.compiled.step.constants)
    return outputs
