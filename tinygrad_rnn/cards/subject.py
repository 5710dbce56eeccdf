"""The subject of a card: a cell, and its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import ops, pytree
from ..engine.dtypes import is_floating
from ..engine.recording.mode import no_grad
from ..engine.tensor import Tensor
from ..nn.recurrent.cell import Cell
from ..nn.recurrent.inputs import check_names
from ..nn.recurrent.layers import Recurrent
from ..nn.recurrent.run import run
from ..testing.cells.further import Drawn, drawn

__all__ = ["Given", "Subject"]

Array = Any
_WARM_UP = 3  # steps from the initial state to one that the cell can reach


class Given(NamedTuple):
    """A sequence: x (T, B, ...), the further inputs of each step, (T, B, ...), and constants."""

    x: Tensor
    inputs: dict[str, Tensor]
    constants: dict[str, Tensor]


class Subject:
    """A cell and how its inputs are drawn. The arguments are those of `check_cell`.

    TypeError if it is not a cell, has no size for its x, or does not take an input of that name.
    """

    def __init__(
        self,
        cell: Cell,
        inputs: Sequence[Any] | None = None,
        input_shape: Sequence[int] | None = None,
        step_inputs: Mapping[str, Any] | None = None,
        constants: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(cell, Cell):
            made = f": pass an instance, {cell.__name__}(...)" if isinstance(cell, type) else ""
            raise TypeError(f"a card needs a cell, a tg.nn.Cell, not {_called(cell)}{made}")
        self.cell, self.seed = cell, seed
        self.name = type(cell).__name__
        step_inputs, constants = dict(step_inputs or {}), dict(constants or {})
        takes = cell.step_inputs()
        needed = [name for name, needs in takes.items() if needs and name not in constants]
        check_names(self.name, takes, [*step_inputs, *needed], constants)
        self.choices = None if inputs is None else np.asarray(inputs)
        self.input_shape = self._shape() if input_shape is None else tuple(input_shape)
        self._inputs: dict[str, Drawn] = dict(sorted(drawn(step_inputs, needed).items()))
        self._constants: dict[str, Drawn] = drawn(constants)
        self.dtype = cell.zeros().dtype

    def _shape(self) -> tuple[int, ...]:
        """The shape of one x_t: its features; for images, on a map as large as the state's."""
        size = getattr(self.cell, "input_size", None)
        if self.choices is not None:
            size = 1 if size is None else size
        if size is None:
            raise TypeError(
                f"{self.name} has no attribute input_size: how long is its x? Add the attribute, "
                "or pass input_shape=(3,), or (3, 8, 8) for an image"
            )
        if not isinstance(size, int | np.integer):
            return tuple(size)
        first = pytree.leaves(self.cell.initial_state(1))[0]
        maps = first.shape[2:] if self.cell.feature_axis < -1 else ()
        return (int(size), *maps)

    @property
    def is_plain(self) -> bool:
        """Whether x_t is a vector of length `input_size`."""
        size = getattr(self.cell, "input_size", None)
        return self.choices is None and self.input_shape == (size,)

    @property
    def input_dtype(self) -> Any:
        """The dtype of x: the cell's, or that of the indices from which x is drawn."""
        if self.choices is None or is_floating(self.choices):
            return self.dtype
        return self.choices.dtype

    @property
    def further(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the further inputs of a step, by name."""
        return {name: how.shape for name, how in self._inputs.items()}

    @property
    def constants(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the constants, by name."""
        return {name: how.shape for name, how in self._constants.items()}

    def given(self, steps: int, rows: int, seed: int | None = None) -> Given:
        """Random sequences: normal numbers, unless the arguments say otherwise."""
        rng = np.random.default_rng([self.seed if seed is None else seed, steps, rows])
        if self.choices is None:
            x = self._tensor(rng.normal(size=(steps, rows, *self.input_shape)))
        else:
            x = self._tensor(rng.choice(self.choices, (steps, rows, *self.input_shape)))
        return Given(
            x,
            {
                n: self._tensor(how.draw(rng, steps, rows)).named(n)
                for n, how in self._inputs.items()
            },
            {n: self._tensor(how.draw(rng, rows)).named(n) for n, how in self._constants.items()},
        )

    def reached(self, rows: int, cell: Cell | None = None) -> Any:
        """A state that the cell can reach."""
        before = self.given(_WARM_UP, rows, self.seed + 1)
        with no_grad():
            cell = cell or self.cell
            start = cell.initial_state(rows)
            _, state = run(cell, before.x, start, before.inputs, before.constants, unrolled=True)
        return pytree.map(lambda leaf: Tensor.of(np.array(leaf._data)), state)

    def _tensor(self, array: Array) -> Tensor:
        found: Tensor = Tensor.of(np.ascontiguousarray(array))
        return ops.astype(found, dtype=self.dtype) if is_floating(array) else found

    def model(self, given: Given, cell: Cell | None = None, **options: Any) -> Callable[..., Any]:
        """A layer of the cell as a function of x alone, with the further inputs fixed."""
        layer = Recurrent(cell or self.cell, **options)
        further = {"constants": given.constants} if given.constants else {}
        return lambda x: layer(x, **given.inputs, **further)

    def again(self, **sizes: Any) -> Cell:
        """A new cell of this kind, freshly initialised."""
        made: Cell = self.cell.made_again(**sizes)
        return made


def _called(x: Any) -> str:
    return f"the class {x.__name__}" if isinstance(x, type) else f"an object of {type(x).__name__}"
