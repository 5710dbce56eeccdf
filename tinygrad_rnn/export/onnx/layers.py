"""The recurrent operators of ONNX, LSTM, GRU and RNN, for scans of the same cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ... import nn
from ..program.loop import Loop, Parts
from .graph import OnnxGraph, Value

__all__ = ["operator"]


def operator(g: OnnxGraph, made: Loop, given: Parts) -> list[Value] | None:
    """The ys and the last carry from an operator; None if there is none for this scan.

    The cell is exactly of a type in `CELLS`, its weights are in the file, its dtype is float32 (the
    runtime's operators support no other), and its output is its state.
    """
    kind = CELLS.get(type(made.owner))
    weights = {
        name: g.constants[leaf.name]
        for name, leaf in zip(made.leaves, given.leaves)
        if name is not None and leaf.name in g.constants
    }
    if kind is None or len(weights) < len(given.leaves) or len(given.xs) != 1:
        return None
    if made.step.ys != made.step.next_carry[:1]:
        return None
    if any(x.dtype != np.float32 for x in (*given.xs, *given.carry, *given.leaves)):
        return None
    name, order, options = kind(made.owner)
    w, r, b = (g.constant(x[None], np.float32) for x in _arranged(weights, order))
    lengths: Value | str = "" if given.lengths is None else g.cast(given.lengths, np.int32)
    states = [_front(g, state) for state in given.carry]
    direction = "reverse" if made.reverse else "forward"
    outputs = g.add_all(
        name,
        [given.xs[0], w, r, b, lengths, *states],
        1 + len(states),
        hidden_size=made.owner.hidden_size,
        direction=direction,
        **options,
    )
    one = g.constant([1], np.int64)
    ys = g.add("Squeeze", Value(outputs[0], np.dtype(np.float32), 4), one, ndim=3)
    finals = [
        g.add("Squeeze", Value(name, np.dtype(np.float32), 3), g.constant([0], np.int64), ndim=2)
        for name in outputs[1:]
    ]
    if given.lengths is not None:  # a sequence of length 0 ends in its initial state
        zero = g.constant(0, given.lengths.dtype)
        some = g.add("Greater", given.lengths, zero, dtype=np.dtype(bool))
        some = g.add("Unsqueeze", some, one, ndim=2)
        pairs = zip(finals, given.carry)
        finals = [g.add("Where", some, f, c, dtype=f.dtype, ndim=2) for f, c in pairs]
    return [ys, *finals]


def _front(g: OnnxGraph, state: Value) -> Value:
    """(B, H) as (1, B, H): one direction."""
    return g.add("Unsqueeze", state, g.constant([0], np.int64), ndim=3)


def _arranged(weights: Mapping[str, Any], order: Sequence[int]) -> tuple[Any, Any, Any]:
    """W, R and B, with the gates in ONNX's order."""
    gates = len(order)

    def ordered(x: Any) -> Any:
        parts = np.split(x, gates)
        return np.concatenate([parts[k] for k in order])

    w, r = ordered(weights["weight_ih"]), ordered(weights["weight_hh"])
    zeros = np.zeros(len(w), w.dtype)
    biases = (ordered(weights.get(name, zeros)) for name in ("bias_ih", "bias_hh"))
    return w, r, np.concatenate([*biases])


Kind = tuple[str, Sequence[int], dict[str, Any]]

CELLS: dict[type[nn.Cell], Callable[[Any], Kind]] = {
    nn.LSTMCell: lambda cell: ("LSTM", (0, 3, 1, 2), {}),  # of i, f, g, o: i, o, f, c
    nn.GRUCell: lambda cell: ("GRU", (1, 0, 2), {"linear_before_reset": 1}),  # of r, z, n: z, r, h
    nn.RNNCell: lambda cell: ("RNN", (0,), {"activations": [cell.nonlinearity.title()]}),
}
"""Exactly these types: a subclass may do something else."""
