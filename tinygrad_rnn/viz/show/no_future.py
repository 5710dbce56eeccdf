"""No future: which inputs an output depends on, reading in one direction and in both."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ... import nn, ops
from ...engine.tensor import tensor
from ...engine.transforms import grad
from ...language import say
from ...norms import norm
from ..charts.panel import Panel
from .cards import card, mark, note
from .lesson import Card, Knob, Lesson, Values
from .networks import INPUT, SEED, UNITS, inputs

__all__ = ["NO_FUTURE"]

LENGTH = 100
AXIS = (1e-3, 1e1)

Array = Any


@cache
def _layer(both: bool) -> Any:
    """The outputs of all steps, and the input that they were computed from."""
    ops.manual_seed(SEED)
    layer = nn.LSTM(INPUT, UNITS, bidirectional=both)
    layer.astype("float64")
    for name, bias in layer.named_parameters():
        if name.startswith("bias_ih"):
            nn.init.forget_gate_bias_(bias, 2.0)
    x = tensor(inputs(LENGTH), requires_grad=True)
    return layer(x)[0], x


@cache
def _influence(both: bool, t: int) -> Array:
    """How much the output at step `t` depends on each input: norms of the gradient, (T,)."""
    outputs, x = _layer(both)
    (found,) = grad(outputs[t].sum(), x, retain_graph=True)
    return np.array([norm(step) for step in found.data])


def _card(both: bool, values: Values) -> Panel:
    t = int(values["step"])
    found = _influence(both, t)
    name = say("Bidirectional LSTM") if both else "LSTM"
    panel = card(name, say("{count} steps", count=LENGTH), LENGTH, above=20.0)
    panel.log_axis(*AXIS)
    panel.name_steps()
    future = found[t + 1 :]
    if future.size and not future.any():
        x = panel.x(t + 0.5)
        panel.rect("future", x, panel.top, panel.right - x, panel.bottom - panel.top)
        if panel.right - x > 130:
            middle = (panel.top + panel.bottom) / 2
            panel.text((x + panel.right) / 2, middle, say("the future: exactly 0"), "strong")
    for s, value in enumerate(found):
        if value > 0:
            y = panel.y(value)
            told = say("input at t = {t}: {value:.3g}", t=s, value=value)
            x, width = panel.x(s) - 0.4 * panel.pitch, 0.8 * panel.pitch
            panel.rect("h7", x, y, width, panel.bottom - y, told)
    mark(panel, t, say("the output at t = {t}", t=t))
    after, zero = len(future), int((future == 0).sum())
    text = say("Bars: how much the output at t = {t} changes with each input.", t=t) + " "
    if not after:
        text += say("It is the last one: there is no future.")
    elif zero == after:
        text += say("With the {after} inputs after it: exactly 0.", after=after)
    else:
        text += say(
            "It depends on {some} of the {after} inputs after it.", some=after - zero, after=after
        )
    note(panel, text)
    return panel


_AROUND = "{before:g} inputs come before it, {after:g} after it"
STEP = Knob(
    "step", "output at step t", tuple(map(float, (0, *range(9, LENGTH, 10)))), 49.0,
    lambda t: say(_AROUND, before=t, after=LENGTH - 1 - t),
    0.0, LENGTH - 1.0, whole=True,
)  # fmt: skip

NO_FUTURE = Lesson(
    "no-future",
    "Can a recurrent network see the future?",
    "Look to the right of the flag: the LSTM's output does not depend on any later input, not even "
    "a little; that of a bidirectional LSTM does.",
    (
        "A recurrent network reads from left to right. When it answers at step t, the inputs after "
        "t have not been read; so the gradient of that output with respect to them is exactly 0, "
        "not just small. Translating, tagging words and filling gaps need the later inputs, too.",
        "A bidirectional layer has a second cell that reads from right to left, and joins the two "
        "states at every step. It can be used only where the whole sequence is known beforehand: "
        "not to predict what comes next.",
        "In both directions the bars get shorter with distance: this is the vanishing gradient "
        "again, seen from the inputs.",
    ),
    (
        "Move t to 0: what does the LSTM know about the sequence there?",
        "Move t to 99: now the two see the same inputs. What is the second network's advantage?",
    ),
    (STEP,),
    (
        Card(("step",), lambda values: _card(False, values)),
        Card(("step",), lambda values: _card(True, values)),
    ),
)
