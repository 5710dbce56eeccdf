"""Answers: a cell over a sequence and a linear layer on its outputs, for any task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from .. import nn, ops
from ..data.tasks import IGNORE, Task, TaskBatch
from ..engine.tensor import Tensor

__all__ = ["Answers", "CellMaker", "error", "loss"]

CellMaker: TypeAlias = Callable[[int, int], nn.Cell]
"""Makes a cell of an input size and a hidden size: its class, or a function."""


class Answers(nn.Module):
    """The outputs of a network for the sequences of a task, at every step or only the last.

    A further input that the cell needs and the task lacks is 1 at every step: a `dt` for evenly
    spaced steps, a `mask` of complete data. A cell for images gets images of one pixel.

    >>> from tinygrad_rnn.data.tasks import adding
    >>> task = adding(steps=6, batch_size=4)
    >>> model = Answers(nn.LSTMCell(2, 8), task)
    >>> model(next(iter(task.train)).inputs).shape
    (4, 1)
    """

    def __init__(self, cell: nn.Cell, task: Task) -> None:
        self.recurrent = nn.Recurrent(cell)
        self.readout = nn.Linear(cell.output_size, task.output_size)
        self.every_step = task.every_step

    def forward(self, x: Any, further: Mapping[str, Any] = MappingProxyType({})) -> Tensor:
        """The answers, (T, B, O) or (B, O), for x (T, B, I) and the further inputs, if any."""
        cell = self.recurrent.cells[0]
        pixel = -1 - cell.feature_axis  # axes of an image, after that of its features
        inputs = _further(cell, x, further)
        outputs, _ = self.recurrent(x.reshape(*x.shape, *[1] * pixel), **inputs)
        if pixel:
            outputs = ops.reshape(outputs, (*x.shape[:2], -1))
        answers: Tensor = self.readout(outputs if self.every_step else outputs[-1])
        return answers


def _further(cell: nn.Cell, x: Any, further: Mapping[str, Any]) -> Mapping[str, Any]:
    takes = cell.step_inputs()
    one = np.ones((*x.shape[:2], 1), x.dtype)
    needed = {name: one for name, needs in takes.items() if needs}
    return needed | {name: array for name, array in further.items() if name in takes}


def loss(model: Answers, batch: TaskBatch) -> tuple[Tensor, Mapping[str, tuple[float, float]]]:
    """The mean loss of all answers asked for; for classes, also the accuracy. For `fit`.

    >>> from tinygrad_rnn.data.tasks import parity
    >>> task = parity(steps=6)
    >>> value, metrics = loss(Answers(nn.RNNCell(1, 4), task), next(iter(task.train)))
    >>> value.shape, list(metrics)
    ((), ['accuracy'])
    """
    answers = model(batch.inputs, batch.further)
    value = error(answers, batch.targets)
    if batch.targets.dtype.kind == "f":
        return value, {}
    asked = batch.targets != IGNORE
    right = (answers.data.argmax(axis=-1) == batch.targets)[asked]
    return value, {"accuracy": (float(right.mean()), float(right.size))}


def error(answers: Tensor, targets: Any) -> Tensor:
    """The mean squared error of numbers, or the cross entropy of class scores.

    >>> error(ops.zeros(2, 3, 4), np.array([[1, IGNORE, IGNORE], [0, 2, IGNORE]]))
    tensor(1.3862944, dtype=float32)
    """
    if targets.dtype.kind == "f":
        return nn.mse_loss(answers, targets)
    scores = ops.reshape(answers, (-1, answers.shape[-1]))
    return nn.cross_entropy(scores, targets.reshape(-1), ignore_index=IGNORE)
