"""A task in which the times of the samples matter."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_rnn.data.errors import DataError
from tinygrad_rnn.data.tasks.task import Drawn, Task, TaskBatch

__all__ = ["irregular_series"]

_FREQUENCIES = (0.5, 0.8, 1.25, 2.0)
_HELD_OUT = 10


def irregular_series(
    steps: int = 50, *, batch_size: int = 32, batches: int = 100, seed: int = 0
) -> Task:
    """Tell the frequency of a wave from samples at random times: one of four.

    Waits between samples are exponential, with mean 0.5; frequencies are 0.5, 0.8, 1.25 and 2 turns
    per unit of time, phases random, and a tenth of the amplitude is noise. x_t: the sample and the
    wait before it; cells with an input `dt` (T, B, 1) get the wait there, too. Without the waits
    the samples carry almost no information. The answer, after the last step, is the frequency. A
    guess has the cross entropy log(4).

    >>> batch = next(iter(irregular_series(steps=6, batch_size=2).train))
    >>> batch.inputs.shape, batch.further["dt"].shape
    ((6, 2, 2), (6, 2, 1))
    """
    if steps < 1:
        raise DataError(f"steps is {steps}, but must be at least 1")

    def draw(rng: np.random.Generator, rows: int) -> TaskBatch:
        targets = rng.integers(len(_FREQUENCIES), size=rows)
        waits = rng.exponential(0.5, size=(steps, rows, 1)).astype(np.float32)
        phase = np.cumsum(waits[:, :, 0], axis=0) + rng.random(rows) / np.take(
            _FREQUENCIES, targets
        )
        wave = np.sin(2 * math.pi * np.take(_FREQUENCIES, targets) * phase)
        wave += 0.1 * rng.standard_normal(wave.shape)
        x = np.concatenate([wave[:, :, None].astype(np.float32), waits], axis=-1)
        return TaskBatch(x, targets, {"dt": waits})

    train = Drawn(draw, batches=batches, batch_size=batch_size, generator=seed)
    held_out = Drawn(draw, batches=_HELD_OUT, batch_size=batch_size)
    baseline = math.log(len(_FREQUENCIES))
    size = len(_FREQUENCIES)
    return Task("irregular_series", 2, size, "cross entropy", False, baseline, train, held_out)
