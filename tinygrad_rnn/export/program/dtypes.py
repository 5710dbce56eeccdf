"""The dtype in which an instruction computes: NumPy's rule, for targets with other rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...compiler.ir.instruction import Instruction

__all__ = ["operand_dtypes"]


def operand_dtypes(instruction: Instruction) -> list[np.dtype[Any] | None]:
    """The dtype that each operand is cast to before the instruction; None: no cast.

    >>> x = Instruction.input(np.ones(2, np.float32))
    >>> operand_dtypes(Instruction.of(np.add, x, 1))
    [dtype('float32'), dtype('float32')]
    >>> operand_dtypes(Instruction.of(np.add, x, np.ones(2, np.int32)))
    [dtype('float64'), dtype('float64')]
    """
    if instruction.is_ufunc:
        given = [_kind(x) for x in instruction.inputs]
        return list(instruction.primitive.resolve_dtypes((*given, None))[: len(given)])
    traits, found = instruction.traits, list[Any]()
    for position, x in enumerate(instruction.inputs):
        name = instruction.primitive.input_name(position)
        keeps = name not in traits.linear | traits.multilinear and hasattr(x, "dtype")
        found.append(None if keeps else instruction.dtype)
    return found


def _kind(x: Any) -> Any:
    """As `resolve_dtypes` takes it: a dtype, or the type of a Python number."""
    if type(x) in (int, float, complex):
        return type(x)
    return np.asarray(x).dtype if not isinstance(x, Instruction) else x.dtype
