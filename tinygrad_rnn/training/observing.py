"""`Observe`: gates and gradients at every time step, recorded while a model trains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..compiler.observation import Observation, observe
from ..norms import norms_of_rows
from .loop import Callback, Training

__all__ = ["Observe"]

Array = Any


class Observe(Callback):
    """Record the named values of a model, and the gradient that reaches them, while it trains.

    On every `every`-th step of the optimiser the forward and the backward pass run under
    `tg.observe`. Of each named value, at each time step, two numbers are kept: its mean over the
    batch and the units, without padding, and the norm of its gradient. `names`: those of the values
    to record, None for all. Nothing is unrolled, and the training is the same with and without.

    `steps`: the numbers of the recorded steps of the optimiser, from 1. `means` and `norms`: by the
    keys of `tg.observe`, an array (records, T); the second call of a layer has "#2" at the end of
    its key. NaN where a record has no such value or time step, as with shorter batches, or no
    gradient. The records are part of a run's checkpoint.

    ValueError if `every` is less than 1, or for a name that nothing has.

    >>> import tinygrad_rnn as tg
    >>> model = tg.nn.LSTM(2, 3)
    >>> record = Observe(names=["forget gate", "c"], every=2)
    >>> _ = tg.training.fit(
    ...     model, lambda model, x: tg.square(model(x)[0]).mean(), [tg.randn(5, 4, 2)], epochs=4,
    ...     optimizer=tg.optim.SGD(model.parameters()), callbacks=[record], progress=False,
    ... )
    >>> record.steps, list(record.means)
    ([1, 3], ['l0: forget gate', 'l0: c'])
    >>> record.means["l0: forget gate"].shape, record.norms["l0: c"].shape
    ((2, 5), (2, 5))
    """

    def __init__(self, names: Iterable[str] | None = None, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"every is {every}, but must be at least 1")
        if isinstance(names, str):
            raise TypeError(f"names is a list of names: names=[{names!r}]")
        self.names, self.every = None if names is None else list(names), every
        self.steps: list[int] = []
        self._records: list[dict[str, list[Array]]] = []  # by key: means and norms
        self._states: dict[str, list[str]] = {}  # path and name, by the key of a state

    @property
    def means(self) -> dict[str, Array]:
        """The mean of each value at each time step, (records, T) by key."""
        return self._over_records(0)

    @property
    def norms(self) -> dict[str, Array]:
        """The norm of the gradient of each value at each time step, (records, T) by key."""
        return self._over_records(1)

    def flow(self, steps: Iterable[int] | None = None) -> dict[str, dict[str, dict[str, Array]]]:
        """The gradient flow at some recorded steps, for `viz.plot_gradient_flow`.

        By step ("step 1"), module path and state. `steps`: the first and the last by default.
        ValueError for one that was not recorded.

        >>> import tinygrad_rnn as tg
        >>> Observe().flow()  # nothing was recorded yet
        {}
        """
        wanted = dict.fromkeys([*self.steps[:1], *self.steps[-1:]] if steps is None else steps)
        found: dict[str, dict[str, dict[str, Array]]] = {}
        for step in wanted:
            if step not in self.steps:
                raise ValueError(f"step {step} was not recorded; these were: {self.steps}")
            record = self._records[self.steps.index(step)]
            by_path: dict[str, dict[str, Array]] = {}
            for key, (path, name) in self._states.items():
                if key in record:
                    by_path.setdefault(path, {})[name] = record[key][1]
            found[f"step {step}"] = by_path
        return found

    @contextmanager
    def around_step(self, training: Training) -> Iterator[None]:
        """See `Callback`."""
        if training.step % self.every:
            yield
            return
        with observe(training.model, self.names) as seen:
            yield
        self.steps.append(training.step + 1)
        self._records.append(self._summary(seen))

    def _summary(self, seen: Observation) -> dict[str, list[Array]]:
        found: dict[str, list[Array]] = {}
        for key, value in seen.calls():
            if value.steps is None:
                continue
            number = 2
            unique = key
            while unique in found:
                unique, number = f"{key}#{number}", number + 1
            grad = None if value.grad is None else value.grad.data
            norms = np.full(len(value.steps), np.nan) if grad is None else norms_of_rows(grad)
            found[unique] = [_means(value.data, value.mask), norms]
            if value.is_state:
                self._states[unique] = [value.path, value.name + unique[len(key) :]]
        return found

    def _over_records(self, which: int) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for key in dict.fromkeys(key for record in self._records for key in record):
            rows = [record[key][which] if key in record else () for record in self._records]
            whole = found[key] = np.full((len(rows), max(map(len, rows))), np.nan)
            for k, row in enumerate(rows):
                whole[k, : len(row)] = row
        return found

    def state_dict(self) -> dict[str, Any]:
        """See `Callback`."""
        return {"steps": self.steps, "records": self._records, "states": self._states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Callback`."""
        self.steps, self._records = list(state["steps"]), list(state["records"])
        self._states = dict(state["states"])


def _means(values: Array, mask: Array) -> Array:
    """The mean at each time step, without padding; NaN where all is padding."""
    weights = np.ones(values.shape[:1]) if mask is None else mask
    weights = np.broadcast_to(
        weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim)), values.shape
    )
    counts = weights.reshape(len(values), -1).sum(axis=1)
    sums = (values.astype(np.float64) * weights).reshape(len(values), -1).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
