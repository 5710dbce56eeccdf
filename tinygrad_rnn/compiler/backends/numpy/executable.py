"""Executable: a schedule written as straight-line Python, and compiled.

The text is kept in `source`: one line per instruction, with the author's names.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...ir.instruction import Instruction, promotion_kind, structural_key
from ...ir.primitives import Recurrence
from ...ir.schedule import Schedule
from ...memory.allocation import Arrays, Layout, batch_last_helps
from ...memory.workspace import Workspace, rows
from .products import KERNELS, dot_in_blocks
from .recurrence import SOLVERS

__all__ = ["Executable"]

Array = Any

_OUT_BY_NAME = {np.maximum, np.minimum}  # they may take more inputs in a later NumPy


class Executable:
    """One direction of a scheduled scan, ready to run.

    `given`: the values that the caller provides, in the order in which `run` takes their arrays.
    `outer`: values of the forward run, the program `ahead`, whose arrays for all steps this run
    reads. `kept`: values whose arrays are needed after the run.
    """

    mask = 0.15  # the relative extra time of a masked step: see `runtime/ragged.py`

    def __init__(
        self,
        name: str,
        schedule: Schedule,
        given: Sequence[Instruction],
        reverse: bool,
        outer: Sequence[Instruction] = (),
        kept: Iterable[Instruction] = (),
        ahead: Executable | None = None,
    ) -> None:
        self.schedule = schedule
        self.result_stages = schedule.stages_of_results()
        self.given = list(given)
        self.layout = Layout(schedule, reverse, outer, kept, self._fixed(), self._batch_last(ahead))
        self._trial: Arrays = self.layout.allocate(3, None if ahead is None else ahead._trial)
        self._owners: dict[int, Instruction] = {}  # by array: the value that it was made for
        for value, array in [*self._trial.time_varying.items(), *self._trial.scratch.items()]:
            self._owners.setdefault(id(array), value)
        self._names: dict[Instruction, str] = {}
        self._namespace: dict[str, Any] = {"dot": np.dot, "copyto": np.copyto}
        self._constants: dict[Any, str] = {}
        self._prepared: dict[str, str] = {}  # lines before the loop that prepare what it reads
        # What the loop views at each step: a value, and which of its arrays.
        self._columns: list[tuple[Instruction, str]] = []
        self.source = self._write(name)
        exec(compile(self.source, f"<scan: {name}>", "exec"), self._namespace)
        self._run = self._namespace[name]

    def allocate(
        self, steps: int, outer: Arrays | None = None, shared: dict[Any, Array] | None = None
    ) -> Workspace:
        """Arrays for runs of that many steps; see `Layout.allocate`."""
        arrays = self.layout.allocate(steps, outer, shared)
        stored = [*(arrays[value] for value in self._stored), *arrays.besides.values()]
        return Workspace(arrays, stored, self._rows(arrays, steps))

    def run(
        self, workspace: Workspace, steps: int, given: Sequence[Array], carry: Sequence[Array]
    ) -> tuple[Sequence[Array], list[Array]]:
        """Run on arrays for the `given` values, from this carry: the results, and the last carry.

        The results may lie in the workspace.
        """
        carries = workspace.arrays.carries
        first, last = (steps, 0) if self.layout.reverse else (0, steps)
        for whole, leaf in zip(carries, carry, strict=True):
            whole[first] = leaf
        results = self._run(steps, given, workspace.stored, workspace.rows)
        return results, [whole[last, ...].copy() for whole in carries]

    # Writing

    def _write(self, name: str) -> str:
        schedule = self.schedule
        self._stored = list(self._owners.values())
        once = [
            *self._copies_of_given(time_varying=False),
            *(self._once(v) for v in schedule.stages["once"]),
        ]
        pure = [v for v in schedule.stages["before"] if v.traits.pure]
        before = [*self._copies_of_given(time_varying=True), *self._draws()]
        before += [line for v in pure for line in self._at_all_steps(v)]
        loop = self._loop()
        after = self._batch_first()
        after += [line for v in schedule.stages["after"] for line in self._at_all_steps(v)]
        stages = {
            "once": [*once, *self._prepared.values()],
            "before the loop, all steps at once": before,
            "the loop": loop,
            "after the loop, all steps at once": after,
            "sums over time": [self._once(v) for v in schedule.stages["total"]],
        }
        lines = [f"def {name}(steps, given, stored, rows):"]
        if self.given:
            lines.append(f"    ({', '.join(self._given_name(v) for v in self.given)},) = given")
        stored = [self._stored_name(v) for v in self._stored]
        stored += [self._stored_name(v, what) for v, what in self._trial.besides]
        if stored:
            lines.append(f"    ({', '.join(stored)},) = stored")
        for title, written in stages.items():
            if written:
                lines += [f"    # {title}", *(f"    {line}" for line in written)]
        results = "".join(f"{self._everywhere(r)}, " for r in schedule.results)
        lines.append(f"    return ({results})")
        return "\n".join(lines) + "\n"

    # The loop, which other backends run differently

    def _fixed(self) -> list[Instruction]:
        """The loop-invariant values whose arrays must keep their addresses."""
        return []

    def _batch_last(self, ahead: Executable | None) -> bool:
        """Whether the batch is the last axis in memory: decided by the forward executable."""
        return batch_last_helps(self.schedule) if ahead is None else ahead.layout.batch_last

    def _loop(self) -> list[str]:
        """The lines of the loop."""
        lines = [line for v in self.schedule.stages["loop"] for line in self._in_loop(v)]
        columns = ", ".join(self._name(value, what) for value, what in self._columns)
        head = f"for ({columns}{',' if columns else ''}) in rows:"
        return [head, *(f"    {line}" for line in lines)] if lines else []

    def _rows(self, arrays: Arrays, steps: int) -> Any:
        """What the loop iterates over: for each step, views of the arrays."""
        return rows(arrays, self._columns, steps, self.layout.reverse)

    # Names and lines

    def _name(self, value: Instruction, what: str = "") -> str:
        """The value's name: the author's name or its op, and a number.

        Values that use the same array in turn share the name of the last. `what`: another array of
        the value, such as a part of it or its transpose.
        """
        value = self._owner(value)
        if value not in self._names:
            base = re.sub(r"\W+", "_", value.name or value.op_name)
            if not base.isidentifier() or keyword.iskeyword(base):
                base = f"v_{base}"
            self._names[value] = f"{base}_{len(self._names)}"
        return f"{self._names[value]}_{what}" if what else self._names[value]

    def _owner(self, value: Instruction) -> Instruction:
        array = self._trial[value]
        return value if array is None else self._owners[id(array)]

    def _all(self, value: Instruction, what: str = "") -> str:
        return f"{self._name(value, what)}_all"

    def _given_name(self, value: Instruction) -> str:
        return f"{self._name(value)}_given" if value in self._stored else self._everywhere(value)

    def _stored_name(self, value: Instruction, what: str = "") -> str:
        return (self._all if value in self._trial.time_varying else self._name)(value, what)

    def _constant(self, x: Any, dtype: Any = None) -> str:
        """The name of a constant: an array, or a number as a 0-d array (faster for ufuncs)."""
        constant = x if dtype is None or isinstance(x, np.ndarray) else np.asarray(x, dtype)
        key = (structural_key(x), dtype)
        if key not in self._constants:
            self._constants[key] = f"constant_{len(self._constants)}"
            self._namespace[self._constants[key]] = constant
        return self._constants[key]

    def _function(self, value: Instruction, lifted: bool) -> str:
        if value.is_ufunc:
            self._namespace[value.primitive.__name__] = value.primitive
            return str(value.primitive.__name__)
        name = f"{'all_' if lifted else ''}{self._name(value)}_op"
        kernel = KERNELS.get(value.primitive) or value.function()
        self._namespace[name] = value.compute_batched if lifted else kernel
        return name

    def _operands(self, value: Instruction) -> list[str]:
        """The names of the inputs; numbers become constants of the dtype that the ufunc uses."""
        dtypes: Sequence[Any] = [None] * len(value.inputs)
        if value.is_ufunc:
            kinds = [promotion_kind(x) for x in value.inputs]
            dtypes = value.primitive.resolve_dtypes((*kinds, None))[:-1]
        return [
            self._name(x) if isinstance(x, Instruction) else self._constant(x, d)
            for x, d in zip(value.inputs, dtypes, strict=True)
        ]

    def _once(self, value: Instruction) -> str:
        names = [
            self._everywhere(x) if isinstance(x, Instruction) else self._constant(x)
            for x in value.inputs
        ]
        has_array, ufunc = self._trial[value] is not None, value.is_ufunc
        if has_array and ufunc:
            names.append(f"out={self._name(value)}")
        call = f"{self._function(value, lifted=False)}({', '.join(names)})"
        if has_array:
            return call if ufunc else f"copyto({self._name(value)}, {call})"
        in_product = any(
            v.is_product and any(x is value for x in v.inputs) for v in self.schedule.stages["loop"]
        )
        if in_product and not self.layout.batch_last:
            # BLAS is fastest on contiguous matrices, and this one is used at each step.
            self._namespace["contiguous"] = np.ascontiguousarray
            call = f"contiguous({call})"
        return f"{self._name(value)} = {call}"

    def _everywhere(self, x: Any, what: str = "") -> str:
        """The name of a value at all steps, or of one that is the same at every step."""
        if not isinstance(x, Instruction):
            return self._constant(x)
        return (self._all if self.schedule.time_varying(x) else self._name)(x, what)

    def _copies_of_given(self, time_varying: bool) -> list[str]:
        return [
            f"copyto({self._everywhere(v)}, {self._given_name(v)})"
            for v in self.given
            if v in self._stored and self.schedule.time_varying(v) == time_varying
        ]

    def _at_all_steps(self, value: Instruction) -> list[str]:
        """The lines of an instruction outside the loop, on arrays with a leading time axis."""
        time_varying = [self.schedule.time_varying(x) for x in value.inputs]
        names = [self._everywhere(x) for x in value.inputs]
        array = self._trial.time_varying.get(value)
        if value in self._trial.views:
            return []
        if value.primitive in SOLVERS:
            return self._recurrence(value)
        if value.is_ufunc:
            dtypes = self._operands(value)
            ndim = len(value.shape)
            names = [
                f"{n}[:{', None' * (ndim - len(x.shape))}]"
                if t and len(x.shape) < ndim
                else self._filled(x, n if isinstance(x, Instruction) else constant, value)
                for n, t, x, constant in zip(names, time_varying, value.inputs, dtypes, strict=True)
            ]
            out = f", out={self._all(value)}" if array is not None else ""
            call = f"{self._function(value, True)}({', '.join(names)}{out})"
            return [call if array is not None else f"{self._all(value)} = {call}"]
        parts = None if array is None else self._parts(value, self._everywhere)
        if parts is not None:
            return parts
        call = f"{self._function(value, True)}(steps, {tuple(time_varying)}, {', '.join(names)})"
        if value.is_product and time_varying == [True, False]:
            x, y = value.inputs
            plain = len(x.shape) == len(y.shape) == 2 and x.dtype == y.dtype == value.dtype
            self._namespace["dot_in_blocks"] = dot_in_blocks
            if plain and (array is None or array.flags.c_contiguous):
                long = f"{names[0]}.reshape(-1, {x.shape[-1]})"
                if array is None:
                    shape = ", ".join(map(str, ("steps", *value.shape)))
                    product = f"dot_in_blocks({long}, {names[1]})"
                    return [f"{self._all(value)} = {product}.reshape({shape})"]
                out = f"{self._all(value)}.reshape(-1, {y.shape[-1]})"
                return [f"dot_in_blocks({long}, {names[1]}, {out})"]
            if plain:
                self._namespace["matmul"] = np.matmul
                return [f"matmul({names[0]}, {names[1]}, {self._all(value)})"]
        if array is not None:
            return [f"copyto({self._all(value)}, {call})"]
        return [f"{self._all(value)} = {call}"]

    def _batch_first(self) -> list[str]:
        """Lines that copy arrays to the usual memory order, for products."""
        lines = []
        copied = [x for x, what in self._trial.besides if what == "batch_first"]
        for x in copied:
            lines.append(f"copyto({self._all(x, 'batch_first')}, {self._all(x)})")
            lines.append(f"{self._all(x)} = {self._all(x, 'batch_first')}")
        return lines

    def _draws(self) -> list[str]:
        """Lines that draw random numbers step by step, in the order of the unrolled run."""
        lines = []
        for value in self.schedule.stages["before"]:
            if not value.traits.pure:
                names = [
                    self._everywhere(x) + "[t]" * self.schedule.time_varying(x)
                    for x in value.inputs
                ]
                call = f"{self._function(value, lifted=False)}({', '.join(names)})"
                lines.append(f"    {self._all(value)}[t] = {call}")
        steps = "reversed(range(steps))" if self.layout.reverse else "range(steps)"
        return [f"for t in {steps}:", *lines] if lines else []

    def _in_loop(self, value: Instruction) -> list[str]:
        if value in self._trial.views:
            return []
        if value.is_product:
            return [self._product(value)]
        parts = None if value.is_ufunc else self._parts(value, self._at_step)
        if parts == []:  # they were computed in place
            return []
        out = self._at_step(value)
        names = self._operands(value)
        for x in value.depends_on:
            self._at_step(x)
        if value.is_ufunc:
            names = [
                self._filled(x, name, value) for x, name in zip(value.inputs, names, strict=True)
            ]
            out = f"out={out}" if value.primitive in _OUT_BY_NAME else out  # by position is faster
            return [f"{self._function(value, False)}({', '.join([*names, out])})"]
        if parts is not None:
            return parts
        return [f"copyto({out}, {self._function(value, False)}({', '.join(names)}))"]

    def _at_step(self, x: Any, what: str = "") -> str:
        """The name of an operand in the loop, or of a part of it, or of its transpose, T."""
        if not isinstance(x, Instruction):
            name = self._constant(x)
            if what:
                self._namespace[f"{name}_{what}"] = np.ascontiguousarray(x.T)
            return f"{name}_{what}" if what else name
        name = self._name(x, what)
        if x in self._trial.time_varying:
            column = (x if (x, what) in self._trial.besides else self._owner(x)), what
            if column not in self._columns:
                self._columns.append(column)
        elif what == "T":
            lasting = self._trial[x] is not None
            call = f"{self._name(x)}.T" if lasting else f"contiguous({self._name(x)}.T)"
            self._namespace["contiguous"] = np.ascontiguousarray
            self._prepared[name] = f"{name} = {call}"
        return name

    def _filled(self, x: Any, name: str, reader: Instruction) -> str:
        """The name of a ufunc's operand, broadcast beforehand if it is the same at each step.

        A ufunc that has to broadcast has a higher fixed cost.
        """
        shape = reader.shape
        if np.shape(x.sample if isinstance(x, Instruction) else x) in (
            (),
            shape,
        ) or self.schedule.time_varying(x):
            return name
        filled = f"{name}_{'x'.join(map(str, shape))}"
        if isinstance(x, Instruction):
            self._namespace["filled"] = self.layout.filled
            self._prepared[filled] = f"{filled} = filled({name}, {shape})"
        else:
            self._namespace[filled] = self.layout.filled(x, shape)
        return filled

    def _recurrence(self, value: Instruction) -> list[str]:
        """All steps of a carry at once, or of several carries at the first of them."""
        if value.output:
            return []
        solver = SOLVERS[value.primitive]
        self._namespace[solver.__name__] = solver
        time_varying = tuple(self.schedule.time_varying(x) for x in value.inputs)
        following = dict(zip(self.schedule.carry_in, self.schedule.carry_out, strict=True))
        after = [following[carry] for carry in Recurrence.of(*value.inputs).carries]
        names = ", ".join(self._everywhere(x) for x in [*value.inputs, *after])
        return [f"{solver.__name__}({time_varying}, {self.layout.reverse}, {names})"]

    def _product(self, value: Instruction) -> str:
        array = self._trial[value]
        step = array[0] if value in self._trial.time_varying else array
        x, y = (i.sample if isinstance(i, Instruction) else np.asarray(i) for i in value.inputs)
        plain = x.ndim == y.ndim == 2 and x.dtype == y.dtype == value.dtype
        if plain and step.flags.c_contiguous:
            return f"dot({', '.join(map(self._at_step, [*value.inputs, value]))})"
        if plain and step.flags.f_contiguous:  # (x y)^T = y^T x^T
            operands = [*reversed(value.inputs), value]
            return f"dot({', '.join(self._at_step(x, 'T') for x in operands)})"
        self._namespace["matmul"] = np.matmul
        return f"matmul({', '.join(map(self._at_step, [*value.inputs, value]))})"

    def _parts(self, value: Instruction, name_of: Callable[..., str]) -> list[str] | None:
        """Lines that copy the inputs of a concatenation, except those computed in place."""
        if value.traits.places is None:
            return None
        return [
            f"copyto({name_of(value, f'part_{k}')}, {name_of(x)})"
            for k, x in enumerate(value.inputs)
            if (value, f"part_{k}") in self._trial.besides
        ]
