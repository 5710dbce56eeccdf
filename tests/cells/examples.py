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

FURTHER = {
    "dt": lambda rng, cell: rng.uniform(0.2, 2.0, (STEPS, ROWS, 1)),
    "mask": lambda rng, cell: 1.0 * (rng.random((STEPS, ROWS, cell.input_size)) < 0.5),
}
"""What the further inputs of cells are, by name."""


class Example(NamedTuple):
    """A cell in float64 whose parameters are random, x (T, B, I) and a state to start from.

    `inputs`: its further inputs, such as dt (T, B, 1), by name.
    """

    cell: nn.Cell
    x: Any
    state: Any
    inputs: dict[str, Any]

    @property
    def arrays(self) -> list[Any]:
        """Everything that outputs depend on: x, the leaves of the state, the parameters."""
        return [self.x, *pytree.leaves(self.state), *(p.data for p in self.cell.parameters())]

    def run(self) -> list[Any]:
        """Outputs (T, B, ...), and the leaves of the last state."""
        outputs, last = run(
            self.cell,
            tg.tensor(self.x),
            pytree.map(tg.tensor, self.state),
            pytree.map(tg.tensor, self.inputs),
            unrolled=True,
        )
        return [outputs.data, *(leaf.data for leaf in pytree.leaves(last))]


@cache
def example(name: str) -> Example:
    """The cell as the papers' file says to make it. It is shared: do not change it."""
    rng = np.random.default_rng(3)
    cell = getattr(cells, name)(**PAPERS[name].sizes).astype("float64")
    for parameter in cell.parameters():
        parameter.data = 0.7 * rng.standard_normal(parameter.shape)
    if name == "GRUDCell":
        cell.mean.data = rng.standard_normal(cell.mean.shape)
    size = (cell.input_size, *getattr(cell, "image_size", ()))
    x = rng.standard_normal((STEPS, ROWS, *size))
    state = pytree.map(
        lambda s: 0.5 * rng.standard_normal(s.shape) if is_floating(s.data) else s.data,
        cell.initial_state(ROWS),
    )
    inputs = {name: FURTHER[name](rng, cell) for name in cell.step_inputs()}
    return Example(cell, x, state, inputs)


def by_the_paper(name: str, numbers: list[Any]) -> list[Any]:
    """As `Example.run`, computed by the paper from what `Example.arrays` has, in 50 digits."""
    cell, _, like, inputs = example(name)
    inputs = pytree.map(exact, inputs)
    names = [n for n, _ in cell.named_parameters()]
    x, *leaves = numbers[: len(numbers) - len(names)]
    given = Parameters(zip(names, numbers[len(numbers) - len(names) :]))
    state, shown = pytree.unflatten(like, leaves), []
    for t, x_t in enumerate(x):
        further = {key: value[t] for key, value in inputs.items()}
        found = PAPERS[name].step(given, x_t, state, cell, **further)
        output, state = found if PAPERS[name].output else (pytree.leaves(found)[0], found)
        shown.append(output)
    return [np.stack(shown), *pytree.leaves(state)]


@cache
def expected(name: str) -> list[Any]:
    """What the paper says that `example(name).run()` gives, in 50 digits."""
    return by_the_paper(name, [exact(array) for array in example(name).arrays])
