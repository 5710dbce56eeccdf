"""The confusion matrix of a classifier: true classes against predicted ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...language import say
from ..style.palette import SMALL
from ..style.text import escaped, fitted, printable, text_width
from .chart import Chart
from .marks import amount, draw_cells, draw_scale
from .panel import Panel

__all__ = ["plot_confusion"]

CELL = 21.0
_CELL = "{true}, predicted {answer}: {count} of {total}"


def plot_confusion(counts: Any, classes: Sequence[str]) -> Chart:
    """Cells of `counts` (true class, predicted class): each row as shares of that class.

    Hover over a cell for the number behind it.

    >>> chart = plot_confusion([[8, 2], [0, 5]], ["Greek", "Irish"])
    >>> "Greek, predicted Irish: 2 of 10" in chart.svg()
    True
    """
    counts = np.asarray(counts)
    size = len(classes)
    if counts.shape != (size, size):
        raise ValueError(f"counts of shape {counts.shape} for {size} classes")
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, where=totals > 0, out=np.zeros(counts.shape))
    names = [fitted(printable(name), SMALL, 84.0) for name in classes]
    left = 20 + max((text_width(name, SMALL) for name in names), default=0.0)
    panel = Panel(
        left + max(size * CELL, 120.0) + 12, size * CELL, size,
        say("true class (row), predicted class (column)"),
        labels=names, left=left, below=22.0,
    )  # fmt: skip

    def tell(row: int, column: int, _: float) -> str:
        values = {"count": counts[row, column], "total": totals[row, 0]}
        return say(_CELL, true=classes[row], answer=classes[column], **values)

    draw_cells(panel, shares, amount, tell)
    for n, name in enumerate(names):
        panel.text(left - 6, panel.top + (n + 0.5) * CELL + 3.5, escaped(name), "right soft")
    panel.name_steps()
    draw_scale(panel, "a", ("0 %", say("100 % of the row")))
    return Chart([panel], say("confusion matrix"))
