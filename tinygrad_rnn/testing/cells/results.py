"""The results of a run of a cell, values and gradients, and where two of them first differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = ["Results", "first_difference"]


@dataclass(frozen=True)
class Results:
    """The results of a run: values, and the gradients of their weighted sum."""

    outputs: Array  # (T, B, ...)
    state: list[Array]  # the last one's leaves, (B, ...)
    by_x: Array  # (T, B, ...)
    by_state: list[Array]  # with respect to the floating leaves of the initial state
    by_parameters: dict[str, Array]
    state_names: list[str]

    def rows(self, chosen: Any) -> Results:
        """The results for some of the sequences; the parameters' gradients are unchanged."""
        return replace(
            self,
            outputs=self.outputs[:, chosen],
            state=[leaf[chosen] for leaf in self.state],
            by_x=self.by_x[:, chosen],
            by_state=[leaf[chosen] for leaf in self.by_state],
        )

    def steps(self, chosen: Any) -> Results:
        """The results for some of the steps, or for all in another order."""
        return replace(self, outputs=self.outputs[chosen], by_x=self.by_x[chosen])

    @staticmethod
    def of_rows(rows: Sequence[Results]) -> Results:
        """The results of a batch from those of its rows, which may differ in number of steps."""

        def beside(arrays: Iterable[Array]) -> Array:
            columns = list(arrays)
            steps = max(map(len, columns))
            ends = [[(0, steps - len(c)), *[(0, 0)] * (c.ndim - 1)] for c in columns]
            return np.concatenate([np.pad(*pair) for pair in zip(columns, ends)], axis=1)

        names = rows[0].by_parameters
        return Results(
            beside(row.outputs for row in rows),
            [np.concatenate(parts) for parts in zip(*(row.state for row in rows))],
            beside(row.by_x for row in rows),
            [np.concatenate(parts) for parts in zip(*(row.by_state for row in rows))],
            {name: np.sum([row.by_parameters[name] for row in rows], axis=0) for name in names},
            rows[0].state_names,
        )

    def named(self) -> Iterator[tuple[str, Array, bool]]:
        """Every array with its name, and whether its first axis is time."""
        yield "outputs", self.outputs, True
        for name, array in zip(self.state_names, self.state):
            yield f"final {name}", array, False
        yield "gradient by x", self.by_x, True
        for index, array in enumerate(self.by_state):
            yield f"gradient by the initial state, floating leaf {index}", array, False
        for name, array in self.by_parameters.items():
            yield f"gradient by {name}", array, False


def first_difference(found: Results, expected: Results, exact: bool = False) -> str | None:
    """The first element where the two differ by more than rounding, or at all if `exact`.

    Rounding is relative to the largest element of an array or, where the first axis is time, of a
    time step, so that differences in small values at distant steps are not missed.
    """
    for (name, one, timed), (_, other, _) in zip(found.named(), expected.named(), strict=True):
        if one.shape != other.shape or one.dtype != other.dtype:
            return f"{name}: {one.dtype}{list(one.shape)}, not {other.dtype}{list(other.shape)}"
        given, wanted = one, other
        same = (one == other) | ((one != one) & (other != other))
        if not exact and one.dtype.kind == "f":
            axes = tuple(range(int(timed), one.ndim))
            finite = np.isfinite(one) & np.isfinite(other)
            one, other = np.where(finite, one, 0), np.where(finite, other, 0)
            size = np.max(np.abs(other), axis=axes, keepdims=True, initial=0)
            same |= finite & (np.abs(one - other) <= 1e-9 * np.abs(other) + 1e-12 * size)
        if not np.all(same):
            index = tuple(int(i) for i in np.argwhere(~same)[0])
            when = f" at step {index[0]}" if timed else ""
            return (
                f"{name}{when}, element [{', '.join(map(str, index))}]: "
                f"{given[index]:.17g}, not {wanted[index]:.17g}"
            )
    return None
