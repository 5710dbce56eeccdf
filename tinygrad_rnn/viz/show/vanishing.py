"""Vanishing: the gradient of a plain RNN and of an LSTM on its way back."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from ...language import say
from ..charts.panel import Panel
from ..style.text import in_words
from .cards import flow_card, mark, vanished
from .lesson import Card, Knob, Lesson, Values
from .networks import gradients, inputs, lstm, rnn, unrolled

__all__ = ["VANISHING", "forget_bias", "radius", "steps"]

STEPS = (10.0, 25.0, 50.0, 100.0)
AXIS = (1e-20, 1e2)


def sigmoid(value: float) -> float:
    """The logistic function."""
    return 1 / (1 + math.exp(-value))


def forget_bias(default: float = 3.0) -> Knob:
    """The bias of an LSTM's forget gates."""
    return Knob(
        "forget_bias",
        "forget bias b of the LSTM",
        (-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0),
        default,
        lambda b: say("the forget gate starts at σ({b:g}) = {f:.2f}", b=b, f=sigmoid(b)),
        -10.0,
        10.0,
    )


def radius(default: float, positions: tuple[float, ...], label: str) -> Knob:
    """The spectral radius of recurrent weights."""
    return Knob(
        "spectral_radius",
        label,
        positions,
        default,
        lambda r: say("the largest eigenvalue of its recurrent weights has size {r:g}", r=r),
        0.0,
        10.0,
    )


def steps(default: float = 100.0, positions: tuple[float, ...] = STEPS) -> Knob:
    """The length of the sequence."""
    return Knob(
        "steps", "steps T", positions, default,
        lambda t: say("both networks read the same {t:g} inputs", t=t),
        2.0, 1000.0, whole=True,
    )  # fmt: skip


@cache
def _states(kind: str, value: float, steps: int, along: int | None) -> list[Any]:
    cell = rnn(value) if kind == "rnn" else lstm(value)
    return unrolled(cell, inputs(steps), along=along)


def _flow(kind: str, value: float, steps: int, along: int | None = None) -> dict[str, Any]:
    return gradients(_states(kind, value, max(steps, int(STEPS[-1])), along), steps)


def told(norms: Any) -> str:
    """What is left of the gradient at the first step, in words."""
    share = float(norms[0] / norms.max())
    can = say("the network can still learn from what it read there")
    if share < 1e-6:
        can = say("the network cannot learn from what it read there")
    elif share < 0.01:
        can = say("the network learns only very slowly from what it read there")
    left = say("nothing of the gradient is left")
    if share:
        left = say("{share} of the gradient is left", share=in_words(share))
    return say("At the first step {left}: {can}.", left=left, can=can)


def _along_c(norms: Any) -> str:
    """How much of it comes along c alone."""
    share = in_words(float(norms[0] / norms.max()))
    return say("Along c, by f alone: {share}.", share=share)


def _rnn_card(values: Values) -> Panel:
    r, t = values["spectral_radius"], int(values["steps"])
    flow = _flow("rnn", r, t)
    panel = flow_card(
        say("Plain RNN, ρ = {r:g}", r=r),
        say("{count} steps", count=t),
        flow,
        0,
        AXIS,
        told(flow["h"]),
    )
    flag(panel, flow["h"])
    return panel


def _lstm_card(values: Values) -> Panel:
    b, t = values["forget_bias"], int(values["steps"])
    flow = _flow("lstm", b, t)
    alone = _flow("lstm", b, t, along=1)["c"]  # the state is (h, c)
    panel = flow_card(
        f"LSTM, b = {b:g}",
        say("{count} steps", count=t),
        flow,
        1,
        AXIS,
        f"{told(flow['c'])} {_along_c(alone)}",
        [(say("by f alone"), alone)],
    )
    flag(panel, flow["c"])
    return panel


def flag(panel: Panel, norms: Any) -> None:
    """Point at the step at which the gradient has vanished, if it has."""
    at = vanished(norms)
    if at is not None:
        mark(panel, at, say("vanished: under a millionth from t = {at} back", at=at))


VANISHING = Lesson(
    "vanishing",
    "Where does the gradient go in 100 steps?",
    "Follow each coloured line from the right, where the loss is, to the left: the RNN's falls by "
    "the same factor at every step; the LSTM's stays level while its forget gate is open.",
    (
        "On its way back the gradient is multiplied at each step: in the plain RNN by its "
        "recurrent weights and the slope of tanh. Together they make it smaller by some factor; "
        "after T steps, by that factor to the power T.",
        "In the LSTM the cell state c has a path of its own, along which the gradient is "
        "multiplied by the forget gate f alone: the dotted line. Near f = 1 little is lost at a "
        "step. The solid line has all paths: what leaves c for h and the gates comes back to c, "
        "and adds to it. The usual bias of 0 starts f "
        "at σ(0) = 0.5: half of the gradient is lost at each step, and the LSTM vanishes, too, "
        "until it has learnt to open the gate. So the bias is often set to 1 or more.",
        "Short sequences do not show this: after 8 steps even the plain RNN has some gradient "
        "left.",
    ),
    (
        "Set b to 0: the LSTM vanishes as well. At which b does it begin to keep the gradient?",
        "Set T to 10: can you still tell the two networks apart?",
        "Raise ρ: can a plain RNN be kept from vanishing, and what does it cost? (See exploding.)",
    ),
    (
        forget_bias(),
        radius(0.9, (0.5, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5), "spectral radius ρ of the RNN"),
        steps(),
    ),
    (Card(("spectral_radius", "steps"), _rnn_card), Card(("forget_bias", "steps"), _lstm_card)),
)
