"""Task: what a recurrent network has to learn, as batches, with all that a comparison needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_rnn.data.batches import Batches, Randomness
from tinygrad_rnn.data.errors import DataError

__all__ = ["IGNORE", "Drawn", "Examples", "Task", "TaskBatch"]

IGNORE = -1
"""A class that counts nothing: a step at which no answer is asked."""

Array = NDArray[Any]


class TaskBatch(NamedTuple):
    """``inputs`` (T, B, I) and ``targets``, of the last step or of every step.

    Numbers to be met: (B, O) or (T, B, O), float32. Classes: (B,) or (T, B), int64, `IGNORE`
    where no answer is asked. ``further`` has what some cells take beside x, by name: (T, B, ...).

    >>> TaskBatch(np.zeros((5, 2, 3), np.float32), np.zeros((2, 1), np.float32), {}).weight
    2
    """

    inputs: Array
    targets: Array
    further: Mapping[str, Array]

    @property
    def weight(self) -> int:
        """The number of answers asked for: the batch's weight in the mean of an epoch."""
        if self.targets.dtype.kind == "i":
            return int((self.targets != IGNORE).sum())
        return int(np.prod(self.targets.shape[:-1]))


@dataclass(frozen=True)
class Task:
    """Batches for training and others for evaluation, and what to predict.

    `loss`: the mean over all answers asked. `every_step`: whether targets are of all steps or of
    the last one. `baseline`: the loss of the best answer that does not look at the inputs; what
    learns does better. A task of your own is a function that returns one of these.

    >>> from tinygrad_rnn.data.tasks import parity
    >>> task = parity(steps=10)
    >>> task.input_size, task.output_size, task.loss, round(task.baseline, 3)
    (1, 2, 'cross entropy', 0.693)
    """

    name: str
    input_size: int
    output_size: int
    loss: Literal["squared error", "cross entropy"]
    every_step: bool
    baseline: float
    train: Batches[TaskBatch] = field(repr=False)
    held_out: Batches[TaskBatch] = field(repr=False)


class Drawn(Batches[TaskBatch]):
    """Batches that `draw(rng, batch_size)` makes of random numbers: new ones in every epoch.

    With `generator` None they are the same ones in every epoch. Their number is that of an epoch.

    >>> def noise(rng, batch_size):
    ...     x = rng.random((5, batch_size, 1), dtype=np.float32)
    ...     return TaskBatch(x, x.sum(axis=0), {})
    >>> held_out = Drawn(noise, batches=3, batch_size=4)
    >>> len(held_out), next(iter(held_out)).inputs.shape
    (3, (5, 4, 1))
    >>> bool((next(iter(held_out)).inputs == next(iter(held_out)).inputs).all())
    True
    """

    def __init__(
        self,
        draw: Callable[[np.random.Generator, int], TaskBatch],
        *,
        batches: int,
        batch_size: int,
        generator: Randomness = None,
    ) -> None:
        super().__init__(generator)
        for name, size in {"batches": batches, "batch_size": batch_size}.items():
            if size < 1:
                raise DataError(f"{name} is {size}, but must be at least 1")
        self._draw = draw
        self._batches = batches
        self._batch_size = batch_size

    def __len__(self) -> int:
        return self._batches

    def order(self, rng: np.random.Generator | None) -> list[int]:
        """A seed for each batch."""
        rng = np.random.default_rng(0) if rng is None else rng
        return [int(seed) for seed in rng.integers(2**63, size=self._batches)]

    def batch(self, key: int) -> TaskBatch:
        """The batch of a seed."""
        return self._draw(np.random.default_rng(key), self._batch_size)


class Examples(Batches[TaskBatch]):
    """Batches of examples that are there: inputs (T, N, I), targets (N, ...) or (T, N, ...).

    In another order in every epoch; with `generator` None as they are. The last batch may be
    smaller.

    >>> data = Examples(np.zeros((5, 10, 1)), np.arange(10), batch_size=4)
    >>> [batch.targets.tolist() for batch in data]
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    """

    def __init__(
        self,
        inputs: Array,
        targets: Array,
        *,
        batch_size: int,
        every_step: bool = False,
        generator: Randomness = None,
    ) -> None:
        super().__init__(generator)
        found = targets.shape[1 if every_step else 0]
        if found != inputs.shape[1]:
            raise DataError(f"there are {inputs.shape[1]} examples, and targets for {found}")
        if batch_size < 1:
            raise DataError(f"batch_size is {batch_size}, but must be at least 1")
        self._inputs, self._targets = inputs, targets
        self._batch_size, self._every_step = batch_size, every_step

    def __len__(self) -> int:
        count: int = self._inputs.shape[1]
        return math.ceil(count / self._batch_size)

    def order(self, rng: np.random.Generator | None) -> list[Array]:
        """The indices of the examples of each batch."""
        count = self._inputs.shape[1]
        indices = np.arange(count) if rng is None else rng.permutation(count)
        return np.split(indices, range(self._batch_size, count, self._batch_size))

    def batch(self, key: Array) -> TaskBatch:
        """The batch of these examples."""
        targets = self._targets[:, key] if self._every_step else self._targets[key]
        return TaskBatch(self._inputs[:, key], targets, {})
