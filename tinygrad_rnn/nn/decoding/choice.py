"""The choice of the next token from its scores: greedy, or sampled from the likeliest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ... import ops
from ...engine.tensor import Tensor

__all__ = ["Choice", "Stop", "choice", "log_prob_of", "stopping"]

Choice = Callable[[Tensor], Any]
Stop = int | Iterable[int] | Callable[[Any], Any]


def choice(temperature: float, top_k: int | None, top_p: float | None) -> Choice:
    """A function from scores (B, V) to tokens (B,), each row independently.

    A token is sampled as the one with the largest score / temperature + noise from the standard
    Gumbel distribution, which samples from the softmax (Gumbel 1954). ValueError for a number out
    of range.
    """
    if not temperature >= 0:
        raise ValueError(f"temperature is at least 0 (0: always the likeliest), got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k, how many tokens are left to choose from, is at least 1: {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is a probability above 0, got {top_p}")
    if not temperature:
        return likeliest
    divisor = Tensor(temperature)  # a Tensor, so that another temperature does not recompile
    mass = None if top_p is None else Tensor(top_p)

    def sampled(scores: Tensor) -> Tensor:
        scores = scores.detach() / divisor
        if top_k is not None:
            scores = _without(scores, scores < ops.sort(scores)[:, -top_k:][:, :1])
        if mass is not None:
            scores = _without(scores, scores < _nucleus_edge(scores, mass))
        noise = ops.maximum(ops.rand_like(scores), np.finfo(scores.dtype).tiny)
        return likeliest(scores - ops.log(-ops.log(noise)))

    return sampled


def likeliest(scores: Tensor) -> Tensor:
    """Tokens (B,) with the largest scores (B, V)."""
    found: Tensor = ops.argmax(scores, axis=-1)
    return found


def _nucleus_edge(scores: Tensor, mass: Tensor) -> Any:
    """The lowest score (B, 1) of the fewest tokens that have `mass` of the probability together."""
    ordered = -ops.sort(-scores)
    probability = ops.softmax(ordered)
    before = ops.cumsum(probability, axis=-1) - probability
    most = np.finfo(scores.dtype).max
    return ops.min(ops.where(before < mass, ordered, most), axis=-1, keepdims=True)


def _without(scores: Tensor, dropped: Any) -> Tensor:
    left: Tensor = ops.where(dropped, np.finfo(scores.dtype).min, scores)
    return left


def log_prob_of(tokens: Any, scores: Tensor) -> Tensor:
    """The log probability (B,) of tokens (B,) by the softmax of scores (B, V)."""
    found: Tensor = ops.take_along_axis(
        ops.log_softmax(scores), ops.expand_dims(tokens, axis=-1), axis=-1
    )[:, 0]
    return found


def stopping(stop: Stop) -> Callable[[Any], Any]:
    """A function from tokens (B,) to whether each ends its row, (B,) bool."""
    if callable(stop):
        return stop
    tokens = [stop] if isinstance(stop, int | np.integer) else [*stop]
    if not all(isinstance(token, int | np.integer) for token in tokens):
        raise TypeError(
            "stop is a token, several tokens, or a function from the tokens of a step (B,) to "
            f"whether each ends its row; got {stop!r}"
        )

    def ends(x: Any) -> Any:
        found = x != x
        for token in tokens:
            found = found | (x == token)
        return found

    return ends
