"""Products: however a product of matrices is written, it becomes one `matmul` of two matrices.

Backends have one fast product. `np.einsum("bi,oi->bo", x, W)` is x @ W.T; a product of (B, 4, H)
with a matrix is one of (B * 4, H).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...ops import matmul
from ...ops.shapes.shape import _permute, reshape
from ..ir.instruction import Instruction, samples
from ..ir.program import Program
from ..ir.rewrite import rebuilt

__all__ = ["canonicalize_products"]


def canonicalize_products(program: Program) -> Program:
    """Needs a step. Guarantees that products with a matrix are products of two matrices."""
    new: list[Instruction] = []

    def canonical(_: Instruction, instruction: Instruction) -> Instruction:
        if instruction.traits.contraction is None or len(instruction.inputs) != 2:
            return instruction
        found = _from_subscripts(instruction, new) or _flattened(instruction, new)
        return instruction if found is None else found.called(instruction.name, instruction.origin)

    return replace(program, step=rebuilt(program.step, canonical, new))


def _from_subscripts(instruction: Instruction, new: list[Instruction]) -> Instruction | None:
    """An einsum that is a product of two matrices, possibly transposed, as that product."""
    if instruction.is_product:
        return None
    contraction = instruction.traits.contraction
    assert contraction is not None
    ndims = map(np.ndim, samples(instruction.inputs))
    operands, _, out = contraction(*ndims, **instruction.attributes).partition("->")
    x, y = operands.split(",")
    common = set(x) & set(y)
    if not all(len(set(term)) == len(term) == 2 for term in (x, y, out)) or len(common) != 1:
        return None
    (k,) = common
    if set(out) != (set(x) | set(y)) - common:
        return None
    left, right = zip((x, y), instruction.inputs)
    if out[0] in y:
        left, right = right, left
    factors = [
        _transposed(left[1], left[0][0] == k, new),
        _transposed(right[1], right[0][1] == k, new),
    ]
    return _like(instruction, Instruction.of(matmul, *factors), new)


def _transposed(x: Any, swapped: bool, new: list[Instruction]) -> Any:
    if not swapped:
        return x
    if not isinstance(x, Instruction):
        return np.transpose(x)
    new.append(Instruction.of(_permute, x, attributes={"axes": (-1, -2)}, origin=x.origin))
    return new[-1]


def _flattened(instruction: Instruction, new: list[Instruction]) -> Instruction | None:
    """A product of a batch of matrices, or of vectors, with one matrix, as one product."""
    x, y = instruction.inputs
    shapes = [np.shape(sample) for sample in samples(instruction.inputs)]
    if not instruction.is_product or [len(shapes[0]) > 2, len(shapes[1])] != [True, 2]:
        return None
    if not isinstance(x, Instruction) or 0 in shapes[0]:
        return None
    rows = int(np.prod(shapes[0][:-1]))
    flat = {"shape": (rows, shapes[0][-1])}
    long = Instruction.of(reshape, x, attributes=flat, origin=instruction.origin)
    product = Instruction.of(matmul, long, y, origin=instruction.origin)
    new += [long, product]
    whole = {"shape": instruction.shape}
    return _like(instruction, Instruction.of(reshape, product, attributes=whole), new)


def _like(
    instruction: Instruction, made: Instruction, new: list[Instruction]
) -> Instruction | None:
    """The new instruction, if it has the dtype of the one that it replaces."""
    if made.dtype == instruction.dtype:
        return made
    new.clear()
    return None
