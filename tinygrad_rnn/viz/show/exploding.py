"""Exploding: recurrent weights that make the gradient larger with every step back."""

from __future__ import annotations

from functools import cache
from typing import Any

from ... import nn
from ...language import say
from ..charts.panel import Panel
from ..style.text import in_words
from .cards import flow_card, mark
from .lesson import Card, Lesson, Values
from .networks import LinearCell, gradients, inputs, rnn, unrolled
from .vanishing import STEPS, flag, radius, steps

__all__ = ["EXPLODING"]

AXIS = (1e-20, 1e30)
EXPLODED = 1e6
_FOUND = "From the last step to the first the gradient {how}: by {step:.2f} a step on average."


@cache
def _states(squashed: bool, value: float, length: int) -> list[Any]:
    return unrolled(rnn(value, nn.RNNCell if squashed else LinearCell), inputs(length))


def _card(squashed: bool, values: Values) -> Panel:
    r, t = values["spectral_radius"], int(values["steps"])
    norms = gradients(_states(squashed, r, max(t, int(STEPS[-1]))), t)["h"]
    factor = float(norms[0] / norms[-1])
    step = factor ** (1 / max(t - 1, 1))
    how = say(
        "grows {factor} times" if factor >= 1 else "shrinks to {factor}", factor=in_words(factor)
    )
    text = say(_FOUND, how=how, step=step)
    name = say("With tanh") if squashed else say("Without squashing (linear)")
    series = 0 if squashed else 2
    panel = flow_card(
        f"{name}, ρ = {r:g}", say("{count} steps", count=t), {"h": norms}, series, AXIS, text
    )
    large = [i for i, value in enumerate(norms) if value > EXPLODED * norms[-1]]
    if large:
        mark(panel, large[-1], say("exploded: over a million from t = {at} back", at=large[-1]))
    else:
        flag(panel, norms)
    return panel


EXPLODING = Lesson(
    "exploding",
    "When does the gradient explode?",
    "Follow each coloured line from the right to the left: without squashing the gradient is "
    "multiplied by about ρ at every step, so above ρ = 1 it explodes; tanh holds it back.",
    (
        "Each step back multiplies the gradient by the recurrent weights. The size of their "
        "largest eigenvalue, the spectral radius ρ, decides how the product grows: as ρ to the "
        "power T. With ρ = 1.3 and T = 100 that is 2 · 10¹¹.",
        "tanh makes each factor smaller, the more so the further the units are from 0. So a plain "
        "RNN explodes later, but with ρ large enough it explodes all the same. Between vanishing "
        "and exploding there is hardly a ρ that does neither: training cannot rely on that "
        "balance.",
        "There is a simple remedy for exploding: clip the norm of the gradient before each update "
        "(optim.clip_grad_norm_). Clipping keeps the direction and shortens the step. It does not "
        "help against vanishing.",
    ),
    (
        "Set ρ to 1: what happens in the linear network? And at 0.9?",
        "Set ρ to 3: now the network with tanh explodes, too.",
        "Set T to 10: how much worse is 100 than 10?",
    ),
    (
        radius(1.3, (0.5, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5, 2.0, 3.0), "spectral radius ρ of both"),
        steps(),
    ),
    (
        Card(("spectral_radius", "steps"), lambda values: _card(False, values)),
        Card(("spectral_radius", "steps"), lambda values: _card(True, values)),
    ),
)
