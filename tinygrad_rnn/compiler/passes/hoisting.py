"""Schedule: which part of a step runs once, before, in and after the loop over time.

Everything follows from one question about each instruction: does it depend on the carried state?

* `once`: on parameters only.
* `before` the loop: on inputs that change with time, but not on the carry; for all steps at once.
* `loop`: on the carry, and the next carry depends on it.
* `after` the loop: on the carry, but no carry depends on it; again for all steps at once.

The backward step is planned by the same rule: its carry is the gradient of the state, and the
values that the forward loop stored are its inputs.

So that little is left in the loop, a value of the loop is held back as `scale * base + offset`,
with scale and offset from outside the loop, for as long as it is only scaled and shifted: the
factors of a product of derivatives meet outside the loop, and one multiplication stays inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...ops import matmul
from ...ops.lifting import summed_product
from ..trace.recording import Instruction, TraceError
from .affine_recurrence import extract_recurrences
from .builder import Affine, Builder, Schedule, Stage, instructions_in, is_pure

__all__ = ["Scheduler", "over_time", "plan", "writes_anywhere"]


def plan(
    instructions: Iterable[Instruction],
    carry_in: Sequence[Instruction],
    carry_out: Sequence[Any],
    known: dict[Instruction, tuple[Any, Stage]],
    used_elsewhere: Iterable[Instruction] = (),
) -> Scheduler:
    """Schedule one direction.

    `known`: inputs that others provide; what each is to be called here, and when it is known.
    `used_elsewhere`: values that others will ask for.
    Ask the scheduler for results, then for its `finished` plan.
    """
    scheduler = Scheduler(list(instructions), list(carry_in), known, used_elsewhere)
    scheduler.run(carry_out)
    return scheduler


class Scheduler(Builder):
    """Places instructions; see `plan`."""

    def __init__(
        self,
        instructions: list[Instruction],
        carry_in: list[Instruction],
        known: dict[Instruction, tuple[Any, Stage]],
        used_elsewhere: Iterable[Instruction],
    ) -> None:
        super().__init__(Schedule(carry_in))
        self.instructions = instructions
        self.used_elsewhere = list(used_elsewhere)
        self.form: dict[Instruction, Any] = {}
        for value, (planned, stage) in known.items():
            self.form[value] = planned
            if isinstance(planned, Instruction):
                self.plan.stage_of[planned] = stage
        for value in carry_in:
            self.plan.stage_of[value] = "loop"
            self.form[value] = Affine(None, value, None)
        self._find_dependence(known)

    def run(self, carry_out: Sequence[Any]) -> None:
        """Place every instruction."""
        depends = self._dependent()
        in_loop = self._needed_in_loop(carry_out, depends)
        uses = self._count_uses([*carry_out, *self.used_elsewhere])
        # What comes after the loop is placed last, so that it finds what the loop has computed.
        for value in sorted(self.instructions, key=lambda v: v in depends and v not in in_loop):
            self.scope = value.scope
            form = self._place(value, in_loop)
            often = uses.get(value, 0) > 1
            if isinstance(form, Affine) and often and form.offset is not None:
                form = Affine(None, self._settled(form, "loop"), None)
            self.form[value] = form
            planned = form.base if isinstance(form, Affine) else form
            if isinstance(planned, Instruction):
                planned.name = planned.name or value.name
                (self.used_once.discard if often else self.used_once.add)(planned)
        for k, value in enumerate(carry_out):
            self.plan.carry_out.append(self._own(self.final(value, "loop"), k))

    def result(self, x: Any) -> Any:
        """Ask for a value, for all steps; returns the planned one."""
        self.plan.results.append(self.final(x, "after"))
        return self.plan.results[-1]

    def total(self, x: Any) -> Any:
        """Ask for a value summed over time; returns the planned sum."""
        self.plan.results.append(self._total(x))
        return self.plan.results[-1]

    def finished(self) -> Schedule:
        """The plan, without instructions that no result and no carry needs."""
        extract_recurrences(self)
        _drop_unused(self.plan)
        return self.plan

    # What depends on what

    def _find_dependence(self, known: dict[Instruction, tuple[Any, Stage]]) -> None:
        """Find the values that differ between steps, and those that must run step by step."""
        self.time_varying = {v for v, (_, stage) in known.items() if stage != "once"}
        self.time_varying |= set(self.plan.carry_in)
        self.stepwise: set[Instruction] = set()
        ahead = self._drawn_ahead(known)
        for value in self.instructions:
            if not is_pure(value) or any(
                x in self.time_varying for x in instructions_in(value.inputs)
            ):
                self.time_varying.add(value)
                time_varying = [
                    isinstance(x, Instruction) and x in self.time_varying for x in value.inputs
                ]
                if value not in ahead and not value.lifts(time_varying):
                    self.stepwise.add(value)

    def _drawn_ahead(self, known: Any) -> list[Instruction]:
        """Random numbers that can be drawn for all steps before anything else is computed.

        All or none, so that each still gets what the generator gives it in the step's own order.
        """
        drawn = [value for value in self.instructions if not is_pure(value)]
        ready = all(x in known for value in drawn for x in instructions_in(value.inputs))
        return drawn if ready else []

    def _dependent(self) -> set[Instruction]:
        """The values that depend on the carry, or on an instruction that runs step by step."""
        depends = set(self.plan.carry_in) | self.stepwise
        for value in self.instructions:
            if any(x in depends for x in instructions_in(value.inputs)):
                depends.add(value)
        return depends

    def _needed_in_loop(
        self, carry_out: Sequence[Any], depends: set[Instruction]
    ) -> set[Instruction]:
        """The values of the loop that the next carry, or a step-by-step instruction, needs."""
        needed: set[Instruction] = set()
        waiting = [*instructions_in(carry_out), *self.stepwise]
        while waiting:
            value = waiting.pop()
            if value in depends and value not in needed:
                needed.add(value)
                waiting.extend(instructions_in(value.inputs))
        return needed

    def _count_uses(self, results: Sequence[Any]) -> dict[Instruction, int]:
        uses: dict[Instruction, int] = {}
        for x in [*(x for value in self.instructions for x in value.inputs), *results]:
            if isinstance(x, Instruction):
                uses[x] = uses.get(x, 0) + 1
        return uses

    # Placing one instruction

    def _place(self, value: Instruction, in_loop: set[Instruction]) -> Any:
        forms = [self.form[x] if isinstance(x, Instruction) else x for x in value.inputs]
        if value in in_loop:
            return self._in_loop(value, forms)
        stages = {self.plan.stage_of[x] for x in instructions_in(forms)}
        if any(isinstance(form, Affine) for form in forms) or "after" in stages:
            stage = "after"
        else:
            stage = "once" if value not in self.time_varying else "before"
        return self.emit(value, self._settled_inputs(value, forms, stage), stage)

    def _in_loop(self, value: Instruction, forms: list[Any]) -> Affine:
        """Fold the value into its input's affine form, or compute it in the loop."""
        folded = self.folded(value, forms)
        if folded is not None:
            return folded
        inputs = self._settled_inputs(value, forms, "loop")
        return Affine(None, self.emit(value, inputs, "loop"), None)

    def folded(self, value: Instruction, forms: list[Any]) -> Affine | None:
        """The affine form of a value, given its inputs' forms; None if it has none."""
        fn = value.primitive
        affine = [f for f in forms if isinstance(f, Affine)]
        if (
            not affine
            or not may_reassociate(value.dtype)
            or any(f.base.shape != value.shape or f.base.dtype != value.dtype for f in affine)
        ):
            return None
        if fn is np.negative:
            return self._scaled(affine[0], -1.0)
        if len(affine) == 2:
            a, b = affine
            if fn in (np.add, np.subtract) and a.base is b.base:
                return self._combined(fn, a, b)
            return None
        if len(forms) != 2:
            return None
        left, right = forms
        on_left = left is affine[0]
        form, other = affine[0], self.in_dtype(right if on_left else left, value.dtype)
        if fn is np.multiply:
            return self._scaled(form, other)
        if fn is np.divide and on_left and _has_inverse(other, value.dtype):
            return self._scaled(form, self.outside(np.divide, 1.0, other))
        if fn is np.add:
            return form._replace(offset=self._shifted(form.offset, other))
        if fn is np.subtract and on_left:
            return form._replace(
                offset=self._shifted(form.offset, self.outside(np.negative, other))
            )
        if fn is np.subtract:
            negated = self._scaled(form, -1.0)
            return negated._replace(offset=self._shifted(negated.offset, other))
        return None

    def _scaled(self, form: Affine, factor: Any) -> Affine:
        offset = None if form.offset is None else self.outside(np.multiply, form.offset, factor)
        scale = factor if form.scale is None else self.outside(np.multiply, form.scale, factor)
        return Affine(scale, form.base, offset)

    def _shifted(self, a: Any, b: Any) -> Any:
        return b if a is None else self.sum(a, b)

    def _combined(self, fn: Any, a: Affine, b: Affine) -> Affine:
        scale = self.outside(
            fn, 1.0 if a.scale is None else a.scale, 1.0 if b.scale is None else b.scale
        )
        if a.offset is None and b.offset is None:
            return Affine(scale, a.base, None)
        zero = 0.0
        offset = self.outside(
            fn, zero if a.offset is None else a.offset, zero if b.offset is None else b.offset
        )
        return Affine(scale, a.base, offset)

    # Making planned values

    def _settled(self, form: Any, stage: Stage) -> Any:
        """A form as one value, computed at `stage` ("loop" or "after"); others as they are."""
        if not isinstance(form, Affine):
            return form
        value = form.base
        if form.scale is not None and form.offset is not None and _is(form.scale, -1.0):
            return self.ufunc(np.subtract, (form.offset, value), stage)
        if form.scale is not None:
            if _is(form.scale, -1.0):
                value = self.ufunc(np.negative, (value,), stage)
            else:
                value = self.ufunc(np.multiply, (value, form.scale), stage)
        if form.offset is not None:
            value = self.ufunc(np.add, (value, form.offset), stage)
        return value

    def _settled_inputs(self, value: Instruction, forms: list[Any], stage: Stage) -> list[Any]:
        """The inputs' forms settled, each for the line that asked for that input."""
        settled = []
        for x, form in zip(value.inputs, forms, strict=True):
            self.scope = (x.scope if isinstance(x, Instruction) else None) or value.scope
            settled.append(self._settled(form, stage))
        self.scope = value.scope
        return settled

    def final(self, x: Any, stage: Stage) -> Any:
        """What an original value became."""
        self.scope = x.scope if isinstance(x, Instruction) else None
        return self._settled(self.form[x] if isinstance(x, Instruction) else x, stage)

    def _total(self, x: Any) -> Any:
        """The sum of an original value over time, taken as early as linearity allows."""
        if not isinstance(x, Instruction) or x not in self.time_varying:
            raise TraceError("a parameter's gradient is the same at each step")
        fn, inputs = x.primitive, x.inputs
        self.scope = x.scope
        if x in self.form and fn is None:
            return self._untimed(over_time, [self.final(x, "after")], x)
        time_varying = [isinstance(i, Instruction) and i in self.time_varying for i in inputs]
        whole = self.final(x, "after") if x in self.form else None
        if isinstance(fn, np.ufunc) and whole in self.plan.stages["loop"]:  # it is there already
            return self._untimed(over_time, [whole], x)
        if not self._sums_apart(x, time_varying):
            return self._untimed(over_time, [self.final(x, "after")], x)
        if getattr(fn, "linear", False) and time_varying == [True]:
            return self._untimed(fn, [self._total(inputs[0])], x, x.attributes)
        if fn is matmul and all(time_varying):
            if all(len(i.shape) == 2 for i in inputs):
                factors = [self.final(i, "after") for i in inputs]
                return self._untimed(summed_product, factors, x)
        one = fn in (np.negative, np.multiply) or (fn is np.divide and time_varying[0])
        if (fn in (np.add, np.subtract) and all(time_varying)) or (one and sum(time_varying) == 1):
            pairs = list(zip(inputs, time_varying, strict=True))
            if all(i.shape == x.shape for i, has_time in pairs if has_time):
                parts = [self._total(i) if t else self.final(i, "after") for i, t in pairs]
                return self._untimed(fn, parts, x)
        return self._untimed(over_time, [self.final(x, "after")], x)

    def _sums_apart(self, x: Instruction, time_varying: Sequence[bool]) -> bool:
        """Whether the sum of x may be made of sums of its inputs: in x's dtype, and reordered."""
        summed = (i for i, has_time in zip(x.inputs, time_varying) if has_time)
        return may_reassociate(x.dtype) and all(i.dtype == x.dtype for i in summed)

    def _untimed(
        self, fn: Any, inputs: Any, of: Instruction, attributes: Any = None
    ) -> Instruction:
        total = Instruction(fn, tuple(inputs), attributes or {}, of.example, scope=of.scope)
        return self.emit(total, inputs, "total")

    def _own(self, x: Any, k: int) -> Instruction:
        """x as a value of the loop with an array of its own, for carry k."""
        taken = self.plan.carry_out
        carry = self.plan.carry_in[k]
        if (
            isinstance(x, Instruction)
            and x not in taken
            and x not in self.plan.carry_in
            and self.plan.stage_of[x] == "loop"
            and writes_anywhere(x)
            and x.shape == carry.shape
            and x.dtype == carry.dtype
        ):
            return x
        fn, inputs = (np.positive, (x,)) if carry.dtype != bool else (np.logical_or, (x, x))
        return self.emit(Instruction(fn, inputs, {"carry": k}, carry.example), inputs, "loop")


