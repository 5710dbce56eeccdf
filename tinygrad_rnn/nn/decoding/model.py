"""The interface of models for decoding: a call over a sequence, and the batch axes of the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ... import ops, pytree
from ...engine.recording.mode import no_grad
from ...engine.tensor import Tensor
from ...ops.random import use_generator
from ..recurrent.cell import Cell
from ..recurrent.run import run
from ..recurrent.step import batch_size

__all__ = ["Axes", "Forward", "Model", "advance", "batch_axes", "forward_of", "kept", "rows_of"]

Model = Callable[..., tuple[Any, Any]]
Forward = Callable[[Any, Any, Mapping[str, Any], Mapping[str, Any]], tuple[Any, Any]]
"""(x, state, inputs, constants) -> (outputs, state); time is the first axis of x and outputs."""
Axes = Sequence[int | None]
"""The batch axis of each leaf of a state; None for a leaf that the rows have in common."""


def forward_of(
    model: Model,
    embed: Callable[[Any], Any] | None,
    head: Callable[[Any], Any] | None,
    batch_first: bool,
) -> Forward:
    """The model with the functions before and after it, for sequences with time first."""
    called = _cell_over_sequence(model) if isinstance(model, Cell) else model

    def forward(
        x: Any, state: Any, inputs: Mapping[str, Any], constants: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        if batch_first:
            x, inputs = pytree.map(_first_two_exchanged, (x, dict(inputs)))
        given = {**inputs, "constants": constants} if constants else inputs
        result = called(x if embed is None else embed(x), state, **given)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(
                "a model to decode with is called as model(x, state) and returns (outputs, state); "
                f"{_name(model)} returned {pytree.described(result)}"
            )
        outputs, state = result
        if head is not None:
            outputs = head(outputs)
        return pytree.map(_first_two_exchanged, outputs) if batch_first else outputs, state

    return forward


def _cell_over_sequence(cell: Cell) -> Model:
    def layer(
        x: Any, state: Any, constants: Mapping[str, Any] | None = None, **inputs: Any
    ) -> tuple[Any, Any]:
        if state is None:
            state = cell.initial_state(pytree.leaves(x)[0].shape[1])
        return run(cell, x, state, inputs, constants or {})

    return layer


def advance(
    forward: Forward, x: Any, state: Any, inputs: Mapping[str, Any], constants: Mapping[str, Any]
) -> tuple[Any, Any]:
    """One step: the output (B, ...) for x (B, ...), and the next state."""
    timed = pytree.map(lambda leaf: ops.expand_dims(leaf, axis=0), (x, dict(inputs)))
    outputs, state = forward(timed[0], state, timed[1], constants)
    return pytree.map(lambda leaf: leaf[0], outputs), state


def batch_axes(
    forward: Forward,
    x: Any,
    state: Any,
    inputs: Mapping[str, Any],
    constants: Mapping[str, Any],
) -> Axes:
    """The batch axis of each leaf of `state`: where its shape follows the size of the batch.

    It is found by one more step, with another batch size, from the model's own initial state.
    Layers here put the batch of their states first, PyTorch's second. Random numbers drawn in that
    step do not advance the generator. ValueError for a leaf whose batch axis is ambiguous.
    """
    batch = batch_size(pytree.leaves(x)[0][0])
    other = 2 if batch == 1 else 1
    few = np.zeros(other, int)
    x, inputs = pytree.map(lambda leaf: leaf[:1][:, few], (x, dict(inputs)))
    constants = pytree.map(lambda leaf: leaf[few] if leaf.ndim else leaf, dict(constants))
    with use_generator(np.random.default_rng(0)), no_grad():
        _, probe = forward(x, None, inputs, constants)
    return [
        _batch_axis(leaf.shape, of_other.shape, batch, other)
        for leaf, of_other in zip(
            pytree.leaves(state), pytree.leaves(pytree.aligned(probe, state)), strict=True
        )
    ]


def _batch_axis(
    shape: tuple[int, ...], of_other: tuple[int, ...], batch: int, other: int
) -> int | None:
    if shape == of_other:
        return None
    pairs = list(zip(shape, of_other))
    if len(shape) != len(of_other) or sum(a != b for a, b in pairs) > 1:
        raise ValueError(
            f"a leaf of the model's state has the shape {shape} for {batch} rows and {of_other} "
            f"for {other}: it needs one axis that is the batch"
        )
    return next(k for k, (a, b) in enumerate(pairs) if a != b)


def rows_of(tree: Any, axes: Axes, rows: Any) -> Any:
    """A state of these rows of the batch."""
    leaves = zip(pytree.leaves(tree), axes, strict=True)
    return pytree.unflatten(
        tree, [leaf if k is None else ops.take(leaf, rows, axis=k) for leaf, k in leaves]
    )


def kept(mask: Tensor, before: Any, after: Any, axes: Axes) -> Any:
    """The state before where the mask (B,) is True, otherwise the one after."""
    found = []
    pairs = zip(pytree.leaves(before), pytree.leaves(pytree.aligned(after, before)), axes)
    for old, new, axis in pairs:
        if axis is not None:
            shape = [1] * new.ndim
            shape[axis] = new.shape[axis]
            new = ops.where(mask.reshape(*shape), old, new)
        found.append(new)
    return pytree.unflatten(before, found)


def _first_two_exchanged(leaf: Any) -> Any:
    return ops.swapaxes(leaf, 0, 1)


def _name(model: Any) -> str:
    return str(getattr(model, "__qualname__", type(model).__name__))
