"""Absorb: a constant factor goes into the weights of the product that it scales.

sigmoid(z) is tanh(z / 2) / 2 + 1/2. Where z is a product with weights, a sum of such, or a part of
one, its first half is taken of the weights, once, rather than of z at each step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...engine.scope import Scope
from ...ops import matmul
from ...ops.joining import _split
from ..ir.instruction import ancestors
from ..trace.recording import Instruction, Step
from .hoisting import may_reassociate

__all__ = ["fold_into_weights"]

_NEXT = 2.0**-30  # between the orders of a value and of one made right after it


def fold_into_weights(step: Step) -> None:
    """Rewrite a step, forward and backward, in place."""
    results = [*step.new_state, step.output, step.d_x, *step.d_state, *step.d_leaves, *step.drawn]
    folder = _WeightFolder(ancestors(results), step.leaf_values, results)
    with np.errstate(all="ignore"):
        for value in folder.instructions:
            folder.simplify(value)


class _WeightFolder:
    def __init__(
        self, instructions: list[Instruction], leaves: Sequence[Instruction], results: Sequence[Any]
    ) -> None:
        self.instructions = instructions
        self._once = set(leaves)  # the values that are the same at each step
        self._scaled_once: set[Instruction] = set()  # those of them that are products made here
        self._readers: dict[Instruction, list[Any]] = defaultdict(list)
        self._scope: Scope | None = None  # of the factor that is looked at
        for value in instructions:
            inputs = [x for x in value.inputs if isinstance(x, Instruction)]
            if inputs and self._once.issuperset(inputs) and getattr(value.primitive, "pure", True):
                self._once.add(value)
            for x in inputs:
                self._readers[x].append(value)
        for x in results:
            if isinstance(x, Instruction):
                self._readers[x].append(None)

    def simplify(self, value: Instruction) -> None:
        """Make value = x * factor what x is, of weights that have the factor in them."""
        if value.primitive is not np.multiply or value in self._once:
            return
        self._scope = value.scope
        for x, factor in (value.inputs, value.inputs[::-1]):
            if isinstance(x, Instruction) and not isinstance(factor, Instruction):
                if type(factor) not in (int, float):
                    factor = np.asarray(factor, value.dtype)  # as the multiplication casts it
                rewritten: dict[Instruction, Instruction] = {}
                scaled = self._scaled(x, factor, rewritten)
                if scaled is not None:
                    for old, new in {**rewritten, value: scaled}.items():
                        old.primitive, old.inputs, old.attributes = (
                            new.primitive,
                            new.inputs,
                            new.attributes,
                        )
                        old.example = new.example
                    return

    def _scaled(self, x: Any, factor: Any, rewritten: dict[Instruction, Instruction]) -> Any:
        """x * factor without a multiplication at each step; None if there is no such way.

        `rewritten`: values that have to change as well, and what they become.
        """
        if self._is_once(x):
            return self._times(x, factor) if _keeps_dtype(x, factor) else None
        return None if len(self._readers[x]) > 1 else self._weighted(x, factor, rewritten)

    def _weighted(
        self, x: Instruction, factor: Any, rewritten: dict[Instruction, Instruction]
    ) -> Instruction | None:
        inputs = list(x.inputs)
        if not _fits(factor, x):
            return None
        if any(getattr(part, "dtype", x.dtype) != x.dtype for part in inputs):
            return None  # the factor would be rounded to the dtype of what it goes into
        if x.primitive in (np.add, np.subtract):
            inputs = [self._scaled(part, factor, rewritten) for part in inputs]
            return None if any(part is None for part in inputs) else _made(x, factor, inputs)
        if x.primitive is _split:
            return self._part(x, factor, rewritten)
        for k in _WEIGHTS.get(x.primitive, ()):
            matrix = np.ndim(_example(inputs[k])) == 2
            if self._is_once(inputs[k]) and (matrix or x.primitive is not matmul):
                inputs[k] = self._scaled(inputs[k], factor, rewritten)
                return None if inputs[k] is None else _made(x, factor, inputs)
        return None

    def _part(
        self, x: Instruction, factor: Any, rewritten: dict[Instruction, Instruction]
    ) -> Instruction | None:
        """A part of an array whose other parts stay what they are."""
        whole = x.inputs[0]
        if not isinstance(whole, Instruction) or whole in rewritten:
            return None
        columns = [_columns(reader, whole) for reader in self._readers[whole] if reader is not x]
        mine = _columns(x, whole)
        if any(np.logical_and(mine, others).any() for others in columns):
            return None
        vector = np.ones(len(mine), whole.dtype)
        vector[mine] = factor
        scaled = self._weighted(whole, vector, rewritten)
        if scaled is None:
            return None
        rewritten[whole] = scaled
        return _made(x, factor, [whole])

    def _is_once(self, x: Any) -> bool:
        return not isinstance(x, Instruction) or x in self._once

    def _times(self, x: Any, factor: Any) -> Any:
        """x * factor, for what is the same at each step."""
        if not isinstance(x, Instruction):
            return x * factor
        if x in self._scaled_once:  # one factor instead of two
            x, before = x.inputs
            factor = before * factor
        made = Instruction(np.multiply, (x, factor), {}, np.multiply(x.example, factor))
        made.scope, made.order = x.scope or self._scope, x.order + _NEXT
        self._once.add(made)
        self._scaled_once.add(made)
        return made


# Which operands of a product can take a factor that belongs to the columns of the result.
_WEIGHTS = {matmul: (1,), np.multiply: (0, 1)}


def _made(x: Instruction, factor: Any, inputs: Sequence[Any]) -> Instruction:
    """The instruction of x on inputs that make its result x * factor."""
    return Instruction(
        x.primitive, tuple(inputs), x.attributes, x.example * factor, scope=x.scope, order=x.order
    )


def _fits(factor: Any, x: Instruction) -> bool:
    """Whether a factor belongs to the columns of x alone, and leaves its shape and dtype."""
    shape = np.shape(factor)
    return (
        len(shape) <= 1
        and np.broadcast_shapes(shape, x.shape) == x.shape
        and _keeps_dtype(x, factor)
    )


def _keeps_dtype(x: Any, factor: Any) -> bool:
    dtype = getattr(_example(x), "dtype", None)
    return dtype is None or bool(may_reassociate(dtype) and np.result_type(dtype, factor) == dtype)


def _example(x: Any) -> Any:
    return x.example if isinstance(x, Instruction) else x


def _columns(reader: Instruction | None, whole: Instruction) -> Any:
    """Which columns of an array an instruction reads, as a mask."""
    mask = np.zeros(whole.shape[-1], bool)
    if reader is None or reader.primitive is not _split or reader.attributes["axis"] != -1:
        mask[:] = True
    else:
        bounds = [0, *reader.attributes["places"], len(mask)]
        output = reader.attributes["output"]
        mask[bounds[output] : bounds[output + 1]] = True
    return mask