def over_time(x: Any) -> Any:
    """The sum over the leading time axis."""
    return np.add.reduce(x, 0)


def writes_anywhere(value: Instruction) -> bool:
    """Whether the instruction can write its result into an array that it is given."""
    return isinstance(value.primitive, np.ufunc) or value.primitive is matmul


def may_reassociate(dtype: np.dtype[Any]) -> bool:
    """Whether sums and products of that dtype may be taken in another order.

    That changes rounding alone, except in half precision, which two ordinary factors overflow.
    """
    return dtype.kind == "f" and dtype.itemsize > 2


def _has_inverse(x: Any, dtype: Any) -> bool:
    """Whether a factor 1 / x can take the place of a division by x: of a known x it can be said."""
    if isinstance(x, Instruction):
        return False
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.divide(1.0, x, dtype=dtype)).all())


def _is(x: Any, number: float) -> bool:
    return isinstance(x, float | int) and x == number


def _drop_unused(plan: Schedule) -> None:
    """Remove instructions that nothing asked for depends on."""
    needed: set[Instruction] = set()
    waiting = instructions_in([*plan.carry_out, *plan.results, *plan.kept])
    waiting += [v for values in plan.stages.values() for v in values if not is_pure(v)]
    while waiting:
        value = waiting.pop()
        if value not in needed:
            needed.add(value)
            waiting.extend(instructions_in(value.inputs))
    for stage, values in plan.stages.items():
        plan.stages[stage] = [value for value in values if value in needed]
