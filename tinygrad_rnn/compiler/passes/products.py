"""Products: every form of a product of two arrays becomes one `matmul`, if possible.

Backends have one fast product. `np.einsum("bi,oi->bo", x, W)` is x @ W.T. Several axes of rows,
columns or sums are merged into one each. An axis that all three arrays have becomes the batch axis
of a batch of matrices. A product of (B, 4, H) with a matrix becomes one of (B * 4, H).
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ...ops import matmul
from ...ops.shapes.shape import _permute, reshape
from ..ir.instruction import Instruction, samples
from ..ir.program import Program
from ..ir.rewrite import rebuilt

__all__ = ["canonicalize_products"]


def canonicalize_products(program: Program) -> Program:
    """Needs a step. Guarantees that products of two arrays are products of matrices.

    The exceptions are an einsum that sums over an axis of a single array, or takes a diagonal.
    """
    new: list[Instruction] = []

    def canonical(_: Instruction, instruction: Instruction) -> Instruction:
        if instruction.traits.contraction is None or len(instruction.inputs) != 2:
            return instruction
        found = _from_subscripts(instruction, new) or _flattened(instruction, new)
        return instruction if found is None else found.called(instruction.name, instruction.origin)

    return replace(program, step=rebuilt(program.step, canonical, new))


def _from_subscripts(instruction: Instruction, new: list[Instruction]) -> Instruction | None:
    """An einsum as a product of matrices, or of batches of them, in some order of the axes."""
    if instruction.is_product or 0 in instruction.shape:
        return None
    contraction = instruction.traits.contraction
    assert contraction is not None
    arrays = samples(instruction.inputs)
    operands, _, out = contraction(*map(np.ndim, arrays), **instruction.attributes).partition("->")
    x, y = operands.split(",")
    unlike = any(len(set(term)) < len(term) or "." in term for term in (x, y, out))
    if unlike or (set(x) ^ set(y)) - set(out):
        return None
    sizes = dict(zip(x + y, (*np.shape(arrays[0]), *np.shape(arrays[1])), strict=True))
    batch = [letter for letter in out if letter in x and letter in y]
    summed = [letter for letter in x if letter not in out]
    factors = instruction.inputs
    if next((letter in y for letter in out if letter not in batch), False):
        x, y, factors = y, x, factors[::-1]  # (rather y @ x than a transpose)
    rows = [letter for letter in out if letter in x and letter not in batch]
    columns = [letter for letter in out if letter in y and letter not in batch]
    if not (summed and rows and columns) or 0 in sizes.values():
        return None
    left = _arranged(factors[0], x, [batch, rows, summed], sizes, new)
    right = _arranged(factors[1], y, [batch, summed, columns], sizes, new)
    new.append(Instruction.of(matmul, left, right, origin=instruction.origin))
    order = [*batch, *rows, *columns]
    whole = _shaped(new[-1], [sizes[letter] for letter in order], new)
    found = _permuted(whole, [order.index(letter) for letter in out], new)
    if found is new[-1]:
        new.pop()
    return _like(instruction, found, new)


def _arranged(
    x: Any,
    term: str,
    groups: list[list[str]],
    sizes: dict[str, int],
    new: list[Instruction],
) -> Any:
    """x with the letters of each group as one axis; those of the first, the batch, as they are."""
    batch, *others = groups
    x = _permuted(x, [term.index(letter) for group in groups for letter in group], new)
    shape = [sizes[letter] for letter in batch]
    return _shaped(x, [*shape, *(prod(sizes[n] for n in group) for group in others)], new)


def _permuted(x: Any, axes: list[int], new: list[Instruction]) -> Any:
    if axes == sorted(axes):
        return x
    if not isinstance(x, Instruction):
        return np.transpose(x, axes)
    attributes = {"axes": tuple(axis - len(axes) for axis in axes)}
    new.append(Instruction.of(_permute, x, attributes=attributes, origin=x.origin))
    return new[-1]


def _shaped(x: Any, shape: list[int], new: list[Instruction]) -> Any:
    if list(np.shape(x)) == shape:
        return x
    if not isinstance(x, Instruction):
        return np.reshape(x, shape)
    attributes = {"shape": tuple(shape)}
    new.append(Instruction.of(reshape, x, attributes=attributes, origin=x.origin))
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
