"""Loop-invariant code motion: which part of a step runs once, before, in and after the loop.

The stage of an instruction depends on one question: does it depend on the carried state?

* `once`: on parameters only.
* `before` the loop: on inputs that change with time, but not on the carry; for all steps at once.
* `loop`: on the carry, and the next carry depends on it.
* `after` the loop: on the carry, but no carry depends on it; again for all steps at once.
* `total`: sums over time, taken as early as linearity allows.

The backward step is scheduled by the same rule: its carry is the gradient of the state, and the
values that the forward loop stored are its inputs.

To keep the loop small, a value that is only scaled and shifted is kept as `scale * base + offset`,
with scale and offset from outside the loop (strength reduction): the factors of a product of
derivatives are multiplied outside the loop, and one multiplication stays inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..ir.instruction import Instruction, inputs_of, may_reassociate
from ..ir.primitives import over_time, summed_product
from ..ir.program import Program
from ..ir.schedule import Stage
from ..ir.step import Step, needed_for
from .affine import Affine, AffineBuilder

__all__ = ["hoist"]


def hoist(program: Program) -> Program:
    """Needs a step. Guarantees schedules with nothing in a loop that could run outside it."""
    step = program.step
    ahead = needed_for([*step.forward_results(), *step.drawn], step.instructions)
    gradients = [d for d in step.gradients() if d is not None]
    made_ahead = set(ahead)
    back = [v for v in needed_for(gradients, step.instructions) if v not in made_ahead]
    read_back = {x for v in back for x in v.depends_on} | set(inputs_of(gradients))

    known: dict[Instruction, tuple[Any, Stage]] = {v: (v, "once") for v in step.leaves}
    known.update({x: (x, "before") for x in step.xs})
    used = [v for v in ahead if v in read_back]
    forward = Scheduler(ahead, step.carry, known, [*used, *step.ys])
    forward.run(step.next_carry)
    for y in step.ys:
        forward.result(y)
    for x in step.sums:
        forward.total(x)
    if not gradients:
        return Program(step, forward.schedule())
    for v in [*ahead, *step.carry]:
        if v in read_back:
            stored = forward.final(v, "after")
            stage = (
                forward.stage_of.get(stored, "once") if isinstance(stored, Instruction) else "once"
            )
            known[v] = stored, "once" if stage == "once" else "before"
    return Program(step, forward.schedule(), _backward(step, back, known))


def _backward(
    step: Step, instructions: list[Instruction], known: dict[Instruction, tuple[Any, Stage]]
) -> Any:
    """The schedule of the backward step; its results are d_xs, then the gradients of the leaves."""
    known = {**known, **{grad: (grad, "before") for grad in step.grad_ys}}
    known.update({grad: (grad, "once") for grad in step.grad_sums})
    backward = Scheduler(instructions, step.grad_carry, known)
    nothing = [np.zeros(v.shape, v.dtype) for v in step.carry]
    backward.run([zero if d is None else d for d, zero in zip(step.d_carry, nothing)])
    for d in step.d_xs:
        if d is not None:
            backward.result(d)
    for d in step.d_leaves:
        if d is not None:
            backward.total(d)
    return backward.schedule()


class Scheduler(AffineBuilder):
    """Schedules the instructions of one direction.

    `known`: inputs computed elsewhere; the instruction that represents each here, and its stage.
    `used_elsewhere`: values that the other direction will request.
    """

    def __init__(
        self,
        instructions: list[Instruction],
        carry_in: Sequence[Instruction],
        known: dict[Instruction, tuple[Any, Stage]],
        used_elsewhere: Iterable[Instruction] = (),
    ) -> None:
        super().__init__({x: stage for x, stage in known.values() if isinstance(x, Instruction)})
        self.instructions = instructions
        self.used_elsewhere = list(used_elsewhere)
        self.carry_in = tuple(carry_in)
        self.form: dict[Instruction, Any] = {value: x for value, (x, _) in known.items()}
        self._totals: dict[Instruction, Any] = {}
        self._of_products: dict[Instruction, bool] = {}
        for value in carry_in:
            self.stage_of[value] = "loop"
            self.form[value] = Affine(None, value, None)
        self._find_dependence(known)

    def run(self, carry_out: Sequence[Any]) -> None:
        """Schedule every instruction."""
        depends = self._dependent()
        in_loop = self._needed_in_loop(carry_out, depends)
        uses = self._count_uses([*carry_out, *self.used_elsewhere])
        # The instructions after the loop are scheduled last, so that they can use values of the
        # loop.
        for value in sorted(self.instructions, key=lambda v: v in depends and v not in in_loop):
            self.origin = value.origin
            form = self._placed(value, in_loop)
            often = uses.get(value, 0) > 1
            if isinstance(form, Affine) and often and form.offset is not None:
                form = Affine(None, self.settled(form, "loop", value.name), None)
            self.form[value] = form
            placed = form.base if isinstance(form, Affine) else form
            if isinstance(placed, Instruction):
                (self.used_once.discard if often else self.used_once.add)(placed)
        for k, value in enumerate(carry_out):
            self.carry_out.append(self._carried(self.final(value, "loop"), k))

    def result(self, x: Any) -> None:
        """Request a value, for all steps."""
        self.results.append(self.final(x, "after"))

    def total(self, x: Any) -> None:
        """Request a value summed over time; an invariant value is not summed."""
        self.results.append(self._total(x))

    # Dependences

    def _find_dependence(self, known: dict[Instruction, tuple[Any, Stage]]) -> None:
        """Find the values that differ between steps, and those that must run step by step."""
        self.time_varying = {v for v, (_, stage) in known.items() if stage != "once"}
        self.time_varying |= set(self.carry_in)
        self.stepwise: set[Instruction] = set()
        ahead = self._drawn_ahead(known)
        for value in self.instructions:
            if not value.traits.pure or any(x in self.time_varying for x in value.depends_on):
                self.time_varying.add(value)
                time_varying = [
                    isinstance(x, Instruction) and x in self.time_varying for x in value.inputs
                ]
                if value not in ahead and not value.can_batch(time_varying):
                    self.stepwise.add(value)

    def _drawn_ahead(self, known: Any) -> list[Instruction]:
        """Random numbers that can be drawn for all steps before anything else is computed.

        All or none, so that each still gets its numbers from the generator in the order of the
        step.
        """
        drawn = [value for value in self.instructions if not value.traits.pure]
        ready = all(x in known for value in drawn for x in value.depends_on)
        return drawn if ready else []

    def _dependent(self) -> set[Instruction]:
        """The values that depend on the carry, or on an instruction that runs step by step."""
        depends = set(self.carry_in) | self.stepwise
        for value in self.instructions:
            if any(x in depends for x in value.depends_on):
                depends.add(value)
        return depends

    def _needed_in_loop(
        self, carry_out: Sequence[Any], depends: set[Instruction]
    ) -> set[Instruction]:
        """The values of the loop that the next carry, or a step-by-step instruction, needs."""
        needed: set[Instruction] = set()
        waiting = [*inputs_of(carry_out), *self.stepwise]
        while waiting:
            value = waiting.pop()
            if value in depends and value not in needed:
                needed.add(value)
                waiting.extend(value.depends_on)
        return needed

    def _count_uses(self, results: Sequence[Any]) -> dict[Instruction, int]:
        uses: dict[Instruction, int] = {}
        for x in [*(x for value in self.instructions for x in value.inputs), *results]:
            if isinstance(x, Instruction):
                uses[x] = uses.get(x, 0) + 1
        return uses

    # Scheduling one instruction

    def _placed(self, value: Instruction, in_loop: set[Instruction]) -> Any:
        forms = [self.form[x] if isinstance(x, Instruction) else x for x in value.inputs]
        if value in in_loop:
            return self._in_loop(value, forms)
        stages = {self.stage_of[x] for x in inputs_of(forms)}
        if any(isinstance(form, Affine) for form in forms) or "after" in stages:
            stage = "after"
        else:
            stage = "once" if value not in self.time_varying else "before"
        return self.emit(value.with_inputs(self._settled_inputs(value, forms, stage)), stage)

    def _in_loop(self, value: Instruction, forms: list[Any]) -> Affine:
        """Fold the value into its input's affine form, or compute it in the loop."""
        folded = self.folded(value, forms)
        if folded is not None:
            return folded
        inputs = self._settled_inputs(value, forms, "loop")
        return Affine(None, self.emit(value.with_inputs(inputs), "loop"), None)

    # Requesting values

    def _settled_inputs(self, value: Instruction, forms: list[Any], stage: Stage) -> list[Any]:
        """The inputs' forms as values, each attributed to the line that asked for it."""
        settled = []
        for x, form in zip(value.inputs, forms, strict=True):
            self.origin = (x.origin if isinstance(x, Instruction) else None) or value.origin
            settled.append(self.settled(form, stage))
        self.origin = value.origin
        return settled

    def final(self, x: Any, stage: Stage) -> Any:
        """The scheduled form of a value of the step."""
        if not isinstance(x, Instruction):
            return x
        self.origin = x.origin
        return self.settled(self.form[x], stage, x.name)

    def _total(self, x: Any) -> Any:
        """The sum of a value of the step over time, taken early where linearity allows it.

        So the gradient of a matrix computed from parameters, such as a product of reflections, is
        summed over time before it is propagated to the parameters. If a value only combines several
        others, as a concatenation of gates does, its own sum replaces many sums.
        """
        if not isinstance(x, Instruction) or x not in self.time_varying:
            return self.final(x, "once")
        if x not in self._totals:
            self._totals[x] = self._total_of(x)
        return self._totals[x]

    def _total_of(self, x: Instruction) -> Instruction:
        inputs, self.origin = x.inputs, x.origin
        varying = [isinstance(i, Instruction) and i in self.time_varying for i in inputs]
        whole = self.final(x, "after") if x in self.form else None
        in_loop = x.is_ufunc and whole in self.stages["loop"]  # it is already there
        if x.primitive is None or in_loop or not self._may_sum_inputs(x, varying):
            return self._summed(over_time, [whole], x)
        if x.is_matrix_product and all(varying):
            return self._summed(summed_product, [self.final(i, "after") for i in inputs], x)
        combines = sum(varying) > 1 and whole is not None and not self._sums_products(x)
        if combines or not x.linear_in([k for k, has_time in enumerate(varying) if has_time]):
            return self._summed(over_time, [whole], x)
        parts = [self._total(i) if t else self.final(i, "after") for i, t in zip(inputs, varying)]
        return self._summed(x.primitive, parts, x, x.attributes)

    def _sums_products(self, x: Any) -> bool:
        """Whether the sum over time of x consists of sums of products, which saves work."""
        if not isinstance(x, Instruction) or x not in self.time_varying or x.primitive is None:
            return False
        if x not in self._of_products:
            varying = [isinstance(i, Instruction) and i in self.time_varying for i in x.inputs]
            places = [k for k, has_time in enumerate(varying) if has_time]
            linear = self._may_sum_inputs(x, varying) and x.linear_in(places)
            if x.is_product:
                found = linear or (x.is_matrix_product and all(varying))
            else:
                found = linear and any(map(self._sums_products, x.inputs))
            self._of_products[x] = found
        return self._of_products[x]

    def _may_sum_inputs(self, x: Instruction, varying: Sequence[bool]) -> bool:
        """Whether sums of x's inputs are sums in x's dtype that may be reassociated."""
        summed = (i for i, has_time in zip(x.inputs, varying) if has_time)
        return may_reassociate(x.dtype) and all(i.dtype == x.dtype for i in summed)

    def _summed(
        self, function: Any, inputs: Sequence[Any], of: Instruction, attributes: Any = None
    ) -> Instruction:
        sample = np.array(of.sample)  # a separate value
        made = Instruction(function, tuple(inputs), attributes or {}, sample, origin=of.origin)
        return self.emit(made, "total")

    def _carried(self, x: Any, k: int) -> Instruction:
        """x as a value of the loop with its own array, for carry k."""
        carry = self.carry_in[k]
        if (
            isinstance(x, Instruction)
            and x not in self.carry_out
            and x not in self.carry_in
            and self.stage_of[x] == "loop"
            and x.writes_anywhere
            and (x.shape, x.dtype) == (carry.shape, carry.dtype)
        ):
            return x
        fn, inputs = (np.positive, (x,)) if carry.dtype != bool else (np.logical_or, (x, x))
        copied = Instruction(fn, inputs, {}, carry.sample, name=getattr(x, "name", None))
        self.place(copied, "loop")
        return copied
