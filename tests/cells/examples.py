"""One of each cell, random, on a short sequence: what the tests of this folder run."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import cells, nn, pytree
from tinygrad_rnn.engine.dtypes import is_floating
from tinygrad_rnn.nn.recurrent.run import run

from .papers import PAPERS, Parameters, exact

STEPS, ROWS = 4, 2
NAMES = [name for name in sorted(cells.__all__) if name.endswith("Cell")]
NAMES.remove("PublishedCell")


class Example(NamedTuple):
    """A cell in float64 whose parameters are random, x (T, B, I) and a state to start from."""

    cell: nn.Cell
    x: Any
    state: Any

    @property
    def arrays(self) -> list[Any]:
        """Everything that outputs depend on: x, the leaves of the state, the parameters."""
        return [self.x, *pytree.leaves(self.state), *(p.data for p in self.cell.parameters())]

    def run(self) -> list[Any]:
        """Outputs (T, B, ...), and the leaves of the last state."""
        outputs, last = run(
            self.cell, tg.tensor(self.x), pytree.map(tg.tensor, self.state), unrolled=True
        )
        return [outputs.data, *(leaf.data for leaf in pytree.leaves(last))]


@cache
def example(name: str) -> Example:
    """The cell as the papers' file says to make it. It is shared: do not change it."""
    rng = np.random.default_rng(3)
    cell = getattr(cells, name)(**PAPERS[name].sizes).astype("float64")
    for parameter in cell.parameters():
        parameter.data = 0.7 * rng.standard_normal(parameter.shape)
    x = rng.standard_normal((STEPS, ROWS, cell.input_size))
    state = pytree.map(
        lambda s: 0.5 * rng.standard_normal(s.shape) if is_floating(s.data) else s.data,
        cell.initial_state(ROWS),
    )
    return Example(cell, x, state)


def by_the_paper(name: str, numbers: list[Any]) -> list[Any]:
    """As `Example.run`, computed by the paper from what `Example.arrays` has, in 50 digits."""
    cell, _, like = example(name)
    names = [n for n, _ in cell.named_parameters()]
    x, *leaves = numbers[: len(numbers) - len(names)]
    given = Parameters(zip(names, numbers[len(numbers) - len(names) :]))
    state, shown = pytree.unflatten(like, leaves), []
    for x_t in x:
        found = PAPERS[name].step(given, x_t, state, cell)
        output, state = found if PAPERS[name].output else (pytree.leaves(found)[0], found)
        shown.append(output)
    return [np.stack(shown), *pytree.leaves(state)]


@cache
def expected(name: str) -> list[Any]:
    """What the paper says that `example(name).run()` gives, in 50 digits."""
    return by_the_paper(name, [exact(array) for array in example(name).arrays])
