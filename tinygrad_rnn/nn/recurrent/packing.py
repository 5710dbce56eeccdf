"""Packing: the states of a layer's cells as one argument and one result.

A list of them fits any cells: `checked_list`. PyTorch's recurrent layers stack them instead, which
needs states of one structure and shape: `stacked` and `unstacked`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import ops, pytree
from .step import as_state

__all__ = ["checked_list", "stacked", "unstacked"]


def checked_list(layer: str, state: Any, own: Sequence[Any]) -> list[Any]:
    """The given states, with arrays made Tensors, in the order of the cells' `own` states.

    ValueError for the wrong number of states, or for one unlike the cell's own.
    """
    if not isinstance(state, list) or len(state) != len(own):
        raise ValueError(
            f"{layer} takes a list of {len(own)} state{'s' * (len(own) != 1)}, entry "
            "layer * directions + direction, as it returns: "
            f"{pytree.described([*own])}; it was given {pytree.described(state)}"
        )
    found = []
    for place, (given, expected) in enumerate(zip(state, own, strict=True)):
        if not _fits(given, expected):
            raise ValueError(
                f"{layer} takes a state like {pytree.described(expected)} at place {place} of the "
                f"list; it was given {pytree.described(given)}"
            )
        found.append(pytree.map(as_state, pytree.aligned(given, expected), expected))
    return found


def stacked(states: Sequence[Any]) -> Any:
    """One state of the cells' structure; each leaf (num_layers * directions, B, ...)."""
    return pytree.map(lambda *leaves: ops.stack(leaves), *states)


def unstacked(layer: str, state: Any, own: Sequence[Any]) -> list[Any]:
    """The states in a stacked one. ValueError for one that does not fit."""
    expected = pytree.map(lambda leaf: np.empty((len(own), *leaf.shape), leaf.dtype), own[0])
    if not _fits(state, expected):
        raise ValueError(
            f"{layer} takes a state like {pytree.described(expected)}, with the axes "
            "(num_layers * directions, B, ...) as in the state that it returns; it was given "
            f"{pytree.described(state)}"
        )
    state = pytree.map(as_state, pytree.aligned(state, expected), expected)
    return [pytree.map(lambda leaf, k=k: leaf[k], state) for k in range(len(own))]


def _fits(state: Any, expected: Any) -> bool:
    """Whether structure and shapes are as expected."""
    try:
        pairs = zip(
            pytree.leaves(pytree.aligned(state, expected)), pytree.leaves(expected), strict=True
        )
        return all(np.shape(given) == leaf.shape for given, leaf in pairs)
    except ValueError:
        return False
