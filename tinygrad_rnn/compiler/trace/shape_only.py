"""ShapeOnly: an array that shows its shape and dtype alone, to find out what a random op reads.

`rand_like(h)` is drawn anew at each step, but it is the same whatever h contains. An op whose value
can be computed from such stand-ins does not depend on its inputs' content, so that a scan need not
wait for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from ..ir.instruction import Instruction

__all__ = ["shape_only_inputs"]


class ShapeOnly:
    """Shape and dtype of an array. Whatever asks for more is refused."""

    __array_ufunc__ = None

    def __init__(self, example: Any) -> None:
        self.shape, self.dtype = example.shape, example.dtype
        self.ndim, self.size = example.ndim, example.size

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("an array without content")

    __array__ = __array_function__ = __bool__ = __len__ = __iter__ = __getitem__ = _refuse


def shape_only_inputs(op: Any, operands: Sequence[Any], attributes: Any, example: Any) -> list[Any]:
    """The op's inputs; if it views only at their forms, constants of those."""
    stand_ins = [ShapeOnly(x.sample) if isinstance(x, Instruction) else x for x in operands]
    try:
        result = np.asarray(op.value(*stand_ins, **attributes))
    except Exception:  # whatever an op of a user's does with what is no array
        return list(operands)
    if (result.shape, result.dtype) != (example.shape, example.dtype):
        return list(operands)
    return [_form(x.sample) if isinstance(x, Instruction) else x for x in operands]


def _form(example: Any) -> Any:
    """An array of that form that takes no memory."""
    return np.broadcast_to(np.zeros((), example.dtype), example.shape)
