"""Buffer allocation: which values of a schedule get an array for all steps, one array, or none.

Arrays are allocated once for a length T and reused by later runs. A view (a slice, a transpose)
shares its input's array and costs nothing in the loop. The inputs of a concatenation are written
directly into its parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..ir.instruction import Instruction, inputs_of
from ..ir.schedule import Schedule
from .aliasing import viewed, viewed_input

__all__ = ["Arrays", "Layout", "batch_last_helps"]

Array = Any

# Measured by tests/benchmarks/recurrent.py. With larger arrays, time goes into elements rather than
# calls, and a transposition costs more than it saves.
MOST_ELEMENTS = 1 << 14


class Arrays:
    """The arrays of one run: one for all steps (T, ...), or one that every step overwrites."""

    def __init__(
        self,
        time_varying: dict[Instruction, Array] | None = None,
        shared: dict[Any, Array] | None = None,
    ) -> None:
        self.shared = {} if shared is None else shared  # arrays that several runs use in turn
        self.time_varying: dict[Instruction, Array] = dict(time_varying or {})
        self.scratch: dict[Instruction, Array] = {}
        self.views: set[Instruction] = set()  # views of their input's array
        self.carries: list[Array] = []  # (T + 1, ...): before the first step, after each
        # Further arrays of a value: a "batch_first" copy, and the parts of a concatenation.
        self.besides: dict[tuple[Instruction, str], Array] = {}

    def __getitem__(self, value: Instruction) -> Array:
        return self.time_varying[value] if value in self.time_varying else self.scratch.get(value)


class Layout:
    """Decides where the values of a schedule are stored, and allocates the arrays.

    `reverse`: the loop runs from the last step to the first. `kept`: values that the backward run
    needs. `outer`: values of the forward run that the schedule reads. `fixed`: values computed once
    that have an array here. `batch_last`: a matrix (batch, features) is stored in the order
    (features, batch), so that a slice of the features is contiguous.
    """

    def __init__(
        self,
        schedule: Schedule,
        reverse: bool,
        outer: Iterable[Instruction],
        kept: Iterable[Instruction],
        fixed: Iterable[Instruction] = (),
        batch_last: bool = False,
    ) -> None:
        self.schedule = schedule
        self.batch_last = batch_last
        self.reverse = reverse
        self.outer = list(outer)
        self.fixed = list(fixed)
        self.loop = set(schedule.stages["loop"])
        self.used_in_loop = {
            x for v in schedule.stages["loop"] for x in v.inputs if schedule.time_varying(x)
        }
        self.used_outside = {
            x
            for stage in ("before", "after", "total")
            for v in schedule.stages[stage]
            for x in v.inputs
            if schedule.time_varying(x)
        }
        self.used_outside |= {x for x in schedule.results if schedule.time_varying(x)} | set(kept)
        for value in reversed(schedule.stages["loop"]):  # an array lives as long as its views
            if value in self.used_outside and not value.writes_anywhere:
                self.used_outside.update(x for x in value.inputs if schedule.time_varying(x))
        self._viewed = {
            x
            for v in schedule.stages["loop"]
            if not v.writes_anywhere
            for x in v.inputs
            if schedule.time_varying(x)
        }
        self.kept = set(kept)
        self._own = self._find_own()
        self._copies: set[tuple[Instruction, bool]] = set()  # where NumPy has to copy
        self.lasting = (self.used_in_loop & set(schedule.stages["before"])) | self.kept
        for value in reversed(schedule.stages["before"]):
            if value in self.lasting and not value.writes_anywhere:
                self.lasting.update(x for x in value.inputs if schedule.time_varying(x))
        self._leaving = set(
            inputs_of(schedule.results)
        )  # they outlive the run, so their arrays are not reused
        for value in reversed([v for stage in ("before", "after") for v in schedule.stages[stage]]):
            if value in self._leaving and not value.writes_anywhere:
                self._leaving.update(value.depends_on)
        self._for_products = self._read_by_products() if batch_last else []
        self._reads = Counter(
            x
            for operands in [
                *(v.inputs for values in schedule.stages.values() for v in values),
                schedule.results,
                schedule.carry_out,
                self.kept,
            ]
            for x in operands
            if isinstance(x, Instruction)
        )

    def allocate(
        self, steps: int, outer: Arrays | None = None, shared: dict[Any, Array] | None = None
    ) -> Arrays:
        """The arrays for a run of that many steps.

        Arrays in `shared` serve several runs in turn; values to be kept are not among them.
        """
        arrays = Arrays({value: outer[value] for value in self.outer} if outer else None, shared)
        for k, (carry_in, carry_out) in enumerate(
            zip(self.schedule.carry_in, self.schedule.carry_out, strict=True)
        ):
            whole = self._new(arrays, carry_in, (steps + 1, *carry_in.shape))
            arrays.carries.append(whole)
            before, after = (whole[1:], whole[:-1]) if self.reverse else (whole[:-1], whole[1:])
            arrays.time_varying[carry_in], arrays.time_varying[carry_out] = before, after
            assert self.schedule.carry_out[k] is carry_out
        for value in self.fixed:
            arrays.scratch[value] = self._new(arrays, value, value.shape)
        for value in self.used_in_loop - self.loop:  # from outside the loop, read at each step
            if value.primitive is None and value not in arrays.time_varying:
                arrays.time_varying[value] = self._new(arrays, value, (steps, *value.shape))
        for value in self.schedule.stages["before"]:
            if value in self.lasting or not value.traits.pure:
                self._place(value, "before", steps, arrays)
        for value in self.schedule.stages["loop"]:
            if value.traits.places:
                self._place(value, "loop", steps, arrays)
        for value in self.schedule.stages["loop"]:
            if value in self._viewed or not value.writes_anywhere:
                self._place(value, "loop", steps, arrays)
        for value in reversed(self.schedule.stages["loop"]):
            self._place(value, "loop", steps, arrays)
            self._lend(value, "loop", arrays)
        for value in self.schedule.stages["after"]:
            if value in self.kept:
                self._place(value, "after", steps, arrays)
        for stage in ("before", "after"):
            for value in reversed(self.schedule.stages[stage]):
                plain = value.is_ufunc or value.traits.places
                if plain and value not in self._leaving:
                    self._place(value, stage, steps, arrays)
                self._lend(value, stage, arrays)
        for value in self._for_products:
            if value in arrays.time_varying:
                shape = (steps, *value.shape)
                key = "batch first", value, shape
                if key not in arrays.shared:
                    arrays.shared[key] = np.empty(shape, value.dtype)
                arrays.besides[value, "batch_first"] = arrays.shared[key]
        return arrays

    def _new(self, arrays: Arrays, value: Instruction, shape: tuple[int, ...]) -> Array:
        if value in self._own or (value, shape) not in arrays.shared:
            batch_last = self.batch_last and len(value.shape) == 2
            batch_last = batch_last and self.schedule.stage_of[value] != "after"  # products read it
            made = (_empty_batch_last if batch_last else np.empty)(shape, value.dtype)
            if value in self._own:
                return made
            arrays.shared[value, shape] = made
        return arrays.shared[value, shape]

    def filled(self, x: Array, shape: tuple[int, ...]) -> Array:
        """x, broadcast to that shape and copied."""
        batch_last = self.batch_last and len(shape) == 2
        array = (_empty_batch_last if batch_last else np.empty)(shape, x.dtype)
        array[...] = x
        return array

    def _in_order(self, array: Array) -> bool:
        """Whether the array of one step is contiguous in this memory order."""
        flags = array.flags
        return bool(flags.f_contiguous if self.batch_last else flags.c_contiguous)

    def _read_by_products(self) -> list[Instruction]:
        """Values computed up to the loop that products and similar ops read after it."""
        stages = self.schedule.stages
        outside = [v for v in stages["after"] + stages["total"] if not v.is_ufunc]
        read = dict.fromkeys(x for v in outside if not v.traits.places for x in v.depends_on)
        return [x for x in read if self.schedule.stage_of[x] not in ("after", "total")]

    def _find_own(self) -> set[Instruction]:
        """The values whose arrays outlive the run."""
        own = set(self.kept)
        instructions = [v for values in self.schedule.stages.values() for v in values]
        for value in reversed(instructions):  # an array lives as long as its views
            if value in own and not value.writes_anywhere:
                own.update(value.depends_on)
        own.update(
            value
            for value in instructions
            if value.traits.places and not own.isdisjoint(value.depends_on)
        )
        for pair in zip(self.schedule.carry_in, self.schedule.carry_out, strict=True):
            if not own.isdisjoint(inputs_of(pair)):
                own.update(pair)
        return own

    def _lend(self, reader: Instruction, stage: str, arrays: Arrays) -> None:
        """Compute an input in place, in the array of the only ufunc that reads it."""
        array = arrays[reader]
        if array is None or not reader.is_ufunc:
            return
        step = array[0] if reader in arrays.time_varying else array
        for x in reader.inputs:
            if (
                isinstance(x, Instruction)
                and self.schedule.stage_of[x] == stage
                and arrays[x] is None
                and self._reads[x] == 1
                and (x.is_ufunc or (x.is_product and self._in_order(step)))
                and (x.shape, x.dtype) == (reader.shape, reader.dtype)
            ):
                (arrays.time_varying if reader in arrays.time_varying else arrays.scratch)[x] = (
                    array
                )
                return

    def _place(self, value: Instruction, stage: str, steps: int, arrays: Arrays) -> None:
        """Give the value an array if it has none: a view of its input's, or a new one."""
        if arrays[value] is not None:
            return
        time_varying = stage != "loop" or value in self.used_outside
        array = None
        if not value.is_ufunc:
            array, time_varying = self._view(value, steps, arrays) or (None, time_varying)
        if array is None:
            array = self._new(arrays, value, (steps,) * time_varying + value.shape)
        (arrays.time_varying if time_varying else arrays.scratch)[value] = array
        if value.traits.places:
            self._place_parts(value, stage, arrays)

    def _view(self, value: Instruction, steps: int, arrays: Arrays) -> tuple[Array, bool] | None:
        """The value as a view of its input's array, if it is one; and whether it varies in time."""
        x = viewed_input(value)
        if x is None or arrays[x] is None or (value, x in arrays.time_varying) in self._copies:
            return None
        time_varying = x in arrays.time_varying
        seen = viewed(value, arrays[x], steps, time_varying)
        if seen is None:
            if steps:
                self._copies.add((value, time_varying))  # tested once, not at each allocation
            return None
        arrays.views.add(value)
        return seen, time_varying

    def _place_parts(self, value: Instruction, stage: str, arrays: Arrays) -> None:
        """Let the inputs of a concatenation be computed in its parts, where that is possible."""
        time_varying = value in arrays.time_varying
        examples = [x.sample if isinstance(x, Instruction) else x for x in value.inputs]
        assert value.traits.places is not None
        parts = value.traits.places(arrays[value], *examples, **value.attributes)
        for k, (x, part) in enumerate(zip(value.inputs, parts, strict=True)):
            free = (
                isinstance(x, Instruction)
                and arrays[x] is None
                and self.schedule.stage_of[x] == stage
            )
            if free and x.is_ufunc and (time_varying or x not in self.used_outside):
                (arrays.time_varying if time_varying else arrays.scratch)[x] = part
            else:
                arrays.besides[value, f"part_{k}"] = part


def batch_last_helps(schedule: Schedule) -> bool:
    """Whether a loop is faster with the batch as the last axis in memory.

    A ufunc has a higher fixed cost on a slice of the features that is not contiguous, such as a
    gate. In return, values that products outside the loop read have to be transposed.
    """
    loop = schedule.stages["loop"]
    shapes = [value.shape for value in loop if len(value.shape) == 2]
    sliced = any(
        not value.writes_anywhere and value.shape[-1:] != x.shape[-1:]
        for value in loop
        for x in value.depends_on
    )
    elements = [batch * features for batch, features in shapes if batch > 1]
    return sliced and bool(elements) and max(elements) <= MOST_ELEMENTS


def _empty_batch_last(shape: tuple[int, ...], dtype: Any) -> Array:
    return np.empty((*shape[:-2], shape[-1], shape[-2]), dtype).swapaxes(-1, -2)
