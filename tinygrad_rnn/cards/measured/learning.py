"""The section on learning: the losses of the cell and of an LSTM on a task."""

from __future__ import annotations

from ...language import say
from ...viz.style.text import escaped
from ..glossary import linked
from ..section import Section, charts, table
from .curves import curves
from .trained import Trained

__all__ = ["learning_section"]


def learning_section(name: str, found: Trained) -> Section:
    """Curves of the loss on held-out data, and the final numbers."""
    learnt = {name: found.learnt}
    if name != "LSTMCell":
        learnt["LSTMCell"] = found.reference
    losses = {who: what.history["val_loss"] for who, what in learnt.items()}
    epochs = max(map(len, losses.values()))
    guess = say("a guess")
    lines = {**losses, guess: [found.task.baseline] * epochs}
    chart = curves(
        say("{loss}, held out", loss=say(found.task.loss)),
        lines,
        said=say("epoch {}"),
        names=[str(n) for n in range(1, epochs + 1)],
        log=True,
        note=say("epochs"),
        dashed=[guess],
    )
    any_diverged = any(what.diverged for what in learnt.values())
    rows = [
        (
            escaped(who),
            f"{what.parameters:,}",
            f"{losses[who][-1]:.3g}",
            f"{1000 * what.step_seconds:.2g} ms",
            *([escaped(what.diverged)] if any_diverged else []),
        )
        for who, what in learnt.items()
    ]
    head = (
        say("cell"),
        linked(say("parameters"), "parameters"),
        linked(say("last loss"), "loss"),
        linked(say("CPU time of a step"), "step"),
        *([say("stopped")] if any_diverged else []),
    )
    about = say(
        "The task “{task}”: {updates:,} updates of the cell, and of an LSTM with as many units, "
        "with one seed and Adam at 0.01. A single run says little; “tinygrad-rnn compare” "
        "repeats it with more seeds and tasks.",
        task=say(found.task.name),
        updates=found.updates,
    )
    content = charts(chart) + table(head, rows, "numbers")
    return Section("learning", say("Learning"), about, content, ("parameters", "loss", "step"))
