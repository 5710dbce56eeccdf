"""Cells with further inputs under test: their inputs as columns of x, their constants in the state.

So every law about x and the state is checked for them, too: gradients at each time step, padding,
rows of a batch, splitting, reversing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...engine.tensor import from_numpy
from .network import Network, OneStep

if TYPE_CHECKING:
    from ...engine.tensor import Tensor
    from ...nn import Cell

__all__ = ["Drawn", "FurtherInputs", "drawn"]


class Drawn(NamedTuple):
    """A further input: its shape per row, its dtype, and how its values are drawn."""

    shape: tuple[int, ...]
    dtype: Any
    draw: Callable[..., Any]

    @property
    def size(self) -> int:
        """The number of columns of x that it takes."""
        return math.prod(self.shape)


def drawn(given: Mapping[str, Any], needed: Iterable[str] = ()) -> dict[str, Drawn]:
    """How inputs are drawn: normal numbers for a shape, and for an input that is not given.

    Otherwise by a function of a generator and the leading sizes, such as `lambda rng, *sizes:
    rng.exponential(size=(*sizes, 1))`.
    """
    found = {}
    for name, how in {**dict.fromkeys(needed, (1,)), **given}.items():
        draw = how if callable(how) else _normal(tuple(how))
        example = np.asarray(draw(np.random.default_rng(0), 1))
        found[name] = Drawn(example.shape[1:], example.dtype, draw)
    return found


def _normal(shape: tuple[int, ...]) -> Callable[..., Any]:
    return lambda rng, *sizes: rng.normal(size=(*sizes, *shape))


class FurtherInputs(Network):
    """A network whose x includes its further inputs, and whose state is (state, constants)."""

    def __init__(
        self,
        inner: Network,
        x: Drawn,
        inputs: Mapping[str, Drawn],
        constants: Mapping[str, Drawn],
    ) -> None:
        super().__init__(inner.module)
        self._inner, self._x, self._inputs, self._constants = inner, x, inputs, constants

    @property
    def cell(self) -> Cell:
        """That of the wrapped network."""
        return self._inner.cell

    def limits(self, steps: int) -> dict[str, str]:
        """Those of the wrapped network."""
        return self._inner.limits(steps)

    def start(self, rows: int) -> Any:
        """The initial state and randomly drawn constants."""
        rng, dtype = np.random.default_rng(rows), self.cell.zeros().dtype
        drawn = {name: from_numpy(c.draw(rng, rows)) for name, c in self._constants.items()}
        floating = {n: t.astype(dtype) if t.dtype.kind == "f" else t for n, t in drawn.items()}
        return self._inner.start(rows), floating

    def run(self, x: Tensor, state: Any = None, **options: Any) -> tuple[Tensor, Any]:
        """Run the wrapped network on the columns of x."""
        state, constants = self.start(x.shape[1]) if state is None else state
        parts = self._columns(x)
        own = parts.pop("x")
        shown, last = self._inner.run(own, state, inputs=parts, constants=constants, **options)
        return shown, (last, constants)

    def _columns(self, x: Tensor) -> dict[str, Any]:
        found, start, dtype = {}, 0, self.cell.zeros().dtype
        for name, part in {"x": self._x, **self._inputs}.items():
            column = x[:, :, start : start + part.size].reshape(*x.shape[:2], *part.shape)
            start += part.size
            if part.dtype.kind == "b":
                column = column > 0.5
            elif part.dtype.kind in "iu":
                column = column.astype(part.dtype)
            elif name != "x" and x.dtype.kind in "iub":  # only x is tried with whole numbers
                column = column.astype(dtype)
            found[name] = column
        return found

    def draw(self, rng: np.random.Generator, steps: int, rows: int) -> Any:
        """Content for x, (T, B, columns)."""
        parts = [part.draw(rng, steps, rows) for part in (self._x, *self._inputs.values())]
        sizes = [self._x.size, *(part.size for part in self._inputs.values())]
        flat = [np.reshape(p, (steps, rows, n)).astype(float) for p, n in zip(parts, sizes)]
        return np.concatenate(flat, axis=-1)

    def order(self, parts: int) -> Iterable[int]:
        """That of the wrapped network."""
        return self._inner.order(parts)

    def around(self, inner: Network) -> FurtherInputs:
        """The same inputs for another network."""
        return FurtherInputs(inner, self._x, self._inputs, self._constants)

    def unshared(self, steps: int) -> tuple[Network, list[OneStep]]:
        """That of the wrapped network."""
        inner, parameters = self._inner.unshared(steps)
        return self.around(inner), parameters
