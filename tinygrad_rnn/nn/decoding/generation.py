"""generate: a model that reads its own outputs, step by step, in a scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ... import ops, pytree
from ...compiler.scan import scan
from ...compiler.step_function import beside
from ...engine.tensor import Tensor
from ...ops.random import use_generator
from .beams import searched
from .choice import Stop, choice, log_prob_of, stopping
from .model import Axes, Forward, Model, advance, kept
from .start import Start, checked_scores, started

__all__ = ["Generated", "generate"]

FIRST_BLOCK = 16  # steps between two looks at whether all rows have ended; doubled each time


class Generated(NamedTuple):
    """What `generate` returns.

    `sequences` (T, B): the tokens, or what `sample` returned, (T, B, ...); the token that stopped a
    row is its last, and what follows is padding. `lengths` (B,): the number of steps of each row.
    `log_probs` (T, B): the logarithm of each token's probability by the model's softmax, zero in
    the padding; None with `sample`. `state`: of the model, which has read all but the last of each
    row, so that `generate(model, last, steps, state=state)` goes on.

    >>> import tinygrad_rnn as tg
    >>> found = tg.nn.generate(lambda x, state: (tg.one_hot(x + 1, 9) * 9.0, None), [3], 4,
    ...     temperature=0, stop=5)
    >>> found.sequences.tolist(), found.lengths.item()
    ([4, 5], 2)
    """

    sequences: Any
    lengths: Any
    log_probs: Any
    state: Any


def generate(
    model: Model,
    start: Any,
    steps: int,
    *,
    sample: Callable[[Any], Any] | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    beams: int | None = None,
    length_penalty: float = 1.0,
    stop: Stop | None = None,
    pad: int = 0,
    state: Any = None,
    embed: Callable[[Any], Any] | None = None,
    head: Callable[[Any], Any] | None = None,
    constants: Mapping[str, Any] | None = None,
    lengths: Any = None,
    batch_first: bool | None = None,
    generator: np.random.Generator | None = None,
    **inputs: Any,
) -> Generated:
    """Let a model go on from `start`: at each step it reads what it chose at the step before.

    `model`: a layer, a cell, or a Module or function that is called as
    `outputs, state = model(x, state)` on sequences x (T, B, ...), from state None at first. `embed`
    makes its x of tokens, `head` scores (T, B, V) of its outputs; a Module of your own may hold
    both. `start`: what it reads first, at least one step, (T, B) tokens or (T, B, I); (T,) tokens
    or (T, I) is one sequence without a batch. With `lengths` (B,), the rows of `start` are padded.
    `steps`: how many are generated, at most.

    `temperature`: scores are divided by it; 0 always takes the likeliest token. `top_k`: only the k
    likeliest are left to choose from. `top_p`: only the likeliest that have this probability
    together (nucleus sampling, Holtzman et al. 2020). Temperature comes first, then `top_k`, then
    `top_p`; equal scores stay or go together. `sample`: a function of your own instead, from the
    output of a step, (B, ...), to the next x, (B, ...): for values that are no tokens. It draws
    with ops, such as `tg.randn_like`. `beams`: the likeliest sequence that a beam search finds
    instead (see `beam_search`, also for `length_penalty`).

    `stop`: a token, several, or a function from what a step chose, (B, ...), to (B,) bool. A row
    ends with it; the rest is `pad`. It all ends when every row has, or after `steps`.

    `state`: what the model begins with, such as an encoder's. `constants`, `inputs`: further inputs
    of the model; those of each step are (T + steps - 1, B, ...), for what `start` is, too.
    `batch_first`: sequences are (B, T, ...), the result, too (None: as the layer). Random numbers
    come from `generator`, or the one that `tg.manual_seed` sets.

    All steps are one scan, compiled for the model. Dropout is active in a model that is training:
    call `model.eval()`. Choosing has no gradient, `log_probs` have one (Williams 1992, REINFORCE);
    under `tg.no_grad()` nothing is kept for it. TypeError if the model does not return a pair, and
    for options that exclude each other.

    >>> import tinygrad_rnn as tg
    >>> embedding, layer, head = tg.nn.Embedding(9, 4), tg.nn.LSTM(4, 8), tg.nn.Linear(8, 9)
    >>> found = tg.nn.generate(layer, [[1, 2]], 5, embed=embedding, head=head, top_p=0.9)
    >>> found.sequences.shape, found.log_probs.shape, found.lengths.tolist()
    ((5, 2), (5, 2), [5, 5])
    """
    if steps < 1:
        raise ValueError(f"steps, how many are generated, is at least 1, got {steps}")
    free = (temperature, top_k, top_p) == (1.0, None, None)
    if not free and (sample or beams):
        raise TypeError(
            f"{'sample' if sample else 'beams'} takes the place of temperature, top_k and top_p"
        )
    if sample is not None and beams is not None:
        raise TypeError("a beam search needs scores of tokens: leave out sample or beams")
    begun = started(model, start, state, embed, head, constants, inputs, lengths, batch_first)
    with use_generator(generator):
        choose = sample or choice(temperature, top_k, top_p)
        if sample is None:
            checked_scores(begun.output)
        ends = None if stop is None else stopping(stop)
        told = None
        if beams is not None:
            told = searched(begun, steps, beams, ends, length_penalty).sequences[:, :, 0]
            steps = len(told)
        found = _rollout(begun, steps, choose, sample is None, ends, pad, told)
    sequences, log_probs = pytree.map(begun.timed, (found.sequences, found.log_probs))
    return Generated(sequences, begun.by_row(found.lengths), log_probs, found.state)


def _rollout(
    begun: Start,
    steps: int,
    choose: Callable[[Any], Any],
    scored: bool,
    ends: Callable[[Any], Any] | None,
    pad: int,
    told: Any,
) -> Generated:
    """Step by step from a start; `told` (T, B): tokens that are chosen already."""
    first, batch = begun.output, begun.batch

    def take(output: Any, ended: Any, given: Any) -> tuple[Any, Any, Any]:
        """The next x, which rows have ended with it, and what is shown of the step."""
        x = choose(output) if given is None else given
        log_prob = log_prob_of(x, output) if scored else None
        if ends is None:
            return x, ended, (x, log_prob, ended)
        shown = _padded(ended, x, pad), _padded(ended, log_prob, 0), ended
        return x, ended | _checked_ends(ends(x), batch), shown

    ended = Tensor(np.zeros(batch, bool))
    x, ended, shown = take(first, ended, None if told is None else told[0])
    begun.check_next(x)
    axes = None if ends is None else begun.axes()
    carry = x, begun.state, ended
    ys = [pytree.map(lambda leaf: ops.expand_dims(leaf, axis=0), shown)]
    step = _step_of(begun.forward, begun.constants, take, axes)
    for first_step, last in _blocks(steps - 1, ends is not None):
        if ends is not None and bool(carry[2].data.all()):
            break
        timed = begun.inputs_at(first_step, last)
        given = None if told is None else told[1 + first_step : 1 + last]
        carry, block = scan(step, carry, (timed, given), length=last - first_step)
        ys.append(block)
    sequences, log_probs, before = pytree.map(lambda *blocks: ops.concatenate(blocks), *ys)
    lengths = np.logical_not(before.data).sum(axis=0)
    longest = int(lengths.max(initial=0))
    sequences, log_probs = pytree.map(lambda leaf: leaf[:longest], (sequences, log_probs))
    return Generated(sequences, lengths, log_probs, carry[1])


def _step_of(
    forward: Forward,
    constants: Mapping[str, Any],
    take: Callable[[Any, Any, Any], tuple[Any, Any, Any]],
    axes: Axes | None,
) -> Callable[[Any, Any], tuple[Any, Any]]:
    def step(carry: Any, xs: Any) -> tuple[Any, Any]:
        x, state, ended = carry
        inputs, given = xs
        output, after = advance(forward, x, state, inputs, constants)
        if axes is not None:
            after = kept(ended, state, after, axes)
        x, ended, shown = take(output, ended, given)
        return (x, after, ended), shown

    return step


def _blocks(steps: int, looks: bool) -> Iterator[tuple[int, int]]:
    """The first and the last step, exclusive, of each block that is run at once."""
    first, size = 0, FIRST_BLOCK if looks else max(steps, 1)
    while first < steps:
        yield first, min(first + size, steps)
        first, size = first + size, 2 * size


def _padded(ended: Any, tree: Any, pad: int) -> Any:
    return pytree.map(
        lambda leaf: ops.where(beside(ended, leaf), np.asarray(pad, leaf.dtype), leaf), tree
    )


def _checked_ends(found: Any, batch: int) -> Any:
    if np.shape(found) != (batch,) or found.dtype != bool:
        raise TypeError(
            f"stop must say for each of {batch} rows whether it ends, ({batch},) bool; it returned "
            f"{pytree.described(found)}"
        )
    return found
