"""Truncation: what is lost when the gradient is cut every k steps."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ... import nn
from ...engine.tensor import tensor
from ...language import say
from ..charts.panel import Panel
from ..style.text import in_words
from .cards import flow_card, mark
from .lesson import Card, Knob, Lesson
from .networks import gradients, inputs, lstm, unrolled

__all__ = ["TRUNCATION"]

LENGTH = 100
BIAS = 3.0
AXIS = (1e-3, 1e1)

_FOUND = (
    "Before t = {last} it is exactly 0: the network learns nothing from those steps. The gradient "
    "of the weights keeps {share} of its length and is turned by {angle:.0f}°."
)

Array = Any


@cache
def _flow(cut: int | None) -> dict[str, Array]:
    return gradients(unrolled(lstm(BIAS), inputs(LENGTH), cut), LENGTH)


@cache
def _weights(cut: int | None) -> Array:
    """The gradient of the recurrent weights, flattened."""
    layer = nn.Recurrent(lstm(BIAS), truncate=cut)
    _, [(h, _)] = layer(tensor(inputs(LENGTH)))
    h.sum().backward()
    return np.concatenate([p.grad.data.ravel() for p in layer.parameters() if p.grad is not None])


def _card(cut: int | None) -> Panel:
    if cut is None or cut >= LENGTH:
        text = say("The gradient of the loss reaches every step.")
        title = say("Full backpropagation")
        if cut is not None:
            title = say("Cut every {cut} steps: nowhere", cut=cut)
        return flow_card(title, say("{count} steps", count=LENGTH), _flow(None), 1, AXIS, text)
    whole, part = _weights(None), _weights(cut)
    length = float(np.linalg.norm(part) / np.linalg.norm(whole))
    cosine = float(whole @ part / (np.linalg.norm(whole) * np.linalg.norm(part)))
    angle = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    last = (LENGTH - 1) // cut * cut
    text = say(_FOUND, last=last, share=in_words(min(length, 1.0)), angle=angle)
    title, note = say("Cut every {cut} steps", cut=cut), say("{count} steps", count=LENGTH)
    panel = flow_card(title, note, _flow(cut), 1, AXIS, text)
    x = panel.x(last - 0.5)
    panel.rect("future", panel.left, panel.top, x - panel.left, panel.bottom - panel.top)
    mark(panel, last - 0.5, say("cut: the gradient ends here"))
    return panel


CUT = Knob(
    "truncate", "truncated after k steps: k", (1.0, 2.0, 5.0, 10.0, 20.0, 33.0, 50.0, 100.0), 20.0,
    lambda k: say("a state goes on to the next {k:g} steps with its gradient", k=k),
    1.0, float(LENGTH), whole=True,
)  # fmt: skip

TRUNCATION = Lesson(
    "truncation",
    "What does truncated backpropagation lose?",
    "Look to the left of the flag: where the gradient is cut, all earlier steps get exactly 0, "
    "however well the LSTM could have carried it.",
    (
        "Backpropagation through time keeps every step until the gradient has come back through "
        "it. For long texts that is too much memory, so every k steps the state is passed on as "
        "plain numbers (truncate=k, or detach). The forward pass does not change; the backward "
        "pass stops there.",
        "The network can still remember across the cut, but it cannot learn to. The gradient of "
        "the weights is a sum over all steps. Truncated, it is a sum over the last few: it is "
        "shorter and points in another direction.",
        "Where each step has its own loss, as in a language model, every block gets a gradient "
        "from its own losses. Only what would cross a cut is lost.",
    ),
    (
        "How large must k be for the gradient of the weights to point within 10° of the true one?",
        "Set k to 1: what can a network learn that never sees further back than one step?",
    ),
    (CUT,),
    (
        Card((), lambda values: _card(None)),
        Card(("truncate",), lambda values: _card(int(values["truncate"]))),
    ),
)
