"""Gates: how long an LSTM remembers one event, depending on its forget gate."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ... import nn
from ...engine.tensor import tensor
from ...language import say
from ...norms import norm
from ..charts.marks import Line, amount, draw_cells, draw_legend, draw_lines, legend_height
from ..charts.panel import Panel
from ..gradient.analysis import gates
from ..style.text import in_words
from .cards import card, mark, note
from .lesson import Card, Lesson
from .networks import inputs, lstm
from .vanishing import forget_bias, steps

__all__ = ["GATES"]

EVENT = 10  # the step at which the event is read
LENGTH = 100
SIZE = 4.0  # of the event, to inputs of size 1
UNITS_SHOWN = 12
GATE = 94.0  # the room for the gate's cells

_FOUND = "The forget gate is {mean:.2f} on average. Of the event, {gone}."

Array = Any


@cache
def _remembered(bias: float, length: int) -> tuple[Array, Array]:
    """The forget gate, (units, T); and how much of the event is in c at each step, (T,)."""
    layer = nn.Recurrent(lstm(bias))
    without = 0.3 * inputs(length)
    with_event = without.copy()
    with_event[EVENT] += SIZE
    ((_, found),) = gates(layer, tensor(with_event)).items()
    ((_, other),) = gates(layer, tensor(without)).items()
    left = np.array([norm(a - b) for a, b in zip(found["c"], other["c"])])
    return found["forget gate"][:, 0].T, left / left[EVENT]


def _card(bias: float, length: int) -> Panel:
    gate, left = _remembered(bias, max(length, LENGTH))
    gate, left = (
        gate[:, :length],
        left[:length],
    )  # what comes later does not change the steps before
    lines = [Line(say("how much of the event is still in c"), left, 1)]
    panel = card(
        f"LSTM, b = {bias:g}", say("{count} steps", count=length), length, lines, above=GATE
    )
    _draw_gate(panel, gate)
    panel.axis(0.0, 1.1, [(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")])
    panel.name_steps()
    draw_lines(panel, lines)
    draw_legend(panel, lines)
    mark(panel, EVENT, say("here something happens"))
    halves = np.flatnonzero(left[EVENT:] < 0.5)
    gone = say("{share} of it is still there at the end", share=in_words(float(left[-1])))
    if halves.size:
        gone = say("half of it is forgotten after one step")
        if halves[0] != 1:
            gone = say("half of it is forgotten after {count} steps", count=halves[0])
    text = say(_FOUND, mean=gate.mean(), gone=gone)
    note(panel, text, legend_height(lines, panel.width))
    return panel


def _draw_gate(panel: Panel, gate: Array) -> None:
    """The cells of some units over the chart, in its width."""
    inner = Panel(panel.width, GATE - 26, panel.count, left=panel.left, right=14.0)
    inner.top, inner.bottom = panel.top - GATE + 18, panel.top - 26
    draw_cells(inner, gate[:UNITS_SHOWN], amount)
    panel.text(
        panel.left,
        panel.top - GATE + 12,
        say("forget gate: pale 0 (erase), dark 1 (keep)"),
        "left soft",
    )
    panel.add(inner.content())


GATES = Lesson(
    "gates",
    "What does the forget gate do?",
    "Follow the line from the event to the right: the darker the forget gate above it, the longer "
    "the cell state c remembers what happened.",
    (
        "The same sequence is read twice, with and without a large input at one step. The line is "
        "what that input changes in the cell state c, as a share of the change when it came in.",
        "At each step c is multiplied by the forget gate f, then the input gate adds something "
        "new. With f = 0.5 half of what was there is erased each time; with f near 1 it is "
        "carried along, as on a conveyor belt. The gradient comes back along the same belt: the "
        "network can learn from what it remembers, and cannot learn from what it forgets.",
        "Here the weights are random. A trained network opens and closes the gate by itself, unit "
        "by unit, according to what it reads: the report of tinygrad-rnn train shows it.",
    ),
    (
        "Which b does it take to remember the event for 20 steps? For 90?",
        "Set b to −2: how long is the memory?",
    ),
    (forget_bias(), replace(steps(100.0, (25.0, 50.0, 100.0)), least=20.0)),
    (
        Card(("steps",), lambda values: _card(0.0, int(values["steps"]))),
        Card(("forget_bias", "steps"), lambda v: _card(v["forget_bias"], int(v["steps"]))),
    ),
)
