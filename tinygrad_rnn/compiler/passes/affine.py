"""Affine forms: scale * base + offset, with scale and offset from outside the loop."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..ir.instruction import Instruction, may_reassociate
from ..ir.schedule import Stage
from .builder import Builder

__all__ = ["Affine", "AffineBuilder"]


class Affine(NamedTuple):
    """scale * base + offset; None stands for 1 and 0. Base is a value of the loop."""

    scale: Any
    base: Instruction
    offset: Any


class AffineBuilder(Builder):
    """Holds values of the loop back as affine forms, so that little is computed in the loop."""

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
        """The sum or the difference of two forms of one base."""
        scale = self.outside(fn, *(1.0 if f.scale is None else f.scale for f in (a, b)))
        if a.offset is None and b.offset is None:
            return Affine(scale, a.base, None)
        offset = self.outside(fn, *(0.0 if f.offset is None else f.offset for f in (a, b)))
        return Affine(scale, a.base, offset)

    def settled(self, form: Any, stage: Stage, name: str | None = None) -> Any:
        """A form as one value, computed at `stage` ("loop" or "after"); others as they are."""
        if not isinstance(form, Affine):
            return form
        value, scale, offset = form.base, form.scale, form.offset
        negated = isinstance(scale, float | int) and scale == -1.0
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


def _has_inverse(x: Any, dtype: Any) -> bool:
    """Whether a factor 1 / x can take the place of a division by x: of a known x it can be said."""
    if isinstance(x, Instruction):
        return False
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.divide(1.0, x, dtype=dtype)).all())
