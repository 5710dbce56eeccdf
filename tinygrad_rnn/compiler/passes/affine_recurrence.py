"""Affine recurrences: carries with h_t = A_t h_{t-1} + b_t, element by element.

Where a carry is scaled and shifted by what it has no part in, as in a minGRU (Feng et al. 2024), or
several are by each other, as the real and the imaginary part of a linear recurrent unit (Orvieto et
al. 2023), nothing forces the steps to be taken one by one. The ops of such carries are linear, so
the coefficient of an input is the op's own gradient rule for it, applied to ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...engine.primitives.primitive import primitive_of
from ..ir.instruction import Instruction, may_reassociate
from ..ir.primitives import hold, recurrence
from .builder import Builder

__all__ = ["affine_in_carries", "choice_of", "held", "recurrences"]

MOST_COUPLED = 4  # carries in one recurrence, whose matrices are multiplied element by element


def affine_in_carries(
    chain: Sequence[Instruction], carries: Mapping[Instruction, Instruction]
) -> bool:
    """Whether the next carries are affine in the carries, element by element.

    `chain`: the instructions that depend on the carries, and that the next ones need. `carries`:
    to each the next one.
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
    """To each next carry an instruction that computes it; scales and offsets are placed."""
    forms = {carry: _Form({carry: 1.0}, None) for carry in carries}
    for value in chain:
        builder.origin = value.origin
        forms[value] = _form(builder, value, forms)
    wanted = [forms[new] if _among(new, forms) else _Form({}, new) for new in carries.values()]
    scales = [form.scales.get(carry, 0.0) for form in wanted for carry in carries]
    offsets = [0.0 if form.offset is None else form.offset for form in wanted]
    operands = (*carries, *scales, *offsets)
    return {
        new: Instruction(recurrence, operands, {}, new.sample, k, new.name, new.origin)
        for k, new in enumerate(carries.values())
    }


def choice_of(carry: Instruction, new: Instruction) -> tuple[Any, Any, bool] | None:
    """The mask, the new value, and whether it is taken where the mask is True; elsewhere the carry
    stays. None if the next carry is not such a choice."""
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


class _Form(NamedTuple):
    """A sum of scale * carry for each carry, and an offset; None stands for 0."""

    scales: dict[Instruction, Any]
    offset: Any


def _form(builder: Builder, value: Instruction, forms: Mapping[Instruction, _Form]) -> _Form:
    """The form of a linear op of forms and of values that are no forms."""
    primitive = primitive_of(value.primitive)
    assert primitive is not None
    names = [primitive.input_name(k) for k in range(len(value.inputs))]
    is_form = [_among(x, forms) for x in value.inputs]
    operands = [
        x if of_carries or name == value.traits.chooser else builder.in_dtype(x, value.dtype)
        for x, name, of_carries in zip(value.inputs, names, is_form, strict=True)
    ]
    symbols = [
        None if of_carries else _Symbol(builder, x, value) if isinstance(x, Instruction) else x
        for x, of_carries in zip(operands, is_form, strict=True)
    ]
    scales: dict[Instruction, Any] = {}
    offset: Any = None
    for k, (x, name, of_carries) in enumerate(zip(operands, names, is_form, strict=True)):
        if name not in value.traits.linear and not of_carries:
            continue
        one = np.ones((), value.dtype)
        coefficient = _plain(primitive.rule(k)(one, None, *symbols))
        form = forms[x] if of_carries else _Form({}, x)
        for carry, scale in form.scales.items():
            product = _times(builder, scale, coefficient)
            scales[carry] = _plus(builder, scales.get(carry), product)
        if form.offset is not None:
            offset = _plus(builder, offset, _times(builder, form.offset, coefficient))
    return _Form(scales, offset)


def _times(builder: Builder, x: Any, factor: Any) -> Any:
    for one, other in ((x, factor), (factor, x)):
        if isinstance(one, float) and one == 1.0:
            return other
    return builder.outside(np.multiply, x, factor)


def _plus(builder: Builder, x: Any, y: Any) -> Any:
    return y if x is None else builder.sum(x, y)


class _Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """Stands for a value while a gradient rule runs; what the rule computes is placed.

    `of`: the instruction whose coefficient it is, which has its dtype.
    """

    def __init__(self, builder: Builder, value: Instruction, of: Instruction) -> None:
        self._builder, self.value, self._of = builder, value, of

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        return NotImplemented if method != "__call__" or keywords else self._applied(ufunc, inputs)

    def __array_function__(self, function: Callable[..., Any], _: Any, inputs: Any, __: Any) -> Any:
        return self._applied(primitive_of(function), inputs)

    def _applied(self, primitive: Any, inputs: Sequence[Any]) -> Any:
        operands = [x.value if isinstance(x, _Symbol) else _plain(x) for x in inputs]
        if primitive is np.multiply:
            found = _times(self._builder, *operands)
        else:
            dtype = self._of.dtype
            operands = [np.asarray(x, dtype) if type(x) is float else x for x in operands]
            found = self._builder.apply(primitive, operands, self._builder.stage_for(operands))
        return _Symbol(self._builder, found, self._of) if isinstance(found, Instruction) else found


def _plain(x: Any) -> Any:
    """A coefficient: a Python number, an array or an instruction."""
    if isinstance(x, _Symbol):
        return x.value
    return float(x) if np.ndim(x) == 0 else x


def _among(x: Any, values: Any) -> bool:
    return isinstance(x, Instruction) and x in values
