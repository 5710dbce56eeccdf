"""Trained: the cell of a card before and after learning a task, and an LSTM for comparison."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from ... import nn
from ...comparison import Learnt, learn
from ...data.tasks import Task, adding
from ...language import say
from ...nn.recurrent.cell import Cell
from ..subject import Subject

__all__ = ["CannotLearn", "TaskMaker", "Trained", "trained"]

TaskMaker = Callable[..., Task]
NO_SIZE = "{cell} takes no input_size, so it fits no task"
NO_VECTORS = "the tasks have a vector at each step, but {cell} takes other inputs"
NOT_TRAINED = "{cell} cannot be trained on it: {why}"
_LONG = 200  # steps through which the gradient is followed back


class CannotLearn(Exception):
    """Why a cell cannot be trained on a task: a text, and what stands in its braces."""

    def __init__(self, text: str, **values: object) -> None:
        super().__init__(text)
        self.text, self.values = text, values

    def __str__(self) -> str:
        return say(self.text, **self.values)


@dataclass(frozen=True, eq=False)
class Trained:
    """A cell at initialisation and trained, and the results of it and of an LSTM of its size.

    `updates`: how many steps of training. `x` (T, B, I), `inputs`: sequences of the task, several
    joined if one is short.
    """

    task: Task
    initial: Cell
    cell: Cell
    learnt: Learnt
    reference: Learnt
    updates: int
    x: Any
    inputs: Mapping[str, Any]


def trained(subject: Subject, make_task: TaskMaker | None, quick: bool, seed: int) -> Trained:
    """Train a new cell like the subject's on the task.

    CannotLearn says why it cannot be trained.
    """
    takes = inspect.signature(type(subject.cell).__init__).parameters
    if "input_size" not in takes:
        raise CannotLearn(NO_SIZE, cell=subject.name)
    if subject.choices is not None or len(subject.input_shape) != 1 or subject.constants:
        raise CannotLearn(NO_VECTORS, cell=subject.name)
    if make_task is None:
        steps, batches = (15, 100) if quick else (30, 100)
        make_task = partial(adding, steps=steps, batches=batches)
    size = int(getattr(subject.cell, "hidden_size", 16))
    first: list[Mapping[str, Any]] = []

    def make(input_size: int, hidden_size: int) -> Cell:
        sizes: dict[str, Any] = {"input_size": input_size}
        if "hidden_size" in takes:
            sizes["hidden_size"] = hidden_size
        cell = subject.again(**sizes)
        first.append({name: np.copy(a) for name, a in cell.state_dict().items()})
        return cell

    options: Any = {"hidden_size": size, "seed": seed, "epochs": 5 if quick else 12}
    try:
        learnt = learn(make, make_task, **options)
    except (TypeError, ValueError) as error:
        raise CannotLearn(NOT_TRAINED, cell=subject.name, why=error) from error
    task = make_task(seed=seed)
    cell: Cell = learnt.network.recurrent.cells[0]
    initial = make(task.input_size, size)
    initial.load_state_dict(first[0])
    x, inputs = _long(task, cell, 60 if quick else _LONG)
    reference = learn(nn.LSTMCell, make_task, **options)
    updates = options["epochs"] * len(task.train)
    return Trained(task, initial, cell, learnt, reference, updates, x, inputs)


def _long(task: Task, cell: Cell, least: int) -> tuple[Any, dict[str, Any]]:
    """Held-out sequences, joined until there are at least that many steps; at most 16 rows."""
    first = next(iter(task.held_out))
    count = -(-least // len(first.inputs))
    batches = list(islice(task.held_out, count))
    rows = min(16, *(b.inputs.shape[1] for b in batches))
    x = np.concatenate([b.inputs[:, :rows] for b in batches])
    takes = cell.step_inputs()
    inputs = {name: np.ones((len(x), rows, 1), x.dtype) for name, needs in takes.items() if needs}
    for name in takes:
        if all(name in b.further for b in batches):
            inputs[name] = np.concatenate([b.further[name][:, :rows] for b in batches])
    return x, inputs
