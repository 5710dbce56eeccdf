"""ShapeOnly: an array with a readable shape and dtype only, to find what a random op reads.

`rand_like(h)` draws new numbers at each step, but does not depend on the content of h. If the value
of an op can be computed from such stand-ins, it does not depend on the content of its inputs, so a
scan need not wait for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from ..ir.instruction import Instruction

__all__ = ["shape_only_inputs"]


class ShapeOnly:
    """The shape and dtype of an array. Any other access is refused."""

    __array_ufunc__ = None

    def __init__(self, example: Any) -> None:
        self.shape, self.dtype = example.shape, example.dtype
        self.ndim, self.size = example.ndim, example.size

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("an array without content")

    __array__ = __array_function__ = __bool__ = __len__ = __iter__ = __getitem__ = _refuse


def shape_only_inputs(op: Any, operands: Sequence[Any], attributes: Any, example: Any) -> list[Any]:
    """The op's inputs; constants of the same shapes if it reads only these."""
    stand_ins = [ShapeOnly(x.sample) if isinstance(x, Instruction) else x for x in operands]
    try:
        result = np.asarray(op.value(*stand_ins, **attributes))
    except Exception:  # a user's op may do anything with a value that is not an array
        return list(operands)
    if (result.shape, result.dtype) != (example.shape, example.dtype):
        return list(operands)
    return [_form(x.sample) if isinstance(x, Instruction) else x for x in operands]


def _form(example: Any) -> Any:
    """An array of that shape and dtype that takes no memory."""
    return np.broadcast_to(np.zeros((), example.dtype), example.shape)
