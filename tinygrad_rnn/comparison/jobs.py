"""Job: one run of a comparison as data, for any process; its result is a row."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from ..compiler.backends.executor import executing_on
from ..engine.dtypes import get_default_dtype, set_default_dtype
from ..training import Callback
from ..training.environment import environment
from .run import learn, reproducible
from .subjects import ComparisonError, Subject

__all__ = ["TIMED", "Job", "Key", "Recipe", "Row", "comparable"]

Row: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str, int]

TIMED = ("seconds", "step_seconds", "environment")
"""The entries of a row that differ from run to run; all others are the same everywhere."""


@dataclass(frozen=True)
class Recipe:
    """How every cell is trained: with Adam, `epochs` times `batches` steps.

    `steps`: the length of the sequences; None: the task's.

    >>> Recipe(epochs=5).batches
    50
    """

    epochs: int = 10
    batches: int = 50
    batch_size: int = 32
    steps: int | None = None
    learning_rate: float = 0.01
    clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batches", "batch_size", "steps"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ComparisonError(f"{name} is {size}, but must be at least 1")
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ComparisonError(f"{name} is {getattr(self, name)}, but must be more than 0")

    @property
    def of_task(self) -> dict[str, int]:
        """The arguments of the task."""
        sizes = {"steps": self.steps, "batch_size": self.batch_size, "batches": self.batches}
        return {name: size for name, size in sizes.items() if size is not None}


@dataclass(frozen=True)
class Job:
    """A cell with a hidden size, to be trained on a task with a seed, an executor and a dtype."""

    cell: Subject
    task: Subject
    seed: int
    hidden_size: int
    recipe: Recipe
    executor: str
    dtype: str
    version: str

    @property
    def key(self) -> Key:
        """Task, cell and seed, which identify a run within its comparison."""
        return self.task.name, self.cell.name, self.seed

    @property
    def setup(self) -> dict[str, Any]:
        """Everything else that determines the result; with another setup it is another result."""
        return {
            **asdict(self.recipe),
            "hidden_size": self.hidden_size,
            "executor": self.executor,
            "dtype": self.dtype,
            "version": self.version,
            "code of the cell": self.cell.code,
            "code of the task": self.task.code,
        }

    def run(self, callbacks: tuple[Callback, ...] = ()) -> Row:
        """Train, and return the result."""
        with reproducible(self.seed), executing_on(self.executor):
            dtype = get_default_dtype()
            set_default_dtype(self.dtype)
            try:
                return self._row(callbacks)
            finally:
                set_default_dtype(dtype)

    def _row(self, callbacks: tuple[Callback, ...]) -> Row:
        learnt = learn(
            self.cell.make,
            lambda seed: self.task.make(seed=seed, **self.recipe.of_task),
            hidden_size=self.hidden_size,
            seed=self.seed,
            epochs=self.recipe.epochs,
            learning_rate=self.recipe.learning_rate,
            clip=self.recipe.clip,
            callbacks=callbacks,
        )
        task, cell, seed = self.key
        curves = {name: learnt.history[name] for name in learnt.history.names}
        for name in ("epoch", "learning_rate", "seconds"):
            curves.pop(name, None)
        row = {
            "task": task,
            "cell": cell,
            "seed": seed,
            "parameters": learnt.parameters,
            "loss": curves["val_loss"][-1] if curves and not learnt.diverged else math.nan,
            "accuracy": curves.get("val_accuracy", [math.nan])[-1],
            "diverged": learnt.diverged,
            "curves": curves,
            "flow_before": learnt.flow_before,
            "flow_after": learnt.flow_after,
            "step_seconds": learnt.step_seconds,
            "seconds": learnt.seconds,
            "environment": environment(),
            "setup": self.setup,
        }
        return as_read(row)


def as_read(row: Mapping[str, Any]) -> Row:
    """The row as read back from its line of JSON: NaN and infinity become None."""
    found: Row = json.loads(json.dumps(_finite(row), allow_nan=False))
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def comparable(row: Row) -> Row:
    """The row without the times and the place of the run: the part that is bitwise the same.

    >>> comparable({"loss": 0.5, "seconds": 3.2})
    {'loss': 0.5}
    """
    return {name: value for name, value in row.items() if name not in TIMED}
