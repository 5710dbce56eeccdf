"""Truncation: how wrong the gradient is that goes back through k steps only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import pytree
from ..compiler.scan import scan
from ..engine.recording.mode import enable_grad, no_grad
from ..engine.tensor import Tensor
from ..engine.transforms import grad
from ..nn.recurrent.cell import Cell
from ..nn.recurrent.run import run
from .sequences import Sequences, sequences

__all__ = ["truncation_errors"]

Array = Any
Loss = Callable[[Any], Tensor]


def truncation_errors(
    cell: Cell,
    x: Any,
    loss: Loss | None = None,
    windows: Sequence[int] = (1, 2, 5, 10, 20, 50),
    *,
    inputs: Mapping[str, Any] | None = None,
    constants: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> dict[int, float]:
    """By the window k: |g_k - g| / |g|, with g the gradient of all parameters on x (T, B, ...).

    g_k is that of truncated backpropagation: what the loss says to the output of each step goes
    back through k steps, that step included, as by `through_time.tbptt(..., k1=1, k2=k)`. 0 is
    exact, 1 as wrong as no gradient at all; it may be more. `loss(outputs)`: a number from the
    outputs of all steps, (T, B, ...); by default they are weighted at random, from `seed`. Windows
    of T steps and more are exact, and left out. `inputs`, `constants`: as of `memory_horizon`.

    All windows of a length are run side by side, as rows of one batch, from the states of the whole
    run. ValueError for a window below 1, and as `memory_horizon`.

    >>> import tinygrad_rnn as tg
    >>> tg.manual_seed(0)
    >>> found = truncation_errors(tg.nn.LSTMCell(2, 4), tg.randn(30, 4, 2), windows=[1, 4, 16])
    >>> list(found), found[1] > found[4] > found[16]
    ([1, 4, 16], True)
    """
    given = sequences("truncation_errors", cell, x, None, inputs, constants)
    if wrong := [k for k in windows if k < 1]:
        raise ValueError(f"a window has one step at least, got {wrong[0]}")
    parameters = [p for p in cell.parameters() if p.requires_grad]
    states = _states(cell, given)
    with enable_grad():
        outputs, _ = run(cell, given.x, given.state, given.inputs, given.constants)
        weights = _weights(outputs, loss, seed)
        exact = _vector(_weighted_sum(outputs, weights), parameters)
    size = float(np.linalg.norm(exact))
    found = {}
    for k in sorted({*windows}):
        if k < given.steps:
            error = np.linalg.norm(_truncated(cell, given, states, weights, k, parameters) - exact)
            found[k] = float(error) / size if size else 0.0
    return found


def _states(cell: Cell, given: Sequences) -> Any:
    """The state before each step, (T, B, ...)."""
    constants = given.constants

    def step(state: Any, at: Any) -> tuple[Any, Any]:
        x, inputs = at
        return cell.advance(x, state, **inputs, **constants)[1], state

    with no_grad():
        return scan(step, given.state, (given.x, given.inputs), length=given.steps)[1]


def _weights(outputs: Any, loss: Loss | None, seed: int) -> list[Array]:
    """The gradient of the loss by each leaf of the outputs."""
    leaves = pytree.leaves(outputs)
    if loss is None:
        rng = np.random.default_rng(seed)
        return [rng.standard_normal(leaf.shape).astype(leaf.dtype) for leaf in leaves]
    cut = [leaf.detach() for leaf in leaves]
    for leaf in cut:
        leaf.requires_grad = leaf.dtype.kind == "f"
    found = grad(loss(pytree.unflatten(pytree.structure(outputs), cut)), cut, allow_unused=True)
    return [
        np.zeros(leaf.shape, leaf.dtype) if g is None else g.data
        for leaf, g in zip(leaves, found, strict=True)
    ]


def _weighted_sum(outputs: Any, weights: Sequence[Array]) -> Tensor:
    pairs = zip(pytree.leaves(outputs), weights, strict=True)
    total, *rest = [(leaf * w).sum() for leaf, w in pairs]
    for term in rest:
        total = total + term
    found: Tensor = total
    return found


def _vector(loss: Tensor, parameters: Sequence[Tensor]) -> Array:
    if not loss.requires_grad:
        return np.zeros(sum(p.size for p in parameters))
    found = grad(loss, parameters, allow_unused=True)
    pairs = zip(found, parameters, strict=True)
    parts = [np.zeros(p.size) if g is None else np.ravel(g.data) for g, p in pairs]
    return np.concatenate([np.asarray(part, np.float64) for part in parts])


def _truncated(
    cell: Cell,
    given: Sequences,
    states: Any,
    weights: Sequence[Array],
    k: int,
    parameters: Sequence[Tensor],
) -> Array:
    """The gradient through k steps: a row for each step's window and each row of the batch."""
    last = np.arange(given.steps)
    first = np.maximum(0, last - k + 1)
    lengths = last - first + 1
    taken = np.minimum(first + np.arange(k)[:, None], last)  # (k, T): the steps of each window

    def windows(leaf: Tensor) -> Tensor:  # (k, T B, ...)
        return Tensor.of(leaf.data[taken].reshape(k, -1, *leaf.shape[2:]))

    def rows(leaf: Tensor) -> Tensor:  # (T B, ...)
        return Tensor.of(leaf.data[first].reshape(-1, *leaf.shape[2:]))

    def repeated(leaf: Tensor) -> Tensor:
        return Tensor.of(np.tile(leaf.data, (given.steps, *[1] * (leaf.ndim - 1))))

    with enable_grad():
        outputs, _ = run(
            cell,
            pytree.map(windows, given.x),
            pytree.map(rows, states),
            {name: windows(value) for name, value in given.inputs.items()},
            {name: repeated(value) for name, value in given.constants.items()},
            lengths=np.repeat(lengths, given.rows),
        )
        each = []
        for weight in weights:  # of a window's last step alone
            placed = np.zeros((k, *weight.shape), weight.dtype)
            placed[lengths - 1, last] = weight
            each.append(placed.reshape(k, -1, *weight.shape[2:]))
        return _vector(_weighted_sum(outputs, each), parameters)
