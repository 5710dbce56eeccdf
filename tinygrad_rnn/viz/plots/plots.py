"""Plots of what `gradient_flow`, `gates`, `ledger` and `connectivity` find, with Matplotlib.

Each takes what its function returned and draws it into the axes (or figure) given, or into a new
figure; it returns the figure. Labels are words for the steps, such as the characters of a text.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..connectivity import Connectivity
from ..flow import norm
from ..recorded import Array
from ..style.text import fitted
from .figure import (
    AMOUNT,
    COLOURS,
    LINE,
    SIGNED,
    SOFT,
    axes,
    finish,
    heatmap,
    legend,
    log_axis,
    name_steps,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_connectivity", "plot_gates", "plot_gradient_flow", "plot_ledger"]

UNITS = 32  # of a gate, shown at most: those that change most
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))

Labels = Sequence[str] | None


def plot_gradient_flow(
    flow: Mapping[str, Mapping[str, Any]], labels: Labels = None, ax: Axes | None = None
) -> Figure:
    """Lines of what `gradient_flow` returns, the norms over the steps, on a logarithmic axis.

    `flow` may also hold what it returned for several models, by the model's name.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> flow = viz.gradient_flow(tg.nn.LSTM(2, 3), tg.randn(6, 1, 2))
    >>> figure = plot_gradient_flow(flow)
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['h', 'c']
    """
    ax = axes(ax, 480, 260)
    lines = _lines(flow)
    norms = np.concatenate([line[-1] for line in lines] or [np.ones(1)])
    norms = norms[np.isfinite(norms) & (norms > 0)]
    for label, colour, dash, values in lines:
        shown = np.where(values > 0, values, np.nan)
        marker = "o" if len(values) <= 30 else ""
        ax.plot(shown, color=colour, linestyle=dash, marker=marker, markersize=3.5, label=label)
    log_axis(ax, norms.min(initial=1.0 if not norms.size else np.inf),
             norms.max(initial=1.0 if not norms.size else 0.0))  # fmt: skip
    below = name_steps(ax, labels, max((len(line[-1]) for line in lines), default=0))
    ax.set_ylabel("norm of the gradient")
    if labels is None:
        ax.set_xlabel("step")
        below += 14.0
    legend(ax, below)
    finish(ax)
    return _figure(ax)


def _lines(flow: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, Any, Array]]:
    """Label, colour, dash and norms of each line: of several models each has a colour."""
    is_one = all(not isinstance(v, Mapping) for states in flow.values() for v in states.values())
    models = {"": flow} if is_one else flow
    found, shade = [], -1
    for model, by_path in models.items():
        place = -1
        shade += len(models) > 1
        for path, states in by_path.items():
            if len(models) == 1:
                place, shade = -1, shade + 1  # a colour for each layer
            for name, norms in states.items():
                place += 1
                words = [
                    model if len(models) > 1 else "",
                    path if len(by_path) > 1 else "",
                    name,
                ]
                label = fitted(" ".join(filter(None, words)), 9, 170.0)
                dash = DASHES[place % len(DASHES)]
                found.append((label, COLOURS[shade % len(COLOURS)], dash, np.asarray(norms)))
    return found


def plot_gates(
    gates: Mapping[str, Mapping[str, Array]], labels: Labels = None, figure: Figure | None = None
) -> Figure:
    """A heatmap for each thing that `gates` returns: units downwards, the text to the right.

    Blue is positive, red negative, each heatmap relative to its largest value. Of more than 32
    units those are shown that change most; of a batch, the first sequence.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> found = viz.gates(tg.nn.GRU(2, 3), tg.randn(4, 1, 2))
    >>> [ax.get_title(loc="left") for ax in plot_gates(found, "name").axes]
    ['reset gate', 'update gate', 'candidate', 'h']
    """
    found = [
        (name if len(gates) == 1 else f"{path} {name}", _units(values))
        for path, by_name in gates.items()
        for name, values in by_name.items()
        if np.size(values)
    ]
    columns = min(len(found), 3) or 1
    rows = math.ceil(len(found) / columns) or 1
    figure = figure or new_figure(160 * columns, 10 + 180 * rows)
    for place, (name, values) in enumerate(found):
        ax = figure.add_subplot(rows, columns, place + 1)
        most = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
        heatmap(ax, values, SIGNED, -most, most)
        name_steps(ax, labels, values.shape[1])
        ax.set_yticks([])
        ax.set_title(f"±{most:.2g}", loc="right", fontsize=9, color=SOFT)
        finish(ax, fitted(name, 11, 96.0))
    return figure


def _units(values: Array) -> Array:
    """(units, T) of the first sequence; of many units those that change most, in their order."""
    flat = np.asarray(values, np.float64)
    while flat.ndim > 2:
        flat = flat[:, 0]
    flat = flat.reshape(len(flat), -1).T
    if len(flat) > UNITS:
        spread = np.nan_to_num(np.ptp(flat, axis=1))
        flat = flat[np.sort(np.argsort(-spread, kind="stable")[:UNITS])]
    return flat


def plot_ledger(
    ledger: Mapping[str, Mapping[int | None, Array]], labels: Labels = None, ax: Axes | None = None
) -> Figure:
    """A heatmap of what `ledger` returns: how much each step adds to each weight's gradient.

    A row for each parameter that steps use, a column for each step: the norm of the step's part,
    relative to the largest in its row.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> found = viz.ledger(tg.nn.RNN(2, 3), tg.randn(4, 1, 2))
    >>> [row.get_text() for row in plot_ledger(found).axes[0].get_yticklabels()]
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """
    used = {name: parts for name, parts in ledger.items() if set(parts) - {None}}
    count = 1 + max((t for parts in used.values() for t in parts if t is not None), default=-1)
    norms = np.array([[norm(parts.get(t, 0.0)) for t in range(count)] for parts in used.values()])
    norms = norms.reshape(len(used), count)
    largest = norms.max(axis=1, keepdims=True, initial=0.0)
    shares = np.divide(norms, largest, where=largest > 0, out=np.zeros_like(norms))
    ax = axes(ax, 480, 40 + 26 * max(len(used), 1))
    heatmap(ax, shares, AMOUNT, 0, 1)
    name_steps(ax, labels, count)
    ax.set_yticks(range(len(used)), [fitted(name, 9, 150.0) for name in used])
    finish(ax)
    return _figure(ax)


def plot_connectivity(
    connectivity: Connectivity, labels: Labels = None, figure: Figure | None = None
) -> Figure:
    """What `connectivity` returns, in four panels.

    The norm of d state_t / d state_s, row t and column s; that of d state_t / d x_s; the singular
    values of d state_T-1 / d state_t, the largest, the median and the smallest; and the share of
    each path in it, as bars, below zero for what takes away.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn import viz
    >>> found = viz.connectivity(tg.nn.LSTM(2, 3), tg.randn(4, 1, 2, requires_grad=True))
    >>> figure = plot_connectivity(found, "name")
    >>> figure.axes[3].get_title(loc="left")
    'share of each path'
    """
    if labels is not None and len(labels) < len(connectivity.steps):
        raise ValueError(f"{len(labels)} labels for {len(connectivity.steps)} steps")
    if labels is not None or connectivity.steps != sorted(connectivity.steps):
        labels = [labels[t] if labels is not None else str(t) for t in connectivity.steps]
    figure = figure or new_figure(480, 480)
    panels = figure.subplots(2, 2)
    states = connectivity.states
    _matrix(panels[0, 0], "∂ state t / ∂ state s", states, labels)
    _matrix(panels[0, 1], "∂ state t / ∂ x s", connectivity.inputs, labels)
    _singular_values(panels[1, 0], connectivity.product_values, labels)
    _shares(panels[1, 1], connectivity.product_shares, labels)
    return figure


def _matrix(ax: Axes, title: str, values: Array, labels: Labels) -> None:
    """A heatmap of norms on a logarithmic scale of three decades or more, ten at most."""
    logs = np.log10(values, where=values > 0, out=np.full(values.shape, np.nan))
    known = logs[np.isfinite(logs)]
    high = float(known.max()) if known.size else 0.0
    low = float(np.clip(known.min(initial=high), high - 10, high - 2))
    ends = (f"{10**low:.1g}", f"{10**high:.2g}") if known.size else None
    heatmap(ax, logs, AMOUNT, low, high, missing=False, ends=ends)
    name_steps(ax, labels, len(values), 44.0)
    ax.set_yticks(ax.get_xticks(), [text.get_text() for text in ax.get_xticklabels()])
    if not known.size:
        ax.text(0.5, 0.5, "the inputs record no gradient", transform=ax.transAxes,
                ha="center", va="center", fontsize=9, color=SOFT)  # fmt: skip
    finish(ax, title)


def _singular_values(ax: Axes, values: Array, labels: Labels) -> None:
    """The largest, the median and the smallest singular value at each step."""
    lines = {"largest": values.max(axis=1), "median": np.median(values, axis=1)}
    lines["smallest"] = values.min(axis=1)
    largest = lines["largest"][lines["largest"] > 0]
    # What is far below the largest is mostly rounding, and would flatten the rest.
    low = float(max(values[values > 0].min(initial=np.inf), 1e-6 * largest.min(initial=1.0)))
    low = low if largest.size else 1.0
    log_axis(ax, low, float(largest.max(initial=low)))
    steps = np.arange(len(values))
    below = np.maximum(lines["smallest"], ax.get_ylim()[0])
    ax.fill_between(steps, below, lines["largest"], color=COLOURS[1], alpha=0.15, linewidth=0)
    for (name, line), dash in zip(lines.items(), DASHES):
        shown = np.where(line > 0, line, np.nan)
        ax.plot(steps, shown, color=COLOURS[1], linestyle=dash, linewidth=1.6, label=name)
    legend(ax, name_steps(ax, labels, len(values), 44.0))
    finish(ax, "singular values to the end")


def _shares(ax: Axes, shares: Mapping[str, Array], labels: Labels) -> None:
    """Stacked bars: the share of each path at each step; below zero what takes away."""
    from matplotlib.ticker import PercentFormatter

    length = max(map(len, shares.values()), default=0)
    above, below = np.zeros(length), np.zeros(length)
    for (name, share), colour in zip(shares.items(), itertools.cycle(COLOURS[1:])):
        known = np.nan_to_num(share)
        start = np.where(known >= 0, above, below)
        ax.bar(np.arange(length), known, 0.82, start, color=colour, label=fitted(name, 9, 90.0))
        above, below = above + np.maximum(known, 0), below + np.minimum(known, 0)
    ax.axhline(0, color=LINE, linewidth=0.8)
    room = name_steps(ax, labels, length, 44.0)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, 0))
    legend(ax, room)
    finish(ax, "share of each path")


def _figure(ax: Axes) -> Figure:
    return cast("Figure", ax.get_figure(root=True))
