"""Tasks made of random symbols, each of which takes one kind of memory."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinygrad_rnn.data.adding import adding_problem
from tinygrad_rnn.data.errors import DataError
from tinygrad_rnn.data.tasks.task import IGNORE, Drawn, Task, TaskBatch

__all__ = ["adding", "copy_memory", "delayed_recall", "parity"]

_HELD_OUT = 10
"""How many batches are measured on."""

Draw = Callable[[np.random.Generator, int], TaskBatch]


def _drawn(draw: Draw, batches: int, batch_size: int, seed: int) -> tuple[Drawn, Drawn]:
    """Those to learn from, new ones in every epoch, and those to measure on."""
    train = Drawn(draw, batches=batches, batch_size=batch_size, generator=seed)
    return train, Drawn(draw, batches=_HELD_OUT, batch_size=batch_size)


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise DataError(f"{name} is {value}, but must be at least {least}")


def adding(steps: int = 100, *, batch_size: int = 32, batches: int = 100, seed: int = 0) -> Task:
    """Add the two numbers of a sequence that are marked.

    x_t: a number in 0 .. 1, and whether it is marked; one mark is in each half. Asked after the
    last step: their sum. Answering 1 always gives the baseline, 1/6; see `adding_problem`.
    Hochreiter & Schmidhuber 1997, "Long Short-Term Memory".

    >>> task = adding(steps=6, batch_size=4)
    >>> batch = next(iter(task.train))
    >>> batch.inputs.shape, batch.targets.shape
    ((6, 4, 2), (4, 1))
    """

    def draw(rng: np.random.Generator, rows: int) -> TaskBatch:
        x, y = adding_problem(steps, rows, rng)
        return TaskBatch(x, y, {})

    _at_least("steps", steps, 2)
    train, held_out = _drawn(draw, batches, batch_size, seed)
    return Task("adding", 2, 1, "squared error", False, 1 / 6, train, held_out)


def copy_memory(
    steps: int = 50,
    *,
    symbols: int = 8,
    length: int = 10,
    batch_size: int = 32,
    batches: int = 100,
    seed: int = 0,
) -> Task:
    """Repeat `length` symbols after waiting for `steps` steps.

    x_t, one-hot: one of `symbols`, a blank, or the sign to begin, which comes at the last of the
    steps of waiting. Asked at the `length` steps after it: the symbols in their order. A guess has
    the cross entropy log(symbols). After Hochreiter & Schmidhuber 1997 and Arjovsky et al. 2016,
    who also score the blanks before them; here they are not scored.

    >>> task = copy_memory(steps=3, symbols=2, length=2, batch_size=1)
    >>> batch = next(iter(task.held_out))
    >>> batch.inputs[:, 0].argmax(axis=-1), batch.targets[:, 0]
    (array([1, 0, 2, 2, 3, 2, 2]), array([-1, -1, -1, -1, -1,  1,  0]))
    """
    _at_least("steps", steps, 1)
    _at_least("symbols", symbols, 2)
    _at_least("length", length, 1)
    blank, begin = symbols, symbols + 1

    def draw(rng: np.random.Generator, rows: int) -> TaskBatch:
        shown = rng.integers(symbols, size=(length, rows))
        codes = np.full((2 * length + steps, rows), blank)
        codes[:length] = shown
        codes[length + steps - 1] = begin
        targets = np.full_like(codes, IGNORE)
        targets[-length:] = shown
        return TaskBatch(_one_hot(codes, symbols + 2), targets, {})

    train, held_out = _drawn(draw, batches, batch_size, seed)
    baseline = math.log(symbols)
    return Task(
        "copy_memory", symbols + 2, symbols, "cross entropy", True, baseline, train, held_out
    )


def delayed_recall(
    steps: int = 100, *, symbols: int = 4, batch_size: int = 32, batches: int = 100, seed: int = 0
) -> Task:
    """Say at the end which symbol came first; between, there is noise that looks like it.

    x_t: the first symbol one-hot, and at every other step normal noise of the same size. Asked
    after the last step: the symbol. A guess has the cross entropy log(symbols). The latching
    problem of Bengio, Simard & Frasconi 1994, "Learning Long-Term Dependencies with Gradient
    Descent is Difficult", with more than two symbols.

    >>> task = delayed_recall(steps=5, batch_size=2)
    >>> batch = next(iter(task.train))
    >>> bool((batch.inputs[0].argmax(axis=-1) == batch.targets).all())
    True
    """
    _at_least("steps", steps, 1)
    _at_least("symbols", symbols, 2)

    def draw(rng: np.random.Generator, rows: int) -> TaskBatch:
        targets = rng.integers(symbols, size=rows)
        x = rng.standard_normal((steps, rows, symbols)).astype(np.float32) * symbols**-0.5
        x[0] = _one_hot(targets, symbols)
        return TaskBatch(x, targets, {})

    train, held_out = _drawn(draw, batches, batch_size, seed)
    baseline = math.log(symbols)
    return Task(
        "delayed_recall", symbols, symbols, "cross entropy", False, baseline, train, held_out
    )


def parity(steps: int = 50, *, batch_size: int = 32, batches: int = 100, seed: int = 0) -> Task:
    """Say at every step whether the number of ones so far is odd.

    x_t: 0 or 1. The state is one bit, but each input can flip it, so a state that merely decays or
    accumulates is not enough: a linear recurrence cannot learn it for every length. A guess has the
    cross entropy log(2).

    >>> batch = next(iter(parity(steps=6, batch_size=1).held_out))
    >>> batch.inputs[:, 0, 0].astype(int), batch.targets[:, 0]
    (array([1, 0, 1, 1, 0, 0]), array([1, 1, 0, 1, 1, 1]))
    """
    _at_least("steps", steps, 1)

    def draw(rng: np.random.Generator, rows: int) -> TaskBatch:
        bits = rng.integers(2, size=(steps, rows))
        return TaskBatch(bits[:, :, None].astype(np.float32), np.cumsum(bits, axis=0) % 2, {})

    train, held_out = _drawn(draw, batches, batch_size, seed)
    return Task("parity", 1, 2, "cross entropy", True, math.log(2), train, held_out)


def _one_hot(codes: np.ndarray, count: int) -> np.ndarray:
    rows: np.ndarray = np.eye(count, dtype=np.float32)[codes]
    return rows
