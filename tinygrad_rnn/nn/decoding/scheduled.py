"""scheduled_sampling: training on the model's own choices, now and then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ... import ops, pytree
from ...compiler.scan import scan
from ...compiler.step_function import beside
from ...engine.tensor import Tensor
from ...ops.random import use_generator
from .choice import choice
from .model import Forward, Model, advance
from .start import checked_scores, started

__all__ = ["scheduled_sampling"]


def scheduled_sampling(
    model: Model,
    x: Any,
    teacher: float,
    *,
    sample: Callable[[Any], Any] | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    state: Any = None,
    embed: Callable[[Any], Any] | None = None,
    head: Callable[[Any], Any] | None = None,
    constants: Mapping[str, Any] | None = None,
    batch_first: bool | None = None,
    generator: np.random.Generator | None = None,
    **inputs: Any,
) -> tuple[Any, Any]:
    """`model(x)` for training, but some of what it reads is what it would have chosen itself.

    x (T, B): the tokens that a teacher would have it read, or (T, B, I). The first step reads them;
    each later one does in each row with the probability `teacher`, and else what the model chose by
    its output before. 1 is teacher forcing, 0 is to run free. Returns outputs (T, B, ...) and the
    last state, as `model(x)` does, and is used in its place: a loss compares outputs with the true
    next tokens. No gradient goes through a choice of tokens; one goes through `sample`.

    The paper lowers `teacher` while training, for instance by the inverse sigmoid
    k / (k + exp(i / k)) in the iteration i, which leaves the compiled program as it is.

    The other arguments are those of `generate`. Bengio, Vinyals, Jaitly & Shazeer 2015, "Scheduled
    Sampling for Sequence Prediction with Recurrent Neural Networks", NeurIPS. ValueError if
    `teacher` is no probability.

    >>> import tinygrad_rnn as tg
    >>> embedding, layer, head = tg.nn.Embedding(9, 4), tg.nn.LSTM(4, 8), tg.nn.Linear(8, 9)
    >>> text = tg.randint(9, (6, 2))
    >>> scores, state = tg.nn.scheduled_sampling(layer, text[:-1], 0.75, embed=embedding, head=head)
    >>> tg.nn.cross_entropy(scores.reshape(-1, 9), text[1:].reshape(-1)).backward()
    >>> scores.shape
    (5, 2, 9)
    """
    if not 0 <= teacher <= 1:
        raise ValueError(f"teacher is a probability, got {teacher}")
    begun = started(model, x, state, embed, head, constants, inputs, None, batch_first, 1)
    if sample is None:
        checked_scores(begun.output)
    choose = sample or choice(temperature, top_k, top_p)
    share = Tensor(teacher)
    step = _step_of(begun.forward, begun.constants, choose, share)
    with use_generator(generator):
        own = choose(begun.output)
        begun.check_next(own)
        steps = len(pytree.leaves(begun.rest)[0])
        rest = begun.rest, begun.inputs_at(0, steps)
        (_, last), outputs = scan(step, (own, begun.state), rest, length=steps)
    outputs = pytree.map(
        lambda first, later: begun.timed(ops.concatenate([first[None], later])),
        begun.output,
        outputs,
    )
    return outputs, last


def _step_of(
    forward: Forward,
    constants: Mapping[str, Any],
    choose: Callable[[Any], Any],
    share: Tensor,
) -> Callable[[Any, Any], tuple[Any, Any]]:
    def step(carry: Any, xs: Any) -> tuple[Any, Any]:
        own, state = carry
        told, inputs = xs
        like = pytree.leaves(told)[0]
        by_teacher = ops.rand_like(ops.zeros(like.shape[0], dtype=share.dtype)) < share
        x = pytree.map(lambda a, b: ops.where(beside(by_teacher, a), a, b), told, own)
        output, state = advance(forward, x, state, inputs, constants)
        return (choose(output), state), output

    return step
