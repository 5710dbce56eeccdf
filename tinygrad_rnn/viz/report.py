"""The report on trained models: the map, and what the gradient and the gates do, on one page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.tensor import Tensor
from ..files import write_file
from .analysis import gates, gradient_flow, ledger
from .compare import Comparison
from .connectivity import connectivity
from .picture import bptt
from .plots.figure import INK, LINE, SOFT, new_figure, svg
from .plots.plots import plot_connectivity, plot_gates, plot_gradient_flow, plot_ledger
from .style.palette import palette, style_sheet, variables
from .style.text import escaped
from .svg.canvas import arrow_heads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["report"]

Models = Mapping[str, Callable[..., Any]]

_ABOUT = {
    "Gradient flow": "The norm of the gradient of the loss with respect to each state, at each "
    "step. It enters at the right. Where a line falls to the left, earlier steps have less to "
    "learn from.",
    "Backpropagation through time": "The ops of each step and, in colour, the gradient that "
    "flows back along every edge: the larger, the wider, on one scale for all. The middle steps "
    "are folded; inside is the course of the gradient along each state.",
    "Gates": "What has a name in the cell, unit by unit, over the steps. Blue is positive, red "
    "negative, full colour the largest value. Of many units, those that change most.",
    "Ledger": "The gradient of each weight in parts, by the step that used it: their norms, each "
    "row relative to its largest. The parts sum to the gradient.",
    "Connectivity": "How strongly the state after each step (row) depends on the state after an "
    "earlier one, and on an earlier input (column): norms of the Jacobians. Then the singular "
    "values of the Jacobian from each step to the last, and the share of it that travels by each "
    "path: along a state's own line, or through a gate.",
}
_NO_PLOTS = (
    "More can be seen with Matplotlib (gradient flow, gates, ledger, connectivity): "
    "pip install 'tinygrad-rnn[plot]'"
)


def report(
    path: str | os.PathLike[str],
    models: Models,
    x: Tensor | Mapping[str, Tensor],
    labels: Sequence[str],
    loss: Callable[[Any], Tensor] | None = None,
    title: str = "Report",
) -> Path:
    """Write an HTML page about `models` (by name), all given the same x (T, B, ...).

    `x` may also be a mapping with what each model is given, by its name. `labels`: a word for each
    of the T steps, such as the character that was read. The page holds the map of each model,
    their gradient flow on one scale, their gates, the ledger of their weights' gradients and the
    connectivity of each recurrent layer. It needs no network. Without Matplotlib it holds the maps
    alone. OSError if it cannot be written.

    >>> import tempfile
    >>> import tinygrad_rnn as tg
    >>> tg.manual_seed(0)
    >>> models = {"RNN": tg.nn.RNN(2, 3), "LSTM": tg.nn.LSTM(2, 3)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report(Path(folder) / "report.html", models, tg.randn(4, 1, 2), "abcd").name
    'report.html'
    """
    given = dict(x) if isinstance(x, Mapping) else dict.fromkeys(models, x)
    maps = {"Backpropagation through time": list(_maps(models, given, loss))}
    try:
        new_figure(1, 1)
    except ImportError:
        sections, note = maps, f"<p>{escaped(_NO_PLOTS)}</p>"
    else:
        plots = _plots(models, given, labels, loss)
        sections, note = {"Gradient flow": plots.pop("Gradient flow"), **maps, **plots}, ""
    body = "".join(
        f"<section><h2>{name}</h2><p>{_ABOUT[name]}</p><div class='row'>{''.join(panels)}</div>"
        "</section>"
        for name, panels in sections.items()
        if panels
    )
    write_file(path, _page(title, body + note))
    return Path(path)


def _maps(models: Models, x: Mapping[str, Tensor], loss: Any) -> Iterator[str]:
    pictures = [
        bptt(model, x[name], loss, level="gates", fold=2, title=name)
        for name, model in models.items()
    ]
    for drawing in Comparison(pictures).drawings():
        content, definitions, (left, top, width, height) = drawing.parts()
        yield _panel(
            "",
            f'<svg viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">'
            f"<defs>{definitions}</defs>{content}</svg>",
            "map",
        )


def _plots(
    models: Models, x: Mapping[str, Tensor], labels: Sequence[str], loss: Any
) -> dict[str, list[str]]:
    """The panels of each section that Matplotlib draws."""
    flows = {name: gradient_flow(model, x[name], loss) for name, model in models.items()}
    flow = plot_gradient_flow(flows, labels, new_figure(760, 280).add_subplot())
    found = {"Gradient flow": [_plot("", flow, "flow")]}
    found |= {"Gates": [], "Ledger": [], "Connectivity": []}
    for n, (name, model) in enumerate(models.items()):
        given = model, x[name]
        found["Gates"].append(_plot(name, plot_gates(gates(*given, loss), labels), f"g{n}"))
        found["Ledger"].append(_plot(name, plot_ledger(ledger(*given, loss), labels), f"l{n}"))
        for k, layer in enumerate(flows[name]):
            title = name if len(flows[name]) == 1 else f"{name}, {layer}"
            figure = plot_connectivity(connectivity(*given, layer), labels)
            found["Connectivity"].append(_plot(title, figure, f"c{n}-{k}"))
    return found


def _plot(name: str, figure: Figure, identifier: str) -> str:
    """A panel with a figure whose ink follows the page's theme."""
    text = svg(figure, identifier)
    for colour, variable in ((INK, "ink"), (SOFT, "soft"), (LINE, "line")):
        text = text.replace(colour, f"var(--{variable})")
    return _panel(name, text, "plot")


def _panel(name: str, picture: str, kind: str) -> str:
    caption = f"<figcaption>{escaped(name)}</figcaption>" if name else ""
    return f'<figure class="{kind}-panel">{caption}<div class="pan">{picture}</div></figure>'


def _page(title: str, body: str) -> str:
    # Rules with colours by variable: what `<use>` stamps is reached by them, and by no selector
    # that starts at the root.
    rules = style_sheet({name: f"var(--v-{name})" for name in palette()})
    own = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{rules}:root{{{variables()}}}"
        f"@media(prefers-color-scheme:dark){{:root{{{variables(dark=True)}}}}}{own}</style></head>"
        f'<body><svg width="0" height="0" aria-hidden="true"><defs>{arrow_heads()}</defs></svg>'
        f"<h1>{escaped(title)}</h1>{body}</body></html>\n"
    )
