"""beam_search: the likeliest sequences that a model could generate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ... import ops, pytree
from ...compiler.scan import scan
from ...engine.recording.mode import no_grad
from ...engine.tensor import Tensor
from .choice import Stop, stopping
from .model import Forward, Model, advance, rows_of
from .start import Start, checked_scores, started

__all__ = ["Beams", "beam_search", "searched"]

Array = Any


class Beams(NamedTuple):
    """What `beam_search` returns: the best sequences of each row, the best first.

    `sequences` (T, B, beams): the tokens, zero after the end of each; `lengths` (B, beams).
    `log_probs` (B, beams): the logarithm of each sequence's probability; `scores` (B, beams): that
    divided by length ** length_penalty, -inf where there are fewer sequences than beams.

    >>> import tinygrad_rnn as tg
    >>> found = tg.nn.beam_search(lambda x, state: (tg.zeros(*x.shape, 2), None), [0], 3, beams=8)
    >>> found.sequences.shape, found.lengths.tolist(), found.log_probs[0].item()
    ((3, 8), [3, 3, 3, 3, 3, 3, 3, 3], -2.079441547393799)
    """

    sequences: Any
    lengths: Any
    log_probs: Any
    scores: Any


def beam_search(
    model: Model,
    start: Any,
    steps: int,
    *,
    beams: int = 4,
    length_penalty: float = 1.0,
    stop: Stop | None = None,
    state: Any = None,
    embed: Callable[[Any], Any] | None = None,
    head: Callable[[Any], Any] | None = None,
    constants: Mapping[str, Any] | None = None,
    lengths: Any = None,
    batch_first: bool | None = None,
    **inputs: Any,
) -> Beams:
    """The likeliest sequences after `start`, as far as a beam of this width finds them.

    At each step the `beams` likeliest continuations are kept; those that end with `stop` leave the
    beam and make room. What is compared at the end is log probability / length ** length_penalty
    (0: the probability itself, which favours short sequences; larger: longer ones). A sequence
    that is cut off after `steps` counts as one of that length. The search of a row ends when none
    of its open sequences could still get among the best. With as many beams as there are sequences
    of `steps` - 1 tokens it finds the best of all. Nothing is drawn, and no gradient recorded.

    The other arguments are those of `generate`. Sequences are (B, T, beams) with `batch_first`.

    Sutskever, Vinyals & Le 2014, "Sequence to Sequence Learning with Neural Networks", section 3.2;
    a power of the length as in Wu et al. 2016, section 7, there with (5 + length) / 6.

    >>> import tinygrad_rnn as tg
    >>> embedding, cell, head = tg.nn.Embedding(9, 4), tg.nn.GRUCell(4, 8), tg.nn.Linear(8, 9)
    >>> found = tg.nn.beam_search(cell, [[1, 2]], 5, embed=embedding, head=head, stop=0)
    >>> found.scores.shape, bool((found.scores[:, 0] >= found.scores[:, 1]).all())
    ((2, 4), True)
    """
    if steps < 1:
        raise ValueError(f"steps, the largest length, is at least 1, got {steps}")
    begun = started(model, start, state, embed, head, constants, inputs, lengths, batch_first)
    ends = None if stop is None else stopping(stop)
    found = searched(begun, steps, beams, ends, length_penalty)
    return Beams(begun.timed(found.sequences), *map(begun.by_row, found[1:]))


def searched(
    begun: Start,
    steps: int,
    beams: int,
    ends: Callable[[Any], Any] | None,
    length_penalty: float,
) -> Beams:
    """A beam search from a start; see `beam_search`."""
    if beams < 1:
        raise ValueError(f"beams, how many sequences are kept, is at least 1, got {beams}")
    with no_grad():
        batch, tokens = checked_scores(begun.output).shape
        if tokens < 1:
            raise ValueError("there must be a token to choose")
        every = Tensor(np.arange(tokens))
        is_end = np.zeros(tokens, bool) if ends is None else np.asarray(ends(every)._data, bool)
        axes = begun.axes()
        tiled = np.repeat(np.arange(batch), beams)  # row b of the batch is rows b * beams, ...
        state = rows_of(begun.state, axes, tiled)
        constants = pytree.map(lambda leaf: leaf[tiled] if leaf.ndim else leaf, begun.constants)
        read = _reader(begun.forward, constants)
        log_probs = ops.log_softmax(begun.output)._data[tiled].reshape(batch, beams, tokens)
        open_ones = _Open(batch, beams)
        best = _Best(batch, beams, steps, length_penalty)
        for step in range(steps):
            parents, chosen = open_ones.extend(log_probs, is_end, best)
            last = step == steps - 1
            if last or best.is_settled(open_ones.log_probs, step + 1):
                break
            rows = (parents + beams * np.arange(batch)[:, None]).ravel()
            timed = pytree.map(lambda leaf: leaf[:, tiled], begun.inputs_at(step, step + 1))
            x = Tensor(chosen.reshape(1, -1))
            state, scores = scan(read, rows_of(state, axes, rows), (x, timed))
            log_probs = scores._data[0].reshape(batch, beams, tokens)
        if last:
            best.add(open_ones.tokens, open_ones.log_probs)
    return best.found()


def _reader(
    forward: Forward, constants: Mapping[str, Any]
) -> Callable[[Any, Any], tuple[Any, Any]]:
    """A step: (state, tokens) to (state, log probabilities of the next tokens)."""

    def read(state: Any, xs: Any) -> tuple[Any, Any]:
        x, inputs = xs
        output, state = advance(forward, x, state, inputs, constants)
        return state, ops.log_softmax(output)

    return read


class _Open:
    """The sequences of each row that have not ended: `tokens` (B, beams, t), `log_probs`."""

    def __init__(self, batch: int, beams: int) -> None:
        self.tokens: Array = np.zeros((batch, beams, 0), np.int64)
        self.log_probs: Array = np.full((batch, beams), -np.inf)
        self.log_probs[:, 0] = 0.0  # all beams begin with the same: it is counted once

    def extend(self, log_probs: Array, is_end: Array, best: _Best) -> tuple[Array, Array]:
        """Go on with the likeliest continuations (B, beams, V); those that end go to `best`.

        Returns from which beam each comes, and with which token.
        """
        batch, beams, tokens = log_probs.shape
        totals = (self.log_probs[:, :, None] + log_probs).reshape(batch, -1)
        places = _largest(totals, beams * (1 + int(is_end.sum())))
        parents, chosen = places // tokens, places % tokens
        found = np.take_along_axis(totals, places, 1)
        rows = np.arange(batch)[:, None]
        ended = is_end[chosen]
        if is_end.any():
            texts = np.concatenate([self.tokens[rows, parents], chosen[..., None]], axis=-1)
            best.add(texts[:, :beams], np.where(ended, found, -np.inf)[:, :beams])
        order = np.argsort(ended, axis=1, kind="stable")[:, :beams]  # those that go on, first
        parents, chosen = (
            np.take_along_axis(parents, order, 1),
            np.take_along_axis(chosen, order, 1),
        )
        goes_on = ~np.take_along_axis(ended, order, 1)
        self.log_probs = np.where(goes_on, np.take_along_axis(found, order, 1), -np.inf)
        self.tokens = np.concatenate([self.tokens[rows, parents], chosen[..., None]], axis=-1)
        return parents, chosen


class _Best:
    """The best sequences of each row so far, of those that have ended."""

    def __init__(self, batch: int, beams: int, steps: int, length_penalty: float) -> None:
        self._tokens: Array = np.zeros((batch, beams, steps), np.int64)
        self._lengths: Array = np.zeros((batch, beams), np.int64)
        self._log_probs: Array = np.full((batch, beams), -np.inf)
        self._scores: Array = np.full((batch, beams), -np.inf)
        self._steps, self._penalty = steps, length_penalty

    def add(self, tokens: Array, log_probs: Array) -> None:
        """Sequences (B, n, t), and their log probabilities (B, n): -inf for none."""
        batch, _, length = tokens.shape
        steps, beams = self._steps, self._scores.shape[1]
        padded = np.pad(tokens, ((0, 0), (0, 0), (0, steps - length)))
        lengths = np.where(np.isfinite(log_probs), length, 0)
        scores = np.concatenate([self._scores, self._score(log_probs, length)], axis=1)
        order, rows = _largest(scores, beams), np.arange(batch)[:, None]
        self._scores = scores[rows, order]
        self._tokens = np.concatenate([self._tokens, padded], axis=1)[rows, order]
        self._lengths = np.concatenate([self._lengths, lengths], axis=1)[rows, order]
        self._log_probs = np.concatenate([self._log_probs, log_probs], axis=1)[rows, order]

    def _score(self, log_probs: Array, length: int) -> Array:
        return log_probs / float(length) ** self._penalty

    def is_settled(self, open_ones: Array, length: int) -> bool:
        """Whether no open sequence (B, n) could get among the best of its row, however it ends.

        A log probability only falls, so the best that can come of it is to stay, at the length
        at which it counts most.
        """
        longest = self._steps if self._penalty > 0 else length + 1
        could = self._score(open_ones, longest).max(axis=1)
        return bool((could <= self._scores[:, -1]).all())

    def found(self) -> Beams:
        length = int(self._lengths.max(initial=0))
        inside = np.arange(length) < self._lengths[..., None]
        tokens = np.where(inside, self._tokens[..., :length], 0)
        return Beams(
            Tensor(np.moveaxis(tokens, -1, 0)), self._lengths, self._log_probs, self._scores
        )


def _largest(values: Array, count: int) -> Array:
    """The places (B, count) of the largest values of each row, from the largest down."""
    count = min(count, values.shape[1])
    places = np.argpartition(-values, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(values, places, 1), axis=1, kind="stable")
    return np.take_along_axis(places, order, 1)
