"""Storage: which values of a planned loop have an array for all steps, one for each, or none.

Arrays are made once for a length T and used again in later runs. An op that only looks at its
input in another way (a slice, a transpose) shares its input's array and costs nothing in the
loop; one that only puts its inputs side by side has them write into its parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ....ops import matmul
from .emit import Plan, is_pure, values_in
from .plan import writes_anywhere
from .trace import Value

__all__ = ["Arrays", "Layout", "batch_last_helps"]

Array = Any

# Measured by tests/benchmarks/recurrent.py: in larger arrays, ufuncs are busy with elements rather
# than with being called, and to transpose these costs more.
MOST_ELEMENTS = 1 << 14


class Arrays:
    """The arrays of one run: for all steps (T, ...), or one that each step writes anew."""

    def __init__(
        self, timed: dict[Value, Array] | None = None, shared: dict[Any, Array] | None = None
    ) -> None:
        self.shared = {} if shared is None else shared  # arrays that other runs use in their turn
        self.timed: dict[Value, Array] = dict(timed or {})
        self.scratch: dict[Value, Array] = {}
        self.carries: list[Array] = []  # (T + 1, ...): before the first step, after each
        # What else a value has: a copy with the "batch_first", and places for its parts.
        self.besides: dict[tuple[Value, str], Array] = {}

    def __getitem__(self, value: Value) -> Array:
        return self.timed[value] if value in self.timed else self.scratch.get(value)


class Layout:
    """Decides the storage of a plan's values, and allocates it.

    `reverse`: the loop runs from the last step to the first. `kept`: values that are needed after
    the run, by the backward run. `outer`: values of the forward run that the plan reads. `fixed`:
    values known once that have an array here. `batch_last`: a matrix (batch, features) has its
    memory in the order (features, batch), so that a slice of the features is contiguous.
    """

    def __init__(
        self,
        plan: Plan,
        reverse: bool,
        outer: Iterable[Value],
        kept: Iterable[Value],
        fixed: Iterable[Value] = (),
        batch_last: bool = False,
    ) -> None:
        self.plan = plan
        self.batch_last = batch_last
        self.reverse = reverse
        self.outer = list(outer)
        self.fixed = list(fixed)
        self.loop = set(plan.stages["loop"])
        self.used_in_loop = {x for v in plan.stages["loop"] for x in v.inputs if plan.timed(x)}
        self.used_outside = {
            x
            for stage in ("before", "after", "total")
            for v in plan.stages[stage]
            for x in v.inputs
            if plan.timed(x)
        }
        self.used_outside |= {x for x in plan.results if plan.timed(x)} | set(kept)
        for value in reversed(
            plan.stages["loop"]
        ):  # what is looked at is as long-lived as the look
            if value in self.used_outside and not writes_anywhere(value):
                self.used_outside.update(x for x in value.inputs if plan.timed(x))
        self._looked_at = {
            x
            for v in plan.stages["loop"]
            if not writes_anywhere(v)
            for x in v.inputs
            if plan.timed(x)
        }
        self.kept = set(kept)
        self._own = self._find_own()
        self._looks: dict[tuple[Value, bool], bool] = {}  # tried once, not at each allocation
        self.lasting = (self.used_in_loop & set(plan.stages["before"])) | self.kept
        for value in reversed(plan.stages["before"]):
            if value in self.lasting and not writes_anywhere(value):
                self.lasting.update(x for x in value.inputs if plan.timed(x))
        self._leaving = set(values_in(plan.results))  # must not be in arrays that are used again
        for value in reversed([v for stage in ("before", "after") for v in plan.stages[stage]]):
            if value in self._leaving and not writes_anywhere(value):
                self._leaving.update(values_in(value.inputs))
        self._for_products = self._read_by_products() if batch_last else []
        self._reads = Counter(
            x
            for operands in [
                *(v.inputs for values in plan.stages.values() for v in values),
                plan.results,
                plan.carry_out,
                self.kept,
            ]
            for x in operands
            if isinstance(x, Value)
        )

    def allocate(
        self, steps: int, outer: Arrays | None = None, shared: dict[Any, Array] | None = None
    ) -> Arrays:
        """The arrays for a run of that many steps.

        Those in `shared` serve several runs in turn; what is to be kept is not among them.
        """
        arrays = Arrays({value: outer[value] for value in self.outer} if outer else None, shared)
        for k, (carry_in, carry_out) in enumerate(
            zip(self.plan.carry_in, self.plan.carry_out, strict=True)
        ):
            whole = self._new(arrays, carry_in, (steps + 1, *carry_in.shape))
            arrays.carries.append(whole)
            before, after = (whole[1:], whole[:-1]) if self.reverse else (whole[:-1], whole[1:])
            arrays.timed[carry_in], arrays.timed[carry_out] = before, after
            assert self.plan.carry_out[k] is carry_out
        for value in self.fixed:
            arrays.scratch[value] = self._new(arrays, value, value.shape)
        for value in self.used_in_loop - self.loop:  # from outside the loop, read at each step
            if value.fn is None and value not in arrays.timed:
                arrays.timed[value] = self._new(arrays, value, (steps, *value.shape))
        for value in self.plan.stages["before"]:
            if value in self.lasting or not is_pure(value):
                self._place(value, "before", steps, arrays)
        for value in self.plan.stages["loop"]:
            if getattr(value.fn, "places", None):
                self._place(value, "loop", steps, arrays)
        for value in self.plan.stages["loop"]:
            if value in self._looked_at or not writes_anywhere(value):
                self._place(value, "loop", steps, arrays)
        for value in reversed(self.plan.stages["loop"]):
            self._place(value, "loop", steps, arrays)
            self._lend(value, "loop", arrays)
        for value in self.plan.stages["after"]:
            if value in self.kept:
                self._place(value, "after", steps, arrays)
        for stage in ("before", "after"):
            for value in reversed(self.plan.stages[stage]):
                plain = isinstance(value.fn, np.ufunc) or getattr(value.fn, "places", None)
                if plain and value not in self._leaving:
                    self._place(value, stage, steps, arrays)
                self._lend(value, stage, arrays)
        for value in self._for_products:
            if value in arrays.timed:
                shape = (steps, *value.shape)
                key = "batch first", value, shape
                if key not in arrays.shared:
                    arrays.shared[key] = np.empty(shape, value.dtype)
                arrays.besides[value, "batch_first"] = arrays.shared[key]
        return arrays

    def _new(self, arrays: Arrays, value: Value, shape: tuple[int, ...]) -> Array:
        if value in self._own or (value, shape) not in arrays.shared:
            batch_last = self.batch_last and len(value.shape) == 2
            batch_last = batch_last and self.plan.stage_of[value] != "after"  # read by products
            made = (_empty_batch_last if batch_last else np.empty)(shape, value.dtype)
            if value in self._own:
                return made
            arrays.shared[value, shape] = made
        return arrays.shared[value, shape]

    def filled(self, x: Array, shape: tuple[int, ...]) -> Array:
        """x repeated along the axes that it lacks to be an array of that shape."""
        batch_last = self.batch_last and len(shape) == 2
        array = (_empty_batch_last if batch_last else np.empty)(shape, x.dtype)
        array[...] = x
        return array

    def _in_order(self, array: Array) -> bool:
        """Whether a step's array is contiguous in the memory order of this layout."""
        flags = array.flags
        return bool(flags.f_contiguous if self.batch_last else flags.c_contiguous)

    def _read_by_products(self) -> list[Value]:
        """Values from in or before the loop that are read behind it by other than ufuncs."""
        stages = self.plan.stages
        outside = [v for v in stages["after"] + stages["total"] if not isinstance(v.fn, np.ufunc)]
        read = dict.fromkeys(
            x for v in outside if not getattr(v.fn, "places", None) for x in values_in(v.inputs)
        )
        return [x for x in read if self.plan.stage_of[x] not in ("after", "total")]

    def _find_own(self) -> set[Value]:
        """The values in whose arrays something lies that is kept."""
        own = set(self.kept)
        instructions = [v for values in self.plan.stages.values() for v in values]
        for value in reversed(instructions):  # what is looked at lasts as long as the look
            if value in own and not writes_anywhere(value):
                own.update(values_in(value.inputs))
        own.update(
            value
            for value in instructions
            if getattr(value.fn, "places", None) and not own.isdisjoint(values_in(value.inputs))
        )
        for pair in zip(self.plan.carry_in, self.plan.carry_out, strict=True):
            if not own.isdisjoint(values_in(pair)):
                own.update(pair)
        return own

    def _lend(self, reader: Value, stage: str, arrays: Arrays) -> None:
        """Let an input that this ufunc alone reads be computed in the ufunc's own array."""
        array = arrays[reader]
        if array is None or not isinstance(reader.fn, np.ufunc):
            return
        step = array[0] if reader in arrays.timed else array
        for x in reader.inputs:
            if (
                isinstance(x, Value)
                and self.plan.stage_of[x] == stage
                and arrays[x] is None
                and self._reads[x] == 1
                and (isinstance(x.fn, np.ufunc) or (x.fn is matmul and self._in_order(step)))
                and (x.shape, x.dtype) == (reader.shape, reader.dtype)
            ):
                (arrays.timed if reader in arrays.timed else arrays.scratch)[x] = array
                return

    def _place(self, value: Value, stage: str, steps: int, arrays: Arrays) -> None:
        """Give the value an array, if it has none: a look at its input's if it is that, or new."""
        if arrays[value] is not None:
            return
        timed = stage != "loop" or value in self.used_outside
        array = None
        if not isinstance(value.fn, np.ufunc):
            array, timed = self._look(value, steps, arrays) or (None, timed)
        if array is None:
            array = self._new(arrays, value, (steps,) * timed + value.shape)
        (arrays.timed if timed else arrays.scratch)[value] = array
        if getattr(value.fn, "places", None):
            self._place_parts(value, stage, arrays)

    def _look(self, value: Value, steps: int, arrays: Arrays) -> tuple[Array, bool] | None:
        """The value as a view of its only input's array, if it is that; and whether it is timed."""
        sources = [x for x in value.inputs if isinstance(x, Value)]
        if len(sources) != 1 or len(value.inputs) != 1 or arrays[sources[0]] is None:
            return None
        source, timed = arrays[sources[0]], sources[0] in arrays.timed
        if (value, timed) not in self._looks:
            self._looks[value, timed] = _is_view(value) and (not timed or value.lifts([True]))
        if not self._looks[value, timed]:
            return None
        seen = value.compute_lifted(steps, [True], source) if timed else value.compute(source)
        if np.shape(seen) != (steps,) * timed + value.shape:
            return None  # a rule of the author's that is wrong
        return (seen, timed) if np.may_share_memory(seen, source) and steps else None

    def _place_parts(self, value: Value, stage: str, arrays: Arrays) -> None:
        """Let what is only put side by side be computed in its place, where that is possible."""
        timed = value in arrays.timed
        examples = [x.example if isinstance(x, Value) else x for x in value.inputs]
        parts = value.fn.places(arrays[value], *examples, **value.attributes)
        for k, (x, part) in enumerate(zip(value.inputs, parts, strict=True)):
            free = isinstance(x, Value) and arrays[x] is None and self.plan.stage_of[x] == stage
            if free and isinstance(x.fn, np.ufunc) and (timed or x not in self.used_outside):
                (arrays.timed if timed else arrays.scratch)[x] = part
            else:
                arrays.besides[value, f"part_{k}"] = part


def batch_last_helps(plan: Plan) -> bool:
    """Whether a loop is faster with the batch as the last axis in memory.

    A ufunc takes longer to start on a slice of the features that is not contiguous, such as a gate.
    In return, what products outside the loop read has to be transposed.
    """
    loop = plan.stages["loop"]
    shapes = [value.shape for value in loop if len(value.shape) == 2]
    sliced = any(
        not writes_anywhere(value) and value.shape[-1:] != x.shape[-1:]
        for value in loop
        for x in values_in(value.inputs)
    )
    elements = [batch * features for batch, features in shapes if batch > 1]
    return sliced and bool(elements) and max(elements) <= MOST_ELEMENTS


def _empty_batch_last(shape: tuple[int, ...], dtype: Any) -> Array:
    return np.empty((*shape[:-2], shape[-1], shape[-2]), dtype).swapaxes(-1, -2)


def _is_view(value: Value) -> bool:
    """Whether the instruction, of one input, only looks at that in another way."""
    example = value.inputs[0].example
    # An op that computes may refuse what an array without content holds.
    return bool(value.fn.pure and np.may_share_memory(value.compute(example), example))
