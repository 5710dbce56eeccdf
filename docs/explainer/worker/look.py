"""A network seen: the unrolled picture as SVG and as fields to click on, and all numbers in it.

What is differentiated is the answer after the last step (of classes, the score of the right one),
not the loss. Once a task is learnt, the gradient of its loss is small everywhere, which is not what
"vanishing" means.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.norms import norms_of_rows
from tinygrad_rnn.viz.model.run import run_unrolled
from tinygrad_rnn.viz.style.palette import Scale
from tinygrad_rnn.viz.svg.canvas import arrow_heads

from .edge import edges
from .network import Side
from .source import blame
from .tasks import told

__all__ = ["SCALE", "example", "look", "numbers", "picture"]

SCALE = Scale(-8.0, 1.0)  # of gradients, the same in all pictures
MARGIN = 14.0
FLAGS = 31.0  # the height of a row of flags, kept free so that a cut does not shift the picture

Array = Any


def example(side: Side) -> Any:
    """The sequence that is looked at: the first one that is not trained on."""
    return next(iter(side.settings.lesson.task.held_out))


def score(side: Side, out: tg.Tensor) -> tg.Tensor:
    """The number that is differentiated, of the answer after the last step (1, O)."""
    targets = example(side).targets
    if targets.dtype.kind == "f":
        return out[0, 0].named("answer")
    right = int(targets[-1, 0] if targets.ndim == 2 else targets[0])
    return out[0, right].named(f"score of {side.settings.lesson.classes[right]}")


def look(side: Side, level: str = "gates", name: str = "") -> dict[str, Any]:
    """All that the page shows of the side of that name."""
    try:
        batch = example(side)
        x = tg.tensor(batch.inputs[:, :1])
        found = {"picture": picture(side, x, level, name)}
        seen, outputs = numbers(side, x)
        with tg.no_grad():
            out = side.network.readout(outputs).data[:, 0]
    except Exception as error:
        raise blame(error) from error
    lesson = side.settings.lesson
    targets = batch.targets[:, 0] if lesson.task.every_step else batch.targets[0]
    return {
        **found,
        **seen,
        "broken": broken(seen["values"]),
        "name": side.name,
        "labels": lesson.labels(batch.inputs[:, 0]),
        **told(lesson, out if lesson.task.every_step else out[-1], targets),
        "parameters": int(sum(p.size for p in side.parameters)),
        "knobs": {gate: side.knobs.bias(gate) for gate in _gates_first(side, seen["flow"])},
        "radius": side.knobs.radius(),
    }


def picture(side: Side, x: tg.Tensor, level: str, name: str = "") -> dict[str, Any]:
    """The unrolled network: SVG without title and legend, and where its boxes are.

    `name`: of the side, in the ids of the SVG.
    """
    labels = side.settings.lesson.labels(x.data[:, 0])
    loss = partial(score, side)
    made = viz.bptt(side.network.last, x, loss, level=level, fold=None, title="", labels=labels)
    side.drawn = drawn = made.drawing(level)
    drawn.prefix = f"{name}-"  # both sides may stand in one document
    drawn.heading = drawn.legend = drawn.hover = False
    drawn.scale = SCALE
    content, definitions, (left, _, width, _) = drawn.parts()
    definitions = definitions.replace("recurrent.l0", side.name)  # where it is in our Network
    content = content.replace("recurrent.l0", side.name)
    sheet, strip = drawn.scene.sheet, drawn.scene.strip
    top = min(drawn.collector, sheet.top - FLAGS) - MARGIN
    height = sheet.bottom + 3 * MARGIN - top
    return {
        "svg": f"<defs>{arrow_heads()}{definitions}</defs>{content}",
        "view": [left, top, width, height],
        "said": drawn.said,
        "places": {str(step): round(x, 1) for step, x in strip.places.items()},
        "pitch": sheet.pitch,
        "width": sheet.width,
        "edges": edges(drawn),
        "boxes": [
            {
                "x": round(box.x - box.width / 2, 1),
                "y": round(box.y - box.height / 2, 1),
                "w": round(max(box.width, 1), 1),
                "h": round(box.height, 1),
                "label": box.caption or box.label,
                "nodes": {str(column): box.row.top(column) for column in box.row.members},
            }
            for band in sheet.bands
            for box in band.boxes
        ],
    }


def numbers(side: Side, x: tg.Tensor, once: bool = True) -> tuple[dict[str, Any], tg.Tensor]:
    """The values of all that has a name, and the gradient of the answer for each, (T, H) each.

    And the outputs of all steps. `flow`: the norm of that gradient at each state, (T,), zero where
    it has vanished. `once`: step by step, as a program for all steps is not worth its compilation
    for a text that may change at the next key.
    """
    with tg.observe(side.network.recurrent) as seen:
        network = side.network
        outputs, last = run_unrolled(network.with_last, x) if once else network.with_last(x)
        out = score(side, last)
    seen.differentiate(out)
    values, gradients, flow = {}, {}, {}
    for _, value in seen.calls():
        if value.steps is None or value.data.dtype.kind != "f":
            continue
        data = value.data.reshape(len(value.data), -1)
        grad = np.zeros_like(data) if value.grad is None else value.grad.data.reshape(data.shape)
        values[value.name] = _short(data)
        gradients[value.name] = _short(grad)
        if value.is_state:
            flow[value.name] = _short(norms_of_rows(grad))
    return {"values": values, "gradients": gradients, "flow": flow}, outputs


def broken(values: dict[str, Any]) -> dict[str, Any] | None:
    """The first value that is not finite: {"name", "step", "value"}; None if all are."""
    found = [
        {"name": name, "step": step, "value": value}
        for name, steps in values.items()
        for step, units in enumerate(steps)
        for value in units
        if isinstance(value, str)
    ]
    return min(found, key=lambda one: one["step"], default=None)


def _gates_first(side: Side, states: Any) -> list[str]:
    """What has a bias to turn, but for states: the gates, then the rest."""
    names = [name for name in side.knobs.biases if name not in states]
    return sorted(names, key=lambda name: "gate" not in name)


def _short(array: Array) -> Any:
    """Numbers for JSON, of four digits; what is not finite is a string."""
    if np.ndim(array):
        return [_short(part) for part in array]
    value = float(array)
    return float(f"{value:.4g}") if np.isfinite(value) else str(value)
