"""The metrics of each epoch, and a plot of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

__all__ = ["History"]

Row = dict[str, float]


class History:
    """A row of metrics for each epoch; `history["val_loss"]` is one of them over all epochs.

    Rows hold `epoch`, `train_loss` and the other metrics of training, `val_...` those of the
    validation, the `learning_rate` of the last step, the mean `gradient_norm` before clipping, and
    the `seconds` it took, evaluation included.

    >>> history = History([{"epoch": 1, "val_loss": 0.7}, {"epoch": 2, "val_loss": 0.5}])
    >>> history["val_loss"], history[-1]["epoch"], len(history), history.names
    ([0.7, 0.5], 2, 2, ('epoch', 'val_loss'))
    >>> history.best("val_loss")
    {'epoch': 2, 'val_loss': 0.5}
    >>> history
    epoch  val_loss
        1       0.7
        2       0.5
    """

    def __init__(self, rows: Iterable[Mapping[str, float]] = ()) -> None:
        self.rows: list[Row] = [dict(row) for row in rows]

    def append(self, row: Mapping[str, float]) -> None:
        """Add the metrics of one more epoch."""
        self.rows.append(dict(row))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all metrics, in the order of their first appearance."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row))

    @overload
    def __getitem__(self, which: str) -> list[float]: ...
    @overload
    def __getitem__(self, which: int) -> Row: ...
    def __getitem__(self, which: str | int) -> list[float] | Row:
        if isinstance(which, int):
            return self.rows[which]
        if which not in self.names:
            raise KeyError(f"no metric {which!r} was measured; there are {', '.join(self.names)}")
        return [row.get(which, math.nan) for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self.rows == other.rows

    __hash__ = None  # type: ignore[assignment]

    def best(self, metric: str, mode: str = "min") -> Row:
        """The row of the epoch where `metric` was lowest (`mode="max"`: highest)."""
        sign = {"min": 1.0, "max": -1.0}[mode]
        values = [sign * value for value in self[metric]]
        order = [math.inf if math.isnan(value) else value for value in values]
        return self.rows[order.index(min(order))]

    def json_lines(self) -> str:
        """A line of JSON for each epoch. NaN and infinity, which JSON lacks, become null.

        >>> History([{"epoch": 1, "val_loss": math.nan}]).json_lines()
        '{"epoch": 1, "val_loss": null}\\n'
        """
        return "".join(
            json.dumps({n: v if math.isfinite(v) else None for n, v in row.items()}) + "\n"
            for row in self.rows
        )

    def plot(self, *metrics: str) -> Any:
        """A `viz.Chart`: each metric over the epochs, training and validation in one panel.

        `metrics`: their names without `train_` and `val_`; all if none is given.

        >>> chart = History([{"epoch": 1, "train_loss": 2.0, "val_loss": 3.0}]).plot("loss")
        >>> chart.svg()[:4]
        '<svg'
        """
        from ..viz import plot_history  # which leans on this folder, and not the other way round

        return plot_history(self, metrics)

    def __repr__(self) -> str:
        if not self.rows:
            return "<History of no epochs>"
        table = [list(self.names), *([_shown(row.get(n)) for n in self.names] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = ("  ".join(cell.rjust(w) for cell, w in zip(row, widths)) for row in table)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{_escaped(name)}</th>" for name in self.names)
        rows = "".join(
            "<tr>" + "".join(f"<td>{_shown(row.get(n))}</td>" for n in self.names) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
