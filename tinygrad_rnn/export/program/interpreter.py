"""Interpreter: a program run op by op with another library's functions, loops included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...compiler.ir.instruction import Instruction
from ..errors import ExportError, at
from .dtypes import operand_dtypes
from .loop import parts_of
from .sizes import evaluated

__all__ = ["Target", "interpreted"]

Value = Any


class Target:
    """The interface of a library to the interpreter; one class for each library."""

    name: str
    ops: Mapping[str, Callable[..., Value]]
    """The counterpart of each op: `ops[name](*operands, **attributes)`.

    For an op with several outputs it returns a sequence.
    """

    def ufunc(self, name: str) -> Callable[..., Value] | None:
        """The counterpart of a ufunc, if there is one."""
        raise NotImplementedError

    def constant(self, x: Any, dtype: Any) -> Value:
        """An array or a number as the library's, in that dtype."""
        raise NotImplementedError

    def cast(self, x: Value, dtype: Any) -> Value:
        """x cast to NumPy's dtype, or to the nearest that the library has."""
        raise NotImplementedError

    def result(self, x: Value, instruction: Instruction) -> Value:
        """The result of an instruction, in its dtype."""
        return self.cast(x, instruction.dtype)

    def module(self, operands: Sequence[Value], **call: Any) -> Sequence[Value]:
        """A call of a module that was kept as one op, see `module_call`."""
        raise NotImplementedError

    def loop(self, made: Any, given: Any, run: Callable[..., Any], length: int) -> Sequence[Value]:
        """A scan: the ys and the last carry. `run(xs, carry, leaves)` is one step."""
        raise NotImplementedError


def interpreted(
    target: Target,
    instructions: Iterable[Instruction],
    results: Sequence[Any],
    given: Mapping[Instruction, Value],
    sizes: Mapping[str, int],
) -> list[Value]:
    """The results of a program from the values of its inputs."""
    return _Run(target, sizes).values(instructions, results, dict(given))


class _Run:
    def __init__(self, target: Target, sizes: Mapping[str, int]) -> None:
        self._target, self._sizes = target, sizes
        self._prepared: dict[
            Instruction, Any
        ] = {}  # prepared once, even if a loop runs them repeatedly

    def values(
        self, instructions: Iterable[Instruction], results: Sequence[Any], of: dict[Any, Value]
    ) -> list[Value]:
        whole: dict[Any, Sequence[Value]] = {}  # the outputs of ops of several
        for instruction in instructions:
            key: Any = instruction
            if instruction.output is not None:
                key = (id(instruction.attributes), *map(id, instruction.inputs))
                if key in whole:
                    of[instruction] = whole[key][instruction.output]
                    continue
            kinds, function = self._prepare(instruction)
            operands = [
                self._operand(x, of, dtype)
                for x, dtype in zip(instruction.inputs, kinds, strict=True)
            ]
            value = function(operands)
            if instruction.output is not None:
                whole[key] = value
                value = value[instruction.output]
            of[instruction] = self._target.result(value, instruction)
        return [self._operand(x, of, None) for x in results]

    def _operand(self, x: Any, of: Mapping[Any, Value], dtype: Any) -> Value:
        if not isinstance(x, Instruction):
            return self._target.constant(x, dtype)
        return of[x] if dtype is None or x.dtype == dtype else self._target.cast(of[x], dtype)

    def _prepare(self, instruction: Instruction) -> tuple[Sequence[Any], Callable[..., Any]]:
        """The dtypes of an instruction's operands, and its counterpart, a function of these."""
        if instruction not in self._prepared:
            found = operand_dtypes(instruction), self._counterpart(instruction)
            self._prepared[instruction] = found
        kinds, function = self._prepared[instruction]
        return kinds, function

    def _counterpart(self, instruction: Instruction) -> Callable[..., Any]:
        target, name = self._target, instruction.op_name
        if "loop" in instruction.attributes:
            return lambda operands: self._loop(instruction.attributes["loop"], operands)
        if "module" in instruction.attributes:
            return lambda operands: target.module(operands, **instruction.attributes)
        function = target.ufunc(name) if instruction.is_ufunc else target.ops.get(name)
        if function is None:
            raise ExportError(f"{name} has no counterpart in {target.name}{at(instruction.origin)}")
        attributes = {
            key: evaluated(value, self._sizes) for key, value in instruction.attributes.items()
        }
        return lambda operands: function(*operands, **attributes)

    def _loop(self, made: Any, operands: Sequence[Value]) -> Sequence[Value]:
        step = made.step

        def run(xs: Sequence[Value], carry: Sequence[Value], leaves: Sequence[Value]) -> Any:
            keys = (*step.xs, *step.carry, *step.leaves)
            given = dict(zip(keys, (*xs, *carry, *leaves), strict=True))
            results = self.values(step.instructions, step.forward_results(), given)
            return results[: len(carry)], results[len(carry) :]

        length = evaluated(made.length, self._sizes)
        return self._target.loop(made, parts_of(made, operands), run, length)
