"""Picture: a graph drawn; made by `draw` and `bptt`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...engine.dtypes import is_floating
from ...engine.recording.collector import no_collection
from ...engine.recording.mode import ModeChange
from ...engine.tensor import Tensor
from ...graph import Graph
from ...language import say
from ..gradient.backward import backward_graph
from ..gradient.flow import Flow, Gradients, weights_of
from ..layout.sheet import arrange
from ..layout.step import no_numbers
from ..layout.strip import Strip
from ..model.folding import folded_graph
from ..model.history import WholeHistory
from ..model.levels import LEVELS, at_level
from ..model.run import run_unrolled, scalar_of
from ..model.unrolled import Unrolled
from ..page.html import page
from ..style.text import in_brief
from ..svg.drawing import Drawing
from ..svg.painters.rolled import LOOP
from ..svg.saving import FORMS, Saved
from .dot import to_dot

__all__ = ["ENDINGS", "Picture", "bptt", "draw"]

ENDINGS = (*FORMS, ".html", ".dot")
PASSES = ("forward", "backward", "both")
MANY = 24  # steps at the level `modules` from which only the lines are drawn


class Picture(Saved):
    """A graph, and the gradient that flows back through it, as a drawing.

    `level`: "ops", "gates", "modules" or "rolled". `fold`: how many steps are drawn in full at
    most; the middle ones of a longer sequence become one band. None: no folding. `labels`: a word
    for each step, such as the letter that was read. `note` may be set to a further line under the
    title. A notebook shows a Picture as SVG.

    >>> import tinygrad_rnn as tg
    >>> picture = Picture(tg.viz.draw(tg.tanh(tg.ones(2))).graph, title="tanh")
    >>> picture.svg().startswith("<svg")
    True
    """

    def __init__(
        self,
        graph: Graph,
        flow: Gradients | None = None,
        level: str = "ops",
        fold: int | None = 12,
        title: str = "",
        labels: Sequence[str] | None = None,
    ) -> None:
        self.graph = graph
        self.flow = flow
        if level not in LEVELS:
            raise ValueError(f"level {level!r} is not one of {', '.join(LEVELS)}")
        self.level = level
        self.fold = fold
        self.title = title
        self.labels = labels
        self.note = ""
        self._unrolled: Unrolled | None = None  # what all levels have in common

    def drawing(self, level: str, prefix: str = "") -> Drawing:
        """The drawing at a level; `prefix` of its identifiers, to tell several apart."""
        with no_collection():
            return self._drawing(level, prefix)

    def _drawing(self, level: str, prefix: str) -> Drawing:
        if self._unrolled is None:
            self._unrolled = Unrolled(self.graph)
        unrolled = at_level(self._unrolled, level)
        columns = len(unrolled.steps)
        shown = columns if self.fold is None else min(columns, self.fold)
        unrolled.is_compact = level == "modules" and shown > MANY
        numbers = self._numbers if unrolled.is_expression else no_numbers
        sheet = arrange(unrolled, LOOP if level == "rolled" else 0.0, numbers)
        if level == "rolled":
            one = Strip({columns // 2: 0.0}, sheet.pitch)
            return Drawing(sheet, one, self.flow, self.title, True, prefix, self.labels, self.note)
        strip = Strip.of(columns, sheet.pitch, self.fold, sheet.gutter)
        return Drawing(sheet, strip, self.flow, self.title, False, prefix, self.labels, self.note)

    def _numbers(self, i: int) -> tuple[str, ...]:
        """The value and the gradient of a node, in a line each."""
        gradient = self.flow.at(i) if self.flow is not None else None
        found = [say("value {value}", value=in_brief(self.graph[i].value))]
        if gradient is not None:
            found.append(say("grad {value}", value=in_brief(gradient)))
        return tuple(found)

    def svg(self, still: bool = False) -> str:
        """The picture as an SVG document; in a browser it follows the theme, light or dark."""
        return self.drawing(self.level).svg(still)

    def html(self) -> str:
        """A page with every level of the picture; it needs no network."""
        drawings = {level: self.drawing(level, level[0]) for level in LEVELS}
        return page(drawings, self.level, self.title or "graph")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file in the form of its ending: `.html`, `.svg`, `.png`, `.pdf` or `.dot`.

        ValueError for another ending; ImportError that names the extra where PNG or PDF needs it. A
        file is written completely or not at all.
        """
        return self._save(
            path, {".html": self.html, ".dot": lambda: str(to_dot(self.graph).source)}
        )

    def __repr__(self) -> str:
        return f"<picture of a {self.graph!r}>"


