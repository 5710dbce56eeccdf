"""Backpropagation through time, whole or truncated, from chunk to chunk of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

import numpy as np

from ... import nn, pytree
from ...engine.recording.mode import enable_grad
from ...engine.tensor import Tensor
from ...engine.transforms import grad
from .gradient import Array, Loss, TimeGradient, check_in_order

__all__ = ["bptt", "tbptt"]


def bptt(layer: nn.Recurrent, x: Tensor, loss: Loss, chunk: int | None = None) -> TimeGradient:
    """Exact: backpropagation through all steps (Werbos 1990).

    `chunk`: run this many steps at a time, and pass the gradient of the state from each chunk back
    to the one before it. ValueError if it is less than 1.

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.RNN(1, 2), tg.randn(6, 1, 1)
    >>> found = bptt(layer, x, lambda outputs, steps: (outputs**2).sum(), chunk=2)
    >>> [g.shape for g in found.gradients]
    [(2, 1), (2, 2), (2,), (2,)]
    """
    length = len(x) if chunk is None else chunk
    if length < 1:
        raise ValueError(f"bptt takes chunks of at least one step, got {chunk}")
    if length < len(x):
        check_in_order(layer)
    chunks: list[_Chunk] = []
    with enable_grad():
        for first in range(0, len(x), length):
            state = chunks[-1].final if chunks else None
            steps = slice(first, min(first + length, len(x)))
            chunks.append(_Chunk(layer, x, steps, state, loss))
        found, _ = _through(chunks, list(layer.parameters()), 0)
    return TimeGradient(sum(chunk.loss.item() for chunk in chunks), found)


def tbptt(
    layer: nn.Recurrent, x: Tensor, loss: Loss, k1: int, k2: int | None = None
) -> TimeGradient:
    """Truncated backpropagation: after every `k1` steps, through the last `k2` (k1 by default).

    The windows slide: the loss of each step goes back through at least k2 - k1 steps and at most
    k2, and each pair of a loss and a step is counted once. No step runs forward twice. With
    k2 >= T it is exact. (Williams & Peng, "An efficient gradient-based algorithm for on-line
    training of recurrent network trajectories", Neural Computation 2, 1990.) ValueError if k1 < 1
    or k2 < k1.

    >>> import tinygrad_rnn as tg
    >>> layer, x = tg.nn.GRU(2, 3), tg.randn(12, 1, 2)
    >>> found = tbptt(layer, x, lambda outputs, steps: (outputs**2).sum(), k1=2, k2=4)
    >>> [g.shape for g in found.gradients]
    [(9, 2), (9, 3), (9,), (9,)]
    """
    steps = len(x)
    k2 = k1 if k2 is None else k2
    if k1 < 1 or k2 < k1:
        raise ValueError(f"tbptt goes back through k2 >= k1 >= 1 steps, got k1={k1}, k2={k2}")
    check_in_order(layer)
    k1, k2 = min(k1, steps), min(k2, steps)
    length = gcd(k1, k2)
    parameters = list(layer.parameters())
    total, shares, value = [np.zeros(p.shape, p.dtype) for p in parameters], [], 0.0
    chunks: list[_Chunk] = []
    state: Any = None
    with enable_grad():
        for first in range(0, steps, length):
            chunk = _Chunk(layer, x, slice(first, min(first + length, steps)), state, loss)
            chunks, state = [*chunks[1 - k2 // length :], chunk][-(k2 // length) :], chunk.final
            value += chunk.loss.item()
            if chunk.steps.stop % k1 == 0 or chunk.steps.stop == steps:
                own = chunk.steps.stop - ((chunk.steps.stop - 1) // k1) * k1  # steps of this window
                found, share = _through(chunks, parameters, chunk.steps.stop - own)
                total = [a + b for a, b in zip(total, found, strict=True)]
                shares.append(share)
    return TimeGradient(value, total, float(np.sqrt(np.mean(np.square(shares)))))


class _Chunk:
    """Some steps in a row, from a state without history."""

    def __init__(self, layer: Any, x: Tensor, steps: slice, state: Any, loss: Loss) -> None:
        self.steps, self.inputs = steps, []
        if state is not None:
            state = pytree.detach(state)
            self.inputs = pytree.leaves(state)
            for leaf in self.inputs:
                leaf.requires_grad = leaf.dtype.kind == "f"
        outputs, self.final = layer(x[steps], state)
        self.loss = loss(outputs, steps)
        self.first = not self.inputs


def _through(
    chunks: Sequence[_Chunk], parameters: Sequence[Tensor], own: int
) -> tuple[list[Array], float]:
    """The gradient of the losses from step `own` on, back through the chunks; the share left."""
    total = [np.zeros(p.shape, p.dtype) for p in parameters]
    d_state: list[Any] = []
    norms = [0.0]
    for chunk in reversed(chunks):
        outputs, weights = [], []
        if chunk.steps.start >= own and chunk.loss.requires_grad:
            outputs, weights = [chunk.loss], [None]
        leaves = pytree.leaves(chunk.final) if d_state else []
        for leaf, d in zip(leaves, d_state, strict=True):
            if d is not None and leaf.requires_grad:
                outputs.append(leaf)
                weights.append(d)
        varied = [leaf for leaf in chunk.inputs if leaf.requires_grad]
        if not outputs:
            d_state = [None] * len(chunk.inputs)
            continue
        wanted = [*varied, *parameters]
        found = grad(outputs, wanted, weights, allow_unused=True, retain_graph=True)
        of = dict(zip(map(id, varied), found))
        d_state = [of.get(id(leaf)) for leaf in chunk.inputs]
        norms.append(float(np.sqrt(sum((d.data**2).sum() for d in d_state if d is not None))))
        for k, d in enumerate(found[len(varied) :]):
            if d is not None:
                total[k] = total[k] + d.data
    left = 0.0 if chunks[0].first or not max(norms) else norms[-1] / max(norms)
    return total, left
