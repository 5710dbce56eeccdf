"""One run: a cell, trained on a task with one seed. It gives the same numbers everywhere."""

from __future__ import annotations

import math
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from .. import optim
from ..compiler.backends.blas import one_blas_thread
from ..data.tasks import Task
from ..engine.tensor import Tensor, from_numpy
from ..ops import manual_seed
from ..training import Callback, History, Training, TrainingError, fit
from ..training.random_state import random_state, set_random_state
from ..viz import gradient_flow
from .network import Answers, CellMaker, error, loss

__all__ = ["Learnt", "TaskMaker", "learn", "reproducible"]

TaskMaker: TypeAlias = Callable[..., Task]
"""Makes the task whose batches are drawn from `seed=`: a function of `data.tasks` or similar."""

_alone = threading.RLock()  # the random generator belongs to the process


@dataclass(frozen=True)
class Learnt:
    """The result of one run.

    `history`: a row for each epoch, with `val_loss`, and for classes `val_accuracy`, on held-out
    data. `flow_before` and `flow_after`, (T,): the norm of dL/d(state after step t), where L is the
    loss of the last output alone, before and after training. `step_seconds`: the CPU time of a
    training step, the mean without the first epoch, which compiles. `diverged`: what became
    infinite and where; empty if nothing.

    >>> from tinygrad_rnn import nn
    >>> from tinygrad_rnn.data.tasks import parity
    >>> learnt = learn(nn.RNNCell, lambda seed: parity(5, batches=3, seed=seed), epochs=1)
    >>> learnt.diverged, len(learnt.history), len(learnt.flow_before)
    ('', 1, 5)
    """

    network: Answers = field(repr=False)
    history: History = field(repr=False)
    parameters: int
    flow_before: list[float] = field(repr=False)
    flow_after: list[float] = field(repr=False)
    step_seconds: float
    seconds: float
    diverged: str = ""


def learn(
    make_cell: CellMaker,
    make_task: TaskMaker,
    *,
    hidden_size: int = 32,
    seed: int = 0,
    epochs: int = 10,
    learning_rate: float = 0.01,
    clip: float = 1.0,
    callbacks: tuple[Callback, ...] = (),
) -> Learnt:
    """Train a cell and a linear layer on a task, with Adam, gradients clipped to the norm `clip`.

    `seed` determines the initial weights, the batches and everything else that is random. The
    caller's random generator is restored afterwards. BLAS uses one thread. So the same call gives
    the same history, bit for bit, in any process on one machine.

    >>> from functools import partial
    >>> from tinygrad_rnn import nn
    >>> from tinygrad_rnn.data.tasks import adding
    >>> learnt = learn(nn.GRUCell, partial(adding, steps=8, batches=20), hidden_size=8, epochs=2)
    >>> learnt.history.names
    ('epoch', 'train_loss', 'gradient_norm', 'val_loss', 'learning_rate', 'seconds')
    >>> learnt.parameters, len(learnt.flow_after)
    (297, 8)
    """
    with reproducible(seed):
        start = time.perf_counter()
        task = make_task(seed=seed)
        network = Answers(make_cell(task.input_size, hidden_size), task)
        before = _flow(network, task)
        clock, diverged = _Clock(), ""
        try:
            fit(
                network,
                loss,
                task.train,
                validation=task.held_out,
                epochs=epochs,
                optimizer=optim.Adam(network.parameters(), lr=learning_rate),
                clip=clip,
                callbacks=[clock, *callbacks],
                progress=False,
            )
        except TrainingError as error:
            diverged = str(error)
        return Learnt(
            network=network,
            history=clock.history,
            parameters=sum(parameter.size for parameter in network.parameters()),
            flow_before=before,
            flow_after=[] if diverged else _flow(network, task),
            step_seconds=clock.mean,
            seconds=time.perf_counter() - start,
            diverged=diverged,
        )


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Inside, `seed` determines all random numbers, and BLAS uses one thread; not reentrant.

    >>> import tinygrad_rnn as tg
    >>> with reproducible(3):
    ...     first = tg.rand(1).item()
    >>> with reproducible(3):
    ...     first == tg.rand(1).item()
    True
    """
    with _alone, one_blas_thread():
        drawn = random_state()
        manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            set_random_state(drawn)


class _Clock(Callback):
    """The CPU time of the steps, and the history, which is needed even if the training fails."""

    def before_fit(self, training: Training) -> None:
        self.history = training.history
        self._epochs: list[list[float]] = [[]]
        self._last = time.process_time()

    def after_step(self, training: Training) -> None:
        now = time.process_time()
        self._epochs[-1].append(now - self._last)
        self._last = now

    def after_epoch(self, training: Training) -> None:
        self._epochs.append([])
        self._last = time.process_time()

    @property
    def mean(self) -> float:
        """The mean over many steps: on some systems the CPU clock ticks every 4 ms."""
        first, *others = self._epochs
        steps = [step for epoch in others for step in epoch] or first
        return statistics.fmean(steps) if steps else math.nan


def _flow(network: Answers, task: Task) -> list[float]:
    """The norm of dL/d(state) after each step, where L is the loss of the last answer asked for."""
    batch = next(islice(task.held_out, 1))
    ends = slice(-1, None) if task.every_step else slice(None)

    def run(x: Tensor) -> Tensor:
        answers: Tensor = network(x, batch.further)
        return answers

    def answered(answers: Tensor) -> Tensor:
        return error(answers[ends], batch.targets[ends])

    network.eval()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        by_state = gradient_flow(run, from_numpy(batch.inputs), answered)
    network.train()
    return _together(by_state)


def _together(by_state: Mapping[str, Mapping[str, Any]]) -> list[float]:
    """The joint norm of all states of a step."""
    norms = [state for states in by_state.values() for state in states.values()]
    squares = np.nansum(np.square(np.asarray(norms, np.float64)), axis=0)
    return [float(f"{norm:.4g}") for norm in np.sqrt(squares)]
