"""Further inputs of a step, such as a time gap: what a cell takes, and what a layer is given."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import numpy as np

from ... import pytree
from ...engine.recording.node import Node
from ...engine.tensor import Tensor, from_numpy, tensor

__all__ = ["as_tensor", "check_names", "check_shapes", "is_nest", "parameters_of"]

RESERVED = ("x", "state", "lengths", "constants")  # what a layer itself is given


@cache
def parameters_of(method: Callable[..., Any]) -> tuple[dict[str, bool], bool]:
    """The parameters of a `step` or `forward` after x and the state, and whether it takes any name.

    Each name comes with whether it is required. TypeError for a name reserved by the layer.
    """
    _, *parameters = inspect.signature(method).parameters.values()
    names = {
        p.name: p.default is p.empty
        for p in parameters[2:]
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    for name in names:
        if name in RESERVED:
            raise TypeError(
                f"{method.__qualname__} calls an input {name!r}, which is an argument of the layer "
                f"itself: {', '.join(RESERVED)}. Give it another name"
            )
    return names, any(p.kind is p.VAR_KEYWORD for p in parameters)


def check_names(
    kind: str, takes: Mapping[str, bool], inputs: Collection[str], constants: Collection[str] = ()
) -> None:
    """TypeError for a name that is unknown, required but missing, or given twice."""
    given = [*inputs, *constants]
    for name in constants:
        if name in inputs:
            raise TypeError(f"{name!r} is given for each step and as one of the constants")
    listed = ", ".join(takes) if takes else "none besides x and the state"
    for name in given:
        if name not in takes:
            near = difflib.get_close_matches(name, [*takes, *RESERVED[1:]], 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise TypeError(f"{kind} takes no input {name!r}; {hint}its inputs: {listed}")
    missing = [name for name, needed in takes.items() if needed and name not in given]
    if missing:
        calls = ", ".join(f"{name}=..." for name in missing)
        raise TypeError(
            f"{kind} needs the input{'s' * (len(missing) > 1)} "
            f"{' and '.join(map(repr, missing))}: call it with {calls}; its inputs: {listed}"
        )


def check_shapes(
    kind: str, timed: Mapping[str, Any], constants: Mapping[str, Any], steps: int, batch: int
) -> None:
    """ValueError if a sequence's shape does not begin with (T, B), or a constant's with B."""
    for name, tree in timed.items():
        for leaf in pytree.leaves(tree):
            if leaf.shape[:2] != (steps, batch):
                hint = ". What is the same at every step goes in constants={...}, (B, ...)"
                raise ValueError(
                    f"{kind}: {name} must begin with the axes (T, B) = ({steps}, {batch}) as x "
                    f"does; its shape is {leaf.shape}{hint if name != 'x' else ''}"
                )
    for name, tree in constants.items():
        for leaf in pytree.leaves(tree):
            if leaf.shape[:1] not in ((), (batch,)):
                raise ValueError(
                    f"{kind}: the constant {name} must begin with the batch, ({batch}, ...); its "
                    f"shape is {leaf.shape}"
                )


def is_nest(x: Any) -> bool:
    """Whether x is a nest of arrays rather than a list of numbers."""
    return isinstance(x, dict) or any(
        isinstance(leaf, Node | np.ndarray) for leaf in pytree.leaves(x)
    )


def as_tensor(x: Any) -> Tensor:
    """A Tensor, array or list of numbers as a Tensor; an array shares its memory."""
    if isinstance(x, Tensor):
        return x
    return from_numpy(x) if isinstance(x, np.ndarray) else tensor(x)
