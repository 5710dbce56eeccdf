"""Structure of a step: how its next state depends on the state, element by element.

Whether the Jacobian of the next state with respect to the state is diagonal, block or dense, and
whether the step is affine in its state, follows from the traits of its ops. For each axis of a
carry, the analysis tracks the position along that axis that each element of a value depends on. An
elementwise op joins the positions of its operands; an op that only moves elements is run on the
positions; a product or reduction keeps positions that are equal along the axes it sums over. The
batch, the first axis, is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .instruction import Instruction, inputs_of, samples
from .step import Step, needed_for

__all__ = ["Dependence", "NextCarry", "structure_of"]

Array = Any
_NONE = -1  # the position of an element that does not depend on the carry


class Dependence(NamedTuple):
    """How a next carry depends on carry number `carry`.

    `kind`: "diagonal": each element on the one in its own position; "permuted": each on one
    element, in another position; "block": on those with the same position along `axes`; "dense": on
    any. `because`: the instruction that causes it, None for a diagonal.
    """

    carry: int
    kind: str
    axes: tuple[int, ...]
    because: Instruction | None


class NextCarry(NamedTuple):
    """What a next carry depends on; empty for a delayed input.

    `not_affine`: the first instruction that is not affine in the state, None if all are.
    """

    dependences: tuple[Dependence, ...]
    not_affine: Instruction | None


def structure_of(step: Step) -> list[NextCarry]:
    """The structure of each next carry of a step."""
    instructions = needed_for(step.next_carry, step.instructions)
    dependences: list[list[Dependence]] = [[] for _ in step.next_carry]
    for number, carry in enumerate(step.carry):
        axes = range(1 if carry.sample.ndim > 1 else 0, carry.sample.ndim)
        places = [_Places(carry, axis, instructions) for axis in axes]
        behind = _depending_on([carry], instructions)
        for found, new in zip(dependences, step.next_carry, strict=True):
            if isinstance(new, Instruction) and new in behind:
                found.append(_dependence(number, carry, new, places))
    moving = _depending_on(step.carry, instructions)
    bent = [v for v in instructions if v in moving and not v.affine_in(_positions(v, moving))]
    return [
        NextCarry(tuple(found), next(iter(needed_for([new], bent)), None))
        for found, new in zip(dependences, step.next_carry, strict=True)
    ]


def _depending_on(
    carries: Iterable[Instruction], instructions: Iterable[Instruction]
) -> set[Instruction]:
    found = {*carries}
    for value in instructions:
        if not found.isdisjoint(value.depends_on):
            found.add(value)
    return found


def _positions(value: Instruction, values: set[Instruction]) -> list[int]:
    """The positions of those inputs that are among the values."""
    return [k for k, x in enumerate(value.inputs) if isinstance(x, Instruction) and x in values]


def _dependence(
    number: int, carry: Instruction, new: Instruction, places: Sequence[_Places]
) -> Dependence:
    """How a next carry depends on a carry, from the positions along each axis of it."""
    lost = [p.lost[new] for p in places if new in p.lost]
    known = [p for p in places if new not in p.lost]
    same = [p for p in known if _is_own_place(p.of[new], p.axis, carry.shape)]
    if len(same) == len(places):
        return Dependence(number, "diagonal", (), None)
    if not lost:
        return Dependence(number, "permuted", (), new)
    axes = tuple(p.axis for p in same)
    return Dependence(number, "block" if axes else "dense", axes, lost[0])


def _is_own_place(place: Array, axis: int, shape: tuple[int, ...]) -> bool:
    return place.shape == shape and bool(np.all((place == _NONE) | (place == _own(axis, shape))))


def _own(axis: int, shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(
        np.arange(shape[axis]).reshape(-1, *(1,) * (len(shape) - axis - 1)), shape
    )


class _Places:
    """For each value, the position along an axis of a carry that its elements depend on.

    `lost`: for a value whose elements depend on several positions, the instruction that caused it.
    """

    def __init__(self, carry: Instruction, axis: int, instructions: Iterable[Instruction]) -> None:
        self.axis = axis
        self.of: dict[Instruction, Array] = {carry: _own(axis, carry.shape)}
        self.lost: dict[Instruction, Instruction] = {}
        for value in instructions:
            inputs = value.depends_on
            causes = [self.lost[x] for x in inputs if x in self.lost]
            if causes:
                self.lost[value] = causes[0]
            elif any(x in self.of for x in inputs):
                place = self._after(value)
                if place is None:
                    self.lost[value] = value
                else:
                    self.of[value] = place

    def _after(self, value: Instruction) -> Array | None:
        """The positions of a value, from those of its inputs; None if an element has several."""
        places = [
            self.of[x] if isinstance(x, Instruction) and x in self.of else np.full(shape, _NONE)
            for x, shape in zip(value.inputs, map(np.shape, samples(value.inputs)), strict=True)
        ]
        traits = value.traits
        if traits.elementwise:
            return _together(places, value.shape)
        if traits.view and not inputs_of(value.inputs[1:]):  # such as x[constant indices]
            return np.asarray(value.compute(places[0], *value.inputs[1:]))
        if traits.places is not None:
            return np.asarray(value.compute(*places))
        if traits.contraction is not None:
            return _contracted(value, places)
        axis = value.attributes.get("axis")
        if traits.leading_axes and axis is not None and len(places) == 1:
            return _along(axis, places[0], value.shape)
        everywhere = [_same_along(place, None, keepdims=False) for place in places]
        return _together(everywhere, value.shape)


def _together(places: Sequence[Array | None], shape: tuple[int, ...]) -> Array | None:
    """The positions of elements that depend on several arrays, broadcast to a shape."""
    found = np.full(shape, _NONE)
    for place in places:
        if place is None:
            return None
        if ((found != _NONE) & (place != _NONE) & (found != place)).any():
            return None
        found = np.maximum(found, place)
    return found


def _same_along(place: Array, axis: Any, keepdims: bool) -> Array | None:
    """The position along these axes (None: all), if there is only one."""
    last = place.max(axis, keepdims=True, initial=_NONE)
    if not np.all((place == _NONE) | (place == last)):
        return None
    return last if keepdims else last.squeeze(axis)


def _along(axis: Any, place: Array, shape: tuple[int, ...]) -> Array | None:
    """For an op that combines the elements along an axis."""
    found = _same_along(place, axis, keepdims=len(shape) == place.ndim)
    return None if found is None else np.broadcast_to(found, shape)


def _contracted(value: Instruction, places: Sequence[Array]) -> Array | None:
    """For a product: the positions of each factor, joined along the summed axes."""
    assert value.traits.contraction is not None
    subscripts = value.traits.contraction(*(p.ndim for p in places), **value.attributes)
    terms, _, out = subscripts.replace("...", ".").partition("->")
    found = []
    for term, place in zip(terms.split(","), places, strict=True):
        letters = "".join(dict.fromkeys(term.replace(".", "")))
        dots = "..." * ("." in term)
        place = np.einsum(f"{term.replace('.', '...')}->{dots}{letters}", place)
        summed = tuple(k - len(letters) for k, letter in enumerate(letters) if letter not in out)
        one = _same_along(place, summed, keepdims=False) if summed else place
        if one is None:
            return None
        kept = "".join(letter for letter in letters if letter in out)
        ordered = "".join(letter for letter in out if letter in kept)
        one = np.einsum(f"{dots}{kept}->{dots}{ordered}", one)
        behind = [slice(None) if letter in kept else None for letter in out if letter != "."]
        found.append(one[(..., *behind)])
    return _together(found, value.shape)
