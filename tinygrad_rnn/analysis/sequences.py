"""What analyses are given: a cell, sequences, further inputs; checked, and in one form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import pytree
from ..engine.dtypes import is_floating
from ..engine.tensor import Tensor
from ..nn.recurrent.cell import Cell
from ..nn.recurrent.inputs import check_names

__all__ = ["Sequences", "floating", "sequences"]


class Sequences(NamedTuple):
    """x (T, B, ...), the state before, further inputs (T, B, ...) and constants (B, ...)."""

    x: Any
    state: Any
    inputs: dict[str, Tensor]
    constants: dict[str, Tensor]

    @property
    def steps(self) -> int:
        """T."""
        return len(pytree.leaves(self.x)[0])

    @property
    def rows(self) -> int:
        """B."""
        return int(pytree.leaves(self.x)[0].shape[1])


def sequences(
    what: str,
    cell: Cell,
    x: Any,
    state: Any,
    inputs: Mapping[str, Any] | None,
    constants: Mapping[str, Any] | None,
) -> Sequences:
    """The arguments of the analysis `what` as Tensors.

    TypeError if `cell` is none, or takes no input of a name; ValueError if there is no step.
    """
    if not isinstance(cell, Cell):
        raise TypeError(
            f"{what} takes a cell, such as nn.LSTMCell(3, 4), not {type(cell).__name__}"
        )
    inputs, constants = inputs or {}, constants or {}
    check_names(type(cell).__name__, cell.step_inputs(), inputs, constants)
    dtype = cell.zeros().dtype

    def as_tensor(x: Any) -> Tensor:
        if isinstance(x, Tensor):
            return x.detach()
        array = np.asarray(x)  # whose dtype is no one's choice
        return Tensor.of(array.astype(dtype) if array.dtype.kind == "f" else array)

    x = pytree.map(as_tensor, x)
    shape = pytree.leaves(x)[0].shape
    if len(shape) < 2 or not shape[0] or not shape[1]:
        raise ValueError(f"{what} takes x (T, B, ...) of a step and a row at least, got {shape}")
    state = cell.initial_state(shape[1]) if state is None else pytree.map(as_tensor, state)
    found = Sequences(
        x,
        pytree.map(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, state),
        {name: as_tensor(inputs[name]) for name in sorted(inputs)},
        {name: as_tensor(value) for name, value in constants.items()},
    )
    if not floating(found.state):
        raise ValueError(
            f"{what}: the state of {type(cell).__name__} has no floating-point numbers"
        )
    return found


def floating(state: Any) -> list[Tensor]:
    """The leaves of a state that have a gradient."""
    return [leaf for leaf in pytree.leaves(state) if is_floating(leaf._data)]


def flat(leaves: list[Tensor], axes: int = 1) -> Any:
    """The leaves (..., ...) side by side as one array whose first `axes` axes stay."""
    return np.concatenate([leaf.data.reshape(*leaf.shape[:axes], -1) for leaf in leaves], axis=-1)


def split_like(vectors: Any, leaves: list[Tensor]) -> list[Tensor]:
    """Vectors (K, B, n) as a leaf (K, B, ...) for each of the leaves (B, ...)."""
    ends = np.cumsum([leaf[0].size for leaf in leaves])[:-1]
    return [
        Tensor.of(np.ascontiguousarray(part.reshape(len(part), *leaf.shape), leaf.dtype))
        for part, leaf in zip(np.split(vectors, ends, axis=-1), leaves, strict=True)
    ]


def with_leaves(state: Any, leaves: list[Tensor]) -> Any:
    """The state with these floating leaves; the others are its own."""
    rest = iter(leaves)
    return pytree.map(lambda leaf: next(rest) if is_floating(leaf._data) else leaf, state)
