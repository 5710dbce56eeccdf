"""Charts of the results of `gradient_flow`, `gates`, `ledger` and `connectivity`.

Each takes what its function returned and returns a `Chart`, which a notebook shows and `save`
writes. Labels are words for the steps, such as the characters of a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...language import say
from ...norms import norm
from ..gradient.connectivity import Connectivity
from ..style.palette import SMALL, TEXT, Scale
from ..style.text import escaped, fitted, power, printable, text_width
from .chart import Chart
from .marks import (
    Line,
    amount,
    draw_bars,
    draw_cells,
    draw_legend,
    draw_lines,
    draw_scale,
    legend_height,
    signed,
    strength,
)
from .panel import Panel

__all__ = ["plot_connectivity", "plot_gates", "plot_gradient_flow", "plot_ledger"]

Array = Any
Labels = Sequence[str] | None

UNITS = 32  # at most this many units of a gate are shown: those that change most
SCALE = 22.0  # the room for the scale of shades and its labels
DECADES = 10.0  # decades that a scale of norms spans at most


def plot_gradient_flow(
    flow: Mapping[str, Mapping[str, Any]], labels: Labels = None, width: float = 560.0
) -> Chart:
    """Lines of what `gradient_flow` returns: the norms over the steps, on a logarithmic axis.

    `flow` may also hold the results for several models, by the model's name.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> flow = viz.gradient_flow(tg.nn.LSTM(2, 3), tg.randn(6, 1, 2))
    >>> plot_gradient_flow(flow)
    <chart of 1 panels>
    """
    lines = lines_of(flow)
    norms = np.concatenate([line.values for line in lines] or [np.ones(1)])
    norms = norms[np.isfinite(norms) & (norms > 0)]
    count = max((len(line.values) for line in lines), default=0)
    below = legend_height(lines, width)
    panel = Panel(
        width, 216, count, say("norm of the gradient"), labels=labels, left=54.0, below=below
    )
    panel.log_axis(norms.min() if norms.size else 1.0, norms.max() if norms.size else 1.0)
    panel.name_steps()
    draw_lines(panel, lines)
    draw_legend(panel, lines)
    return Chart([panel], say("gradient flow"))


def lines_of(flow: Mapping[str, Mapping[str, Any]]) -> list[Line]:
    """A line for each state; with several models or layers, each has a colour."""
    is_one = all(not isinstance(v, Mapping) for states in flow.values() for v in states.values())
    models = {"": flow} if is_one else flow
    found: list[Line] = []
    series = -1
    for model, by_path in models.items():
        dash = -1
        series += len(models) > 1
        for path, states in by_path.items():
            if len(models) == 1:
                dash, series = -1, series + 1  # a colour for each layer
            # The last state is the innermost, such as an LSTM's c: it is drawn in full.
            for name, norms in reversed(list(states.items())):
                dash += 1
                words = [
                    model if len(models) > 1 else "",
                    path if len(by_path) > 1 else "",
                    say(name),
                ]
                label = fitted(" ".join(filter(None, words)), TEXT, 190.0)
                found.append(Line(label, np.asarray(norms), series, dash))
    return found


def plot_gates(gates: Mapping[str, Mapping[str, Array]], labels: Labels = None) -> Chart:
    """Cells for each value that `gates` returns: units downwards, time to the right.

    A value between 0 and 1, such as a gate, is shown from pale to dark; one that may be negative
    from orange through pale to blue. Of more than 32 units those that change most are shown; of a
    batch, the first sequence.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> found = viz.gates(tg.nn.GRU(2, 3), tg.randn(4, 1, 2))
    >>> [panel.title for panel in plot_gates(found, "name").panels]
    ['reset gate', 'update gate', 'candidate', 'h']
    """
    found = [
        (say(name) if len(gates) == 1 else f"{path} {say(name)}", *_units(values))
        for path, by_name in gates.items()
        for name, values in by_name.items()
        if np.size(values)
    ]
    return Chart([gate_panel(name, values, units, labels) for name, values, units in found])


def gate_panel(
    name: str, values: Array, units: Sequence[int], labels: Labels = None, width: float = 234.0
) -> Panel:
    """One named value, (units, T)."""
    panel = Panel(width, 150, values.shape[1], name, labels=labels, below=SCALE)
    low, high = float(np.nanmin(values, initial=0)), float(np.nanmax(values, initial=0))
    is_amount = low >= 0 and high <= 1
    most = max(-low, high) or 1.0

    def tell(row: int, t: int, value: float) -> str:
        unit = say("unit {number}", number=units[row])
        return f"{name}, {unit}, {panel.step(t)}: {value:.3f}"

    draw_cells(panel, values, amount if is_amount else signed(most), tell)
    panel.name_steps()
    kind, ends = ("a", ("0", "1")) if is_amount else ("d", (f"−{most:.2g}", f"{most:.2g}"))
    draw_scale(panel, kind, ends)
    return panel


def _units(values: Array) -> tuple[Array, list[int]]:
    """(units, T) of the first sequence; of many units those that change most, in their order."""
    flat = np.asarray(values, np.float64)
    while flat.ndim > 2:
        flat = flat[:, 0]
    flat = flat.reshape(len(flat), -1).T
    kept = np.arange(len(flat))
    if len(flat) > UNITS:
        spread = np.nan_to_num(np.ptp(flat, axis=1))
        kept = np.sort(np.argsort(-spread, kind="stable")[:UNITS])
    return flat[kept], kept.tolist()


def plot_ledger(ledger: Mapping[str, Mapping[int | None, Array]], labels: Labels = None) -> Chart:
    """Cells of what `ledger` returns: how much each step adds to each weight's gradient.

    A row for each parameter that the steps use, a column for each step: the norm of the step's
    part. `ledger` may also have been given `norms=True`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> plot_ledger(viz.ledger(tg.nn.RNN(2, 3), tg.randn(4, 1, 2)))
    <chart of 1 panels>
    """
    used = {name: parts for name, parts in ledger.items() if set(parts) - {None}}
    count = 1 + max((t for parts in used.values() for t in parts if t is not None), default=-1)
    norms = np.array([[norm(parts.get(t, 0.0)) for t in range(count)] for parts in used.values()])
    norms = norms.reshape(len(used), count)
    names = [fitted(name, SMALL, 130.0) for name in used]
    left = 24 + max((text_width(name, SMALL) for name in names), default=0.0)
    width = min(max(left + 28.0 * count, 340.0), 560.0)
    panel = Panel(
        width, 26 * max(len(used), 1), count, say("norm of each step's part"),
        labels=labels, left=left, below=SCALE,
    )  # fmt: skip
    scale = _scale(norms)

    def tell(row: int, t: int, value: float) -> str:
        return f"{list(used)[row]}, {panel.step(t)}: {value:.3g}"

    draw_cells(panel, norms, strength(scale), tell)
    row_height = (panel.bottom - panel.top) / max(len(used), 1)
    for n, name in enumerate(names):
        panel.text(left - 8, panel.top + (n + 0.5) * row_height + 3.5, name, "right soft")
    panel.name_steps()
    draw_scale(panel, "h", (_power(scale.low), _power(scale.high)))
    return Chart([panel], say("the parts of the gradient"))


def _scale(norms: Array) -> Scale:
    """From the least to the largest of these norms, at most ten decades and at least two."""
    known = np.log10(norms[np.isfinite(norms) & (norms > 0)])
    high = float(known.max()) if known.size else 0.0
    low = float(np.clip(known.min(initial=high), high - DECADES, high - 1.0))
    return Scale(low, high)


def _power(exponent: float) -> str:
    return power(round(exponent)) if abs(exponent) >= 3 else f"{10**exponent:.1g}"


def plot_connectivity(connectivity: Connectivity, labels: Labels = None) -> Chart:
    """What `connectivity` returns, in four panels.

    The norm of d state_t / d state_s, row t and column s; the norm of d state_t / d x_s; the
    largest, median and smallest singular value of d state_T-1 / d state_t; and the share of each
    path in it, as bars, below zero for a path that cancels part of the others.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> found = viz.connectivity(tg.nn.LSTM(2, 3), tg.randn(4, 1, 2, requires_grad=True))
    >>> plot_connectivity(found, "name").panels[3].title
    'share of each path'
    """
    if labels is not None and len(labels) < len(connectivity.steps):
        raise ValueError(f"{len(labels)} labels for {len(connectivity.steps)} steps")
    if labels is not None or connectivity.steps != sorted(connectivity.steps):
        labels = [labels[t] if labels is not None else str(t) for t in connectivity.steps]
    states = connectivity.states
    return Chart(
        [
            _matrix(say("state after t (row) on state after s"), states, labels),
            _matrix(say("state after t (row) on input x at s"), connectivity.inputs, labels),
            _singular_values(connectivity.product_values, labels),
            _shares(connectivity.product_shares, labels),
        ]
    )


def _matrix(title: str, values: Array, labels: Labels) -> Panel:
    """Norms on a logarithmic scale."""
    count = len(values)
    panel = Panel(350, 290, count, title, labels=labels, left=48.0, below=SCALE)
    scale = _scale(values)

    def tell(row: int, column: int, value: float) -> str:
        places = {"row": panel.step(row), "column": panel.step(column)}
        return say("{row} on {column}: {value:.3g}", value=value, **places)

    draw_cells(panel, np.where(values > 0, values, np.nan), strength(scale), tell, missing=False)
    panel.name_steps()
    height = (panel.bottom - panel.top) / max(count, 1)
    every = max(1, int(np.ceil(14 / height)))
    for t in range(0, count, every):
        name = fitted(labels[t] if labels is not None else str(t), SMALL, 36.0)
        panel.text(
            panel.left - 6,
            panel.top + (t + 0.5) * height + 3.5,
            escaped(printable(name)),
            "right soft",
        )
    if not np.any(values > 0):
        x, y, w, h = panel.area
        panel.text(x + w / 2, y + h / 2, say("the inputs record no gradient"), "soft")
    draw_scale(panel, "h", (f"{10**scale.low:.1g}", f"{10**scale.high:.2g}"))
    return panel


def _singular_values(values: Array, labels: Labels) -> Panel:
    """The largest, the median and the smallest singular value at each step."""
    found = [(say("largest"), values.max(axis=1)), (say("median"), np.median(values, axis=1))]
    found.append((say("smallest"), values.min(axis=1)))
    lines = [Line(name, line, 2, dash) for dash, (name, line) in enumerate(found)]
    largest = found[0][1][found[0][1] > 0]
    # What is far below the largest is mostly rounding, and would flatten the rest.
    low = float(max(values[values > 0].min(initial=np.inf), 1e-6 * largest.min(initial=1.0)))
    low = low if largest.size else 1.0
    count = len(values)
    panel = Panel(
        350, 210, count, say("singular values to the end"),
        labels=labels, left=54.0, below=legend_height(lines, 350),
    )  # fmt: skip
    panel.log_axis(low, float(largest.max(initial=low)))
    panel.name_steps()
    draw_lines(panel, lines)
    draw_legend(panel, lines)
    return panel


def _shares(shares: Mapping[str, Array], labels: Labels) -> Panel:
    """Stacked bars: the share of each path at each step."""
    parts = [(name, n, values) for n, (name, values) in enumerate(shares.items())]
    lines = [Line(fitted(say(name), TEXT, 130.0), values, n) for name, n, values in parts]
    count = max(map(len, shares.values()), default=0)
    panel = Panel(
        350, 210, count, say("share of each path"),
        labels=labels, left=54.0, below=legend_height(lines, 350),
    )  # fmt: skip
    stacked = np.nan_to_num([values for _, _, values in parts]).reshape(len(parts), count)
    high = max(1.0, float(np.maximum(stacked, 0).sum(axis=0).max(initial=1.0)))
    low = min(0.0, float(np.minimum(stacked, 0).sum(axis=0).min(initial=0.0)))
    panel.axis(low, high, [(v, f"{v:.0%}") for v in (0.0, 0.5, 1.0)])
    panel.name_steps()
    draw_bars(panel, parts)
    draw_legend(panel, lines, filled=True)
    return panel
