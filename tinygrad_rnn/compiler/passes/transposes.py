"""Transposes: two become one or none, and the transpose of a product becomes a product.

The gradient rule of x @ W.T gives (x.T @ grad).T for W. Written as grad.T @ x it needs no
transpose, and its memory is laid out like that of W.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...ops.shapes.shape import _permute
from ..ir.instruction import Instruction
from ..ir.program import Program
from ..ir.rewrite import rebuilt

__all__ = ["permutation", "simplify_transposes"]


def simplify_transposes(program: Program) -> Program:
    """Needs a step. Guarantees that nothing is a transpose of a transpose."""
    new: list[Instruction] = []

    def simplified(_: Instruction, instruction: Instruction) -> Any:
        order = permutation(instruction)
        if order is None:
            return instruction
        return _transposed(instruction.inputs[0], order, instruction, new)

    return replace(program, step=rebuilt(program.step, simplified, new))


def permutation(instruction: Any) -> tuple[int, ...] | None:
    """The order of axes that a transpose gives its input; None for other instructions."""
    if not isinstance(instruction, Instruction) or instruction.traits.permutation is None:
        return None
    return instruction.traits.permutation(**instruction.attributes)


def _transposed(x: Any, order: tuple[int, ...], like: Instruction, new: list[Instruction]) -> Any:
    """x with its axes in that order, as the transpose `like` would put them."""
    before = permutation(x)
    if before is not None:
        order = tuple(before[axis] for axis in order)
        x = x.inputs[0]
        if order == tuple(range(-len(order), 0)):
            return x
        return _transposed(x, order, like, new)
    if order == (-1, -2) and _is_product_of_matrices(x):
        if any(permutation(factor) is not None for factor in x.inputs):
            factors = [_transposed(factor, order, like, new) for factor in reversed(x.inputs)]
            return _kept(
                Instruction.of(x.primitive, *factors, name=like.name, origin=x.origin), new
            )
    if x is like.inputs[0] and order == permutation(like):
        return like
    made = Instruction.of(_permute, x, attributes={"axes": order}, origin=like.origin)
    return _kept(made, new)


def _kept(made: Instruction, new: list[Instruction]) -> Instruction:
    new.append(made)
    return made


def _is_product_of_matrices(x: Any) -> bool:
    return isinstance(x, Instruction) and x.is_matrix_product and len(x.depends_on) == 2
