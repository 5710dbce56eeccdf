"""The norms of products of Jacobians: each state by every state before it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...norms import norm

__all__ = ["norms_of_products"]

Array = Any


def norms_of_products(
    slices: dict[str, slice], jacobians: Array, by_x: Array | None
) -> tuple[dict[tuple[str, str], Array], dict[str, Array]]:
    """`state_norms` and `input_norms`."""
    length, n = jacobians.shape[:2]
    starts = [place.start for place in slices.values()]
    by_state = np.zeros((len(slices), len(slices), length, length))
    by_input = np.full((len(slices), length, length), np.nan if by_x is None else 0.0)
    to = np.empty(
        (length, n, n)
    )  # the transposed Jacobians of the current state by each state before
    for t, jacobian in enumerate(jacobians):
        to[:t] = (to[:t].reshape(-1, n) @ jacobian.T).reshape(t, n, n)
        to[t] = np.eye(n)
        before = to[: t + 1]
        by_state[:, :, t, : t + 1] = _block_norms(before, starts, starts).transpose(2, 1, 0)
        if by_x is not None:
            from_x = by_x[: t + 1].swapaxes(1, 2) @ before
            by_input[:, t, : t + 1] = _block_norms(from_x, [0], starts)[:, 0].T
    names = [*slices]
    states = {(a, b): by_state[i, j] for i, a in enumerate(names) for j, b in enumerate(names)}
    return states, dict(zip(names, by_input, strict=True))


def _block_norms(array: Array, rows: list[int], columns: list[int]) -> Array:
    """The norms of the blocks of each matrix (T, m, n) that start at these rows and columns.

    Very small blocks are scaled first, so that their squares do not underflow.
    """
    squares = np.add.reduceat(array * array, columns, axis=2)
    squares = np.add.reduceat(squares, rows, axis=1)
    norms: Array = np.sqrt(squares)
    for t, a, b in np.argwhere(~((squares > 1e-200) & (squares < 1e200))):
        block = np.split(np.split(array[t], rows[1:])[a], columns[1:], axis=1)[b]
        norms[t, a, b] = norm(block)
    return norms
