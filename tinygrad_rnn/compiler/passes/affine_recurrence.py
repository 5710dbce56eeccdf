"""Affine recurrences: carries with h_t = A_t h_{t-1} + b_t, element by element.

In a minGRU (Feng et al. 2024) a carry is scaled and shifted by values that do not depend on it. In
a linear recurrent unit (Orvieto et al. 2023) the real and the imaginary part are scaled and shifted
by each other. Such steps need not be computed one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ir.instruction import Instruction, may_reassociate
from ..ir.primitives import hold, recurrence
from .affine import Form, combined
from .builder import Builder

__all__ = ["affine_in_carries", "choice_of", "held", "recurrences"]

MOST_COUPLED = 4  # carries in one recurrence, whose matrices are multiplied element by element


def affine_in_carries(
    chain: Sequence[Instruction], carries: Mapping[Instruction, Instruction]
) -> bool:
    """Whether the next carries are affine in the carries, element by element.

    `chain`: the instructions that depend on the carries and that the next carries need. `carries`:
    the next value of each carry.
    """
    first = next(iter(carries))
    form, dependent = (first.shape, first.dtype), {*carries, *chain}
    if len(carries) > MOST_COUPLED or not may_reassociate(first.dtype):
        return False
    return all((x.shape, x.dtype) == form for x in [*carries, *chain]) and all(
        value.traits.elementwise
        and value.traits.pure
        and not value.attributes
        and value.affine_in([k for k, x in enumerate(value.inputs) if _among(x, dependent)])
        for value in chain
    )


def recurrences(
    builder: Builder, chain: Sequence[Instruction], carries: Mapping[Instruction, Instruction]
) -> dict[Instruction, Instruction]:
    """For each next carry an instruction that computes it; scales and offsets are placed."""
    forms = {carry: Form({carry: 1.0}, None) for carry in carries}

    def form(x: Any) -> Any:
        return forms[x] if _among(x, forms) else x

    for value in chain:
        builder.origin = value.origin
        forms[value] = combined(builder, value, [form(x) for x in value.inputs])
    wanted = [form(new) if _among(new, forms) else Form({}, new) for new in carries.values()]
    scales = [form.scales.get(carry, 0.0) for form in wanted for carry in carries]
    offsets = [0.0 if form.offset is None else form.offset for form in wanted]
    operands = (*carries, *scales, *offsets)
    return {
        new: Instruction(recurrence, operands, {}, new.sample, k, new.name, new.origin)
        for k, new in enumerate(carries.values())
    }


def choice_of(carry: Instruction, new: Instruction) -> tuple[Any, Any, bool] | None:
    """The mask, the new value, and whether a True in the mask selects it.

    None if the next carry is not such a choice.
    """
    while new.is_copy and isinstance(new.inputs[0], Instruction):
        new = new.inputs[0]
    if new.traits.chooser is None or (new.shape, new.dtype) != (carry.shape, carry.dtype):
        return None
    mask, x, y = new.inputs
    if (x is carry) == (y is carry) or mask is carry:
        return None
    return mask, y if x is carry else x, y is carry


def held(
    builder: Builder, carry: Instruction, new: Instruction, choice: tuple[Any, Any, bool]
) -> Instruction:
    """An instruction that computes the next carry; its operands are placed."""
    mask, x, where_true = choice
    chosen = mask if where_true else builder.outside(np.logical_not, mask)
    inputs = (carry, chosen, builder.in_dtype(x, carry.dtype))
    return Instruction(hold, inputs, {}, new.sample, None, new.name, new.origin)


def _among(x: Any, values: Any) -> bool:
    return isinstance(x, Instruction) and x in values
