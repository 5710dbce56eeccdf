"""Affine forms: a sum of scale * base, and an offset, with scales and offset from outside the loop.

The ops of such forms are linear, so the coefficient of an input is the op's own gradient rule for
that input, applied to ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...engine.primitives.primitive import primitive_of
from ..ir.instruction import Instruction, inputs_of, is_product_of_elements, may_reassociate
from ..ir.schedule import Stage
from .builder import Builder

__all__ = ["Affine", "AffineBuilder", "Form", "combined"]


class Form(NamedTuple):
    """A sum of scale * base over some bases, and an offset; None is 0."""

    scales: dict[Instruction, Any]
    offset: Any


def combined(builder: Builder, value: Instruction, operands: Sequence[Any]) -> Form:
    """The form of a linear op of forms, and of placed values that have no form."""
    primitive = primitive_of(value.primitive)
    assert primitive is not None
    names = [primitive.input_name(k) for k in range(len(operands))]
    given = [
        x
        if isinstance(x, Form) or name == value.traits.chooser
        else builder.in_dtype(x, value.dtype)
        for x, name in zip(operands, names, strict=True)
    ]
    symbols = [
        None if isinstance(x, Form) else _Symbol(builder, x, value) if _placed(x) else x
        for x in given
    ]
    scales: dict[Instruction, Any] = {}
    offset: Any = None
    for k, (x, name) in enumerate(zip(given, names, strict=True)):
        if not isinstance(x, Form) and name not in value.traits.linear:
            continue
        one = np.ones((), value.dtype)
        coefficient = _plain(primitive.rule(k)(one, None, *symbols))
        form = x if isinstance(x, Form) else Form({}, x)
        for base, scale in form.scales.items():
            scales[base] = _plus(builder, scales.get(base), scale, coefficient)
        if form.offset is not None:
            offset = _plus(builder, offset, form.offset, coefficient)
    return Form(scales, offset)


class Affine(NamedTuple):
    """scale * base + offset, where None stands for 1 and 0; base is a value of the loop."""

    scale: Any
    base: Instruction
    offset: Any

    @property
    def form(self) -> Form:
        """The same as a sum of one term."""
        return Form({self.base: 1.0 if self.scale is None else self.scale}, self.offset)


class AffineBuilder(Builder):
    """Keeps values of the loop as affine forms, so that little is computed in the loop."""

    def folded(self, value: Instruction, forms: list[Any]) -> Affine | None:
        """The affine form of a value, given its inputs' forms; None if it has none."""
        bases = {form.base for form in forms if isinstance(form, Affine)}
        if len(bases) != 1 or not may_reassociate(value.dtype):
            return None
        (base,) = bases
        if (base.shape, base.dtype) != (value.shape, value.dtype) or not self._folds(value, forms):
            return None
        operands = [form.form if isinstance(form, Affine) else form for form in forms]
        scales, offset = combined(self, value, operands)
        return Affine(None if _is(scales[base], 1.0) else scales[base], base, offset)

    def _folds(self, value: Instruction, forms: list[Any]) -> bool:
        """Whether an op maps forms of one base to a form without changing any result."""
        traits = value.traits
        plain = traits.elementwise and traits.pure and not value.attributes
        places = [k for k, form in enumerate(forms) if isinstance(form, Affine)]
        if not plain or traits.chooser is not None or not value.affine_in(places):
            return False
        if traits.commutative or not traits.multilinear:
            return True
        # A quotient. Multiply by 1 / x instead of dividing by a known x, if 1 / x is finite.
        others = [form for k, form in enumerate(forms) if k not in places]
        with np.errstate(all="ignore"):
            return not inputs_of(others) and all(
                np.isfinite(np.divide(1.0, x, dtype=value.dtype)).all() for x in others
            )

    def settled(self, form: Any, stage: Stage, name: str | None = None) -> Any:
        """A form as one value, computed at `stage` ("loop" or "after"); other values unchanged."""
        if not isinstance(form, Affine):
            return form
        value, scale, offset = form.base, form.scale, form.offset
        negated = _is(scale, -1.0)
        if negated and offset is not None:
            return self.apply(np.subtract, (offset, value), stage, name)
        last = None if offset is not None else name
        if negated:
            value = self.apply(np.negative, (value,), stage, last)
        elif scale is not None:
            value = self.apply(np.multiply, (value, scale), stage, last)
        if offset is not None:
            value = self.apply(np.add, (value, offset), stage, name)
        return value


def _is(x: Any, number: float) -> bool:
    return isinstance(x, float) and x == number


def _times(builder: Builder, x: Any, factor: Any) -> Any:
    for one, other in ((x, factor), (factor, x)):
        if _is(one, 1.0):
            return other
        if _is(one, -1.0):
            return builder.outside(np.negative, other)
    return builder.outside(np.multiply, x, factor)


def _plus(builder: Builder, total: Any, x: Any, coefficient: Any) -> Any:
    """total + coefficient * x; a total of None is 0."""
    if total is None:
        return _times(builder, x, coefficient)
    if _is(coefficient, -1.0):
        return builder.outside(np.subtract, total, x)
    return builder.sum(total, _times(builder, x, coefficient))


class _Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """A stand-in for a value while a gradient rule runs; the ops of the rule are placed.

    `of`: the instruction whose coefficient it is, which determines the dtype.
    """

    def __init__(self, builder: Builder, value: Instruction, of: Instruction) -> None:
        self._builder, self.value, self._of = builder, value, of

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        return NotImplemented if method != "__call__" or keywords else self._applied(ufunc, inputs)

    def __array_function__(self, function: Callable[..., Any], _: Any, inputs: Any, __: Any) -> Any:
        return self._applied(primitive_of(function), inputs)

    def _applied(self, primitive: Any, inputs: Sequence[Any]) -> Any:
        operands = [x.value if isinstance(x, _Symbol) else _plain(x) for x in inputs]
        if is_product_of_elements(primitive):
            found = _times(self._builder, *operands)
        else:
            dtype = self._of.dtype
            operands = [np.asarray(x, dtype) if type(x) is float else x for x in operands]
            found = self._builder.apply(primitive, operands, self._builder.stage_for(operands))
        return _Symbol(self._builder, found, self._of) if _placed(found) else found


def _plain(x: Any) -> Any:
    """A coefficient: a Python number, an array or an instruction."""
    if isinstance(x, _Symbol):
        return x.value
    return float(x) if np.ndim(x) == 0 else x


def _placed(x: Any) -> bool:
    return isinstance(x, Instruction)
