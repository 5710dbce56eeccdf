"""An edge of the picture: the gradient that flows back along it, and the Jacobians behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.norms import norm
from tinygrad_rnn.viz.layout.step import Course
from tinygrad_rnn.viz.model.unrolled import state_name
from tinygrad_rnn.viz.svg.drawing import Drawing

__all__ = ["edges", "jacobians", "vector"]

Array = Any


def edges(drawn: Drawing) -> list[dict[str, Any]]:
    """All that can be clicked on between boxes: points in a step, and where it is there.

    "state": the name of what it hands to the next step; None inside a step.
    """
    return [
        {
            "points": [[round(x, 1), round(y, 1)] for x, y in piece.points],
            "steps": [c for c in drawn.scene.strip.places if drawn.scene.has(piece, c)],
            "state": state_name(piece.links[0].value) if piece.is_state and piece.links else None,
        }
        for piece in _pieces(drawn)
    ]


def _pieces(drawn: Drawing) -> list[Any]:
    inside = [piece for piece in drawn.scene.pieces_in_steps() if isinstance(piece, Course)]
    return [*inside, *drawn.scene.sheet.ways]


def vector(drawn: Drawing, number: int, column: int) -> dict[str, Any]:
    """The gradient along an edge, the answer by what it carries: its elements and its norm."""
    scene = drawn.scene
    assert scene.flow is not None
    graph = scene.sheet.unrolled.graph
    found = _pieces(drawn)[number].edges(column)
    parts: dict[int, Array] = {}
    for source, target, position in found:
        for to, at, grad in scene.flow.parts(source):
            if (to, at) == (target, position):
                parts[source] = parts.get(source, 0.0) + np.asarray(grad, np.float64)
    flat = np.concatenate([part.ravel() for part in parts.values()]) if parts else np.zeros(0)
    node = graph[found[0][0]] if found else None
    return {
        "from": "" if node is None else node.name or node.label,
        "gradient": [float(f"{value:.4g}") for value in flat[:128]],
        "norm": float(f"{norm(flat):.4g}"),
    }


def jacobians(network: Any, x: tg.Tensor, step: int) -> dict[str, Any]:
    """d state_t+1 / d state_t, and the product of all of these from step t to the last.

    Matrices with their singular values, and where in them each state is. Empty at the last step.
    """
    found = viz.connectivity(network.recurrent, x)
    if step >= len(found.step_jacobians):
        return {}
    shown: dict[str, Any] = {
        "slices": {name: [place.start, place.stop] for name, place in found.slices.items()}
    }
    for key, matrices, values in (
        ("step", found.step_jacobians, found.step_values),
        ("product", found.product_jacobians, found.product_values),
    ):
        shown[key] = {
            "matrix": [[float(f"{v:.3g}") for v in row] for row in matrices[step]],
            "norm": norm(matrices[step]),
            "largest": float(values[step][0]),
        }
    return shown
