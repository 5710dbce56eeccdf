"""What can be seen of any model while it reads a sequence: gradient, map, gates, ledger, paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...engine.tensor import Tensor
from ...language import say
from ..charts.plots import plot_connectivity, plot_gates, plot_gradient_flow, plot_ledger
from ..gradient.analysis import gates, gradient_flow
from ..gradient.connectivity import connectivity
from ..gradient.ledger import ledger
from ..page.document import drawing_svg
from ..pictures.comparison import Comparison
from ..pictures.picture import bptt
from .section import Section, chart_figure, figure, write_report

__all__ = ["Models", "report", "views"]

Models = Mapping[str, Callable[..., Any]]

_FLOW = (
    "The norm of the gradient of the loss with respect to each state, at each step. The gradient "
    "enters at the right. Where a line falls towards the left, less of it reaches the earlier "
    "steps, and less is learnt from them."
)
_MAP = (
    "The ops of each step and, in colour, the gradient that flows back along every line. The "
    "larger the gradient, the wider the line, on one scale for all pictures. Read from right to "
    "left. The middle steps are folded into one band, which shows how the gradient changes along "
    "each state. “stack” "
    "collects the outputs of all steps, “split” cuts one product into the gates, “getitem” picks "
    "one step out of many."
)
_GATES = (
    "Every named value of the cell, unit by unit, over the steps. A gate lies between 0 (pale: it "
    "lets nothing through) and 1 (dark: it lets everything through). A state or a candidate is "
    "orange where it is negative, blue where it is positive. Of many units, those that change most."
)
_LEDGER = (
    "A recurrent weight is used at every step, and its gradient is the sum of what each step adds. "
    "These are the parts: how much each step contributes to the gradient of each weight."
)
_PATHS = (
    "How strongly the state after one step depends on the state after an earlier one, and on an "
    "earlier input: the norms of the Jacobians. Then the singular values of the Jacobian from each "
    "step to the last: where all of them are small, no gradient comes back. Last, the share of "
    "that Jacobian that belongs to each path: along a state's own line, or through a gate."
)


def report(
    path: str | os.PathLike[str],
    models: Models,
    x: Tensor | Mapping[str, Tensor],
    labels: Sequence[str],
    loss: Callable[[Any], Tensor] | None = None,
    title: str = "",
) -> Path:
    """Write an HTML page about `models` (by name), all given the same x (T, B, ...).

    `x` may also be a mapping with the input of each model, by its name. `labels`: a word for each
    of the T steps, such as the character that was read. The page holds the map of each model, their
    gradient flow on one scale, their gates, each step's part of the weights' gradients and the
    connectivity of each recurrent layer. It needs no network. OSError if it cannot be written.

    >>> import tempfile
    >>> import tinygrad_rnn as tg
    >>> tg.manual_seed(0)
    >>> models = {"RNN": tg.nn.RNN(2, 3), "LSTM": tg.nn.LSTM(2, 3)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report(Path(folder) / "report.html", models, tg.randn(4, 1, 2), "abcd").name
    'report.html'
    """
    return write_report(path, title or say("Report"), views(models, x, labels, loss))


def views(
    models: Models,
    x: Tensor | Mapping[str, Tensor],
    labels: Sequence[str],
    loss: Callable[[Any], Tensor] | None = None,
) -> list[Section]:
    """The sections of `report`."""
    given = dict(x) if isinstance(x, Mapping) else dict.fromkeys(models, x)
    runs = {name: (model, given[name]) for name, model in models.items()}
    flows = {name: gradient_flow(*run, loss) for name, run in runs.items()}
    flow = chart_figure(plot_gradient_flow(flows, labels))
    seen = [chart_figure(plot_gates(gates(*run, loss), labels), name) for name, run in runs.items()]
    parts = [
        chart_figure(plot_ledger(ledger(*run, loss, norms=True), labels), name)
        for name, run in runs.items()
    ]
    paths = [
        chart_figure(
            plot_connectivity(connectivity(*runs[name], layer), labels),
            name if len(flow) == 1 else f"{name}, {layer}",
        )
        for name, flow in flows.items()
        for layer in flow
    ]
    return [
        Section(say("Gradient flow"), say(_FLOW), [flow]),
        Section(say("Gates"), say(_GATES), seen),
        Section(say("Backpropagation through time"), say(_MAP), list(_maps(runs, labels, loss))),
        Section(say("The parts of the gradient"), say(_LEDGER), parts),
        Section(say("Connectivity"), say(_PATHS), paths),
    ]


def _maps(
    runs: Mapping[str, tuple[Any, Tensor]], labels: Sequence[str], loss: Any
) -> Iterator[str]:
    pictures = [
        bptt(*run, loss, level="gates", fold=2, title=name, labels=labels)
        for name, run in runs.items()
    ]
    for drawing in Comparison(pictures).drawings():
        yield figure(drawing_svg(drawing), kind="map")