def draw(
    *outputs: Tensor,
    inputs: Sequence[Tensor] = (),
    level: str = "ops",
    fold: int | None = 12,
    title: str = "",
    gradient: bool = True,
    passes: str = "forward",
) -> Picture:
    """Draw how `outputs` were computed and, unless switched off, the gradient of their sum.

    `passes`: "forward", with the gradient against the edges; "backward", the ops that compute the
    gradient instead of those of the forward pass; or "both", one above the other. `inputs`: leaves
    that require a gradient but are not parameters. See `Picture` for `level` and `fold`. The graph
    is kept: a backward pass may follow. `GraphFreedError` if one came before.

    >>> import tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 2.0], requires_grad=True).named("x")
    >>> draw(tg.tanh(x).sum()).svg()[:4]
    '<svg'
    """
    return _drawn(outputs, (), inputs, level, fold, title, passes, gradient)


def _drawn(
    outputs: Sequence[Tensor],
    severed: Sequence[Tensor],
    inputs: Sequence[Tensor],
    level: str,
    fold: int | None,
    title: str,
    passes: str,
    gradient: bool = True,
    labels: Sequence[str] | None = None,
) -> Picture:
    """The picture of `outputs` and of the history of `severed`, from which they were detached."""
    if passes not in PASSES:
        raise ValueError(f"passes={passes!r} is not one of {', '.join(PASSES)}")
    if passes != "forward":
        with no_collection():
            forward = Graph.of(*outputs, *severed, inputs=inputs)
            graph, carried = backward_graph(forward, outputs, beside=passes == "both")
        return Picture(graph, carried, level, fold, title, labels)
    with no_collection():
        graph = folded_graph([*outputs, *severed], inputs, fold)
        flow = named = None
        if gradient:
            named = Unrolled(graph)
            flow = Flow(graph, weights_of(outputs), cuts=named.cuts)
    picture = Picture(graph, flow, level, fold, title, labels)
    picture._unrolled = named
    return picture


def bptt(
    model: Callable[..., Any],
    x: Any,
    loss: Callable[[Any], Tensor] | None = None,
    *,
    level: str = "ops",
    fold: int | None = 12,
    title: str | None = None,
    passes: str = "forward",
    labels: Sequence[str] | None = None,
) -> Picture:
    """Run `model(x)` and draw its backpropagation through time.

    `loss` reduces what the model returns to one number. Without it, that is the sum of the final
    state (of a model that returns outputs and state) or of the output, so that the gradient enters
    where the sequence ends.

    Recurrent layers and scans run op by op for this. Further inputs are given in a function of your
    own, `bptt(lambda x: layer(x, dt=dt), x)`. If `x` is floating, the gradient that reaches it is
    drawn as well. `passes`: see `draw`.

    >>> import tinygrad_rnn as tg
    >>> picture = bptt(tg.nn.LSTM(3, 4), tg.zeros(5, 1, 3), level="gates")
    >>> picture.graph.steps
    [0, 1, 2, 3, 4]
    """
    if isinstance(x, Tensor) and is_floating(x.data) and not x.requires_grad:
        x = x.detach().requires_grad_().named(x.name or "x")
    history = WholeHistory()
    with ModeChange(watch=history):
        scalar = scalar_of(run_unrolled(model, x), loss)
    given = [x] if isinstance(x, Tensor) else []
    name = type(model).__name__ if title is None else title
    return _drawn([scalar], history.severed, given, level, fold, name, passes, True, labels)
