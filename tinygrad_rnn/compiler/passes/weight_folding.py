"""Weight folding: a constant factor of a product is moved into its weights.

sigmoid(z) is tanh(z / 2) / 2 + 1/2. If z is a product with weights, a sum of such products, or a
slice of one, the weights are halved once, instead of z at each step. (Constant folding through
linear operations; deep-learning compilers fold the scale of a batch normalisation in the same way.)
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np

from ..ir.instruction import (
    Instruction,
    inputs_of,
    is_product_of_elements,
    may_reassociate,
    samples,
)
from ..ir.program import Program
from ..ir.rewrite import substituted
from ..ir.step import Step
from .horizontal_fusion import section

__all__ = ["fold_into_weights"]


def fold_into_weights(program: Program) -> Program:
    """Needs a step. Guarantees that no product with weights is scaled by a constant afterwards."""
    folding, position = _Folding(program.step), 0
    while position < len(folding.step.instructions):
        folded = folding.folded(folding.step.instructions[position])
        position += folded is None
        folding = folding if folded is None else _Folding(folded)
    return replace(program, step=folding.step)


class _Folding:
    """Tries to fold the multiplications of a step, one by one until one succeeds."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self._find_invariants()

    def folded(self, value: Instruction) -> Step | None:
        """The step in which value = x * factor is replaced by x, computed from scaled weights."""
        self.replaced: dict[Instruction, Instruction] = {}
        self.new: list[Instruction] = []
        if not is_product_of_elements(value.primitive):
            return None
        x, factor = value.inputs
        if not isinstance(x, Instruction):
            x, factor = factor, x
        if isinstance(factor, Instruction) or not isinstance(x, Instruction):
            return None
        if value in self.invariant:
            return None
        if type(factor) not in (int, float):
            factor = np.asarray(factor, value.dtype)  # as the multiplication casts it
        scaled = self._scaled(x, factor)
        if scaled is None:
            return None
        self.replaced[value] = scaled.called(value.name, value.origin)
        new = [v for v in [*self.new, *self.replaced.values()] if v.primitive is not None]
        return substituted(self.step, self.replaced, new)

    def _find_invariants(self) -> None:
        """The values that are the same at each step, and the readers of every value."""
        self.invariant: set[Instruction] = set(self.step.leaves)
        self.readers: dict[Instruction, list[Instruction | None]] = defaultdict(list)
        for instruction in self.step.instructions:
            inputs = instruction.depends_on
            if inputs and self.invariant.issuperset(inputs) and instruction.traits.pure:
                self.invariant.add(instruction)
            for x in inputs:
                self.readers[x].append(instruction)
        for x in inputs_of(self.step.results()):
            self.readers[x].append(None)

    def _scaled(self, x: Any, factor: Any) -> Any:
        """x * factor without a multiplication at each step; None if that is not possible."""
        if self._is_invariant(x):
            return self._times(x, factor) if _keeps_dtype(x, factor) else None
        return None if len(self.readers[x]) > 1 else self._weighted(x, factor)

    def _weighted(self, x: Instruction, factor: Any) -> Instruction | None:
        """The instruction of x on inputs that make its result x * factor."""
        if not _fits(factor, x):
            return None
        if section(x) is not None:
            return self._part(x, factor)
        if any(getattr(part, "dtype", x.dtype) != x.dtype for part in x.inputs):
            return None  # the factor would be rounded to the dtype of the value it is folded into
        if not x.is_ufunc and not x.is_product:
            return None
        inputs = list(x.inputs)
        if x.traits.elementwise and x.linear_in(range(len(inputs))):  # such as a sum
            inputs = [self._scaled(part, factor) for part in inputs]
        else:
            k = next((k for k in _column_operands(x) if self._is_invariant(inputs[k])), None)
            if k is None:
                return None
            inputs[k] = self._scaled(inputs[k], factor)
        if any(part is None for part in inputs):
            return None
        made = replace(x, inputs=tuple(inputs), sample=x.sample * factor)
        self.new.append(made)
        return made

    def _part(self, x: Instruction, factor: Any) -> Instruction | None:
        """A slice of an array whose other slices stay unchanged."""
        whole = x.inputs[0]
        if whole in self.replaced:
            return None
        columns = [_columns(reader, whole) for reader in self.readers[whole] if reader is not x]
        mine = _columns(x, whole)
        if any(np.logical_and(mine, others).any() for others in columns):
            return None
        vector = np.ones(len(mine), whole.dtype)
        vector[mine] = factor
        scaled = self._weighted(whole, vector)
        if scaled is None:
            return None
        self.replaced[whole] = scaled
        made = replace(x, inputs=(scaled,), sample=x.sample * factor)
        self.new.append(made)
        return made

    def _is_invariant(self, x: Any) -> bool:
        return not isinstance(x, Instruction) or x in self.invariant

    def _times(self, x: Any, factor: Any) -> Any:
        """x * factor, for a value that is the same at each step."""
        if not isinstance(x, Instruction):
            return x * factor
        if is_product_of_elements(x.primitive) and not isinstance(x.inputs[1], Instruction):
            x, before = x.inputs  # one factor instead of two
            factor = before * factor
        made = Instruction.of(np.multiply, x, factor, origin=x.origin)
        self.new.append(made)
        return made


def _column_operands(x: Instruction) -> tuple[int, ...]:
    """The operands of a product that can take a factor of each column of the result."""
    if x.is_product:
        return (1,) if np.ndim(samples(x.inputs)[1]) == 2 else ()
    return (0, 1) if is_product_of_elements(x.primitive) else ()


def _fits(factor: Any, x: Instruction) -> bool:
    """Whether a factor applies to the columns of x only, and keeps its shape and dtype."""
    shape = np.shape(factor)
    return (
        len(shape) <= 1
        and np.broadcast_shapes(shape, x.shape) == x.shape
        and _keeps_dtype(x, factor)
    )


def _keeps_dtype(x: Any, factor: Any) -> bool:
    dtype = getattr(x, "dtype", None)
    return dtype is None or bool(may_reassociate(dtype) and np.result_type(dtype, factor) == dtype)


def _columns(reader: Instruction | None, whole: Instruction) -> Any:
    """Which columns of an array an instruction reads, as a mask."""
    mask = np.zeros(whole.shape[-1], bool)
    part = section(reader)
    if part is None or part[1] != -1:
        mask[:] = True
    else:
        mask[part[2] : part[3]] = True
    return mask
