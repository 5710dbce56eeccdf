"""What a page shows for each box on hover: its value and its gradient in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import ops
from ...graph import GraphNode
from ...language import say
from ...norms import norm
from ..gradient.flow import Gradients
from ..layout.step import Box
from ..model.unrolled import Row, Unrolled
from ..style.text import FEW, in_brief

__all__ = ["box_facts", "summary"]

BINS = 16


def summary(array: Any, bins: int = BINS) -> dict[str, Any]:
    """Statistics of the finite elements, the number of others, and a histogram.

    >>> summary(np.array([1.0, 3.0]), bins=2)["mean"]
    2.0
    """
    flat = np.asarray(array, np.float64).ravel()
    finite = flat[np.isfinite(flat)]
    found: dict[str, Any] = {"norm": _short(norm(finite)), "bad": int(flat.size - finite.size)}
    if finite.size:
        low, high = float(finite.min()), float(finite.max())
        found.update(
            mean=_short(float(finite.mean())),
            std=_short(float(finite.std())),
            min=_short(low),
            max=_short(high),
        )
        if bins and high > low:
            places = ((finite - low) / (high - low) * bins).astype(int).clip(0, bins - 1)
            found["bins"] = np.bincount(places, minlength=bins).tolist()
    return found


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def box_facts(
    unrolled: Unrolled,
    flow: Gradients | None,
    boxes: Sequence[Box],
    columns: Sequence[int],
    bins: int = BINS,
) -> list[dict[str, Any]]:
    """For each box: its place in a step, what it is, and its numbers by column."""
    facts = []
    for box in boxes:
        by_column = {}
        for column in columns:
            if column in box.row.members:
                found = _facts(unrolled.graph[box.row.top(column)], flow, bins)
                if box.row.parameters:
                    found["parameters"] = _uses(unrolled, flow, box.row, column)
                by_column[column] = found
        if by_column:
            facts.append({**_outline(box, unrolled), "at": by_column})
    return facts


def _uses(unrolled: Unrolled, flow: Gradients | None, row: Row, column: int) -> dict[str, Any]:
    """By the name of each parameter: its norm, and that of the gradient of its use in `column`."""
    found = {}
    for name, uses in row.parameters.items():
        edges = uses.get(column)
        if edges:
            value = norm(unrolled.graph[edges[0][0]].value)
            gradient = flow.along(edges) if flow is not None else None
            found[name] = [_short(value), None if gradient is None else _short(gradient)]
    return found


def _outline(box: Box, unrolled: Unrolled) -> dict[str, Any]:
    node = unrolled.graph[box.row.top(min(box.row.members))]
    ops = len(box.row.members[min(box.row.members)])
    return {
        "x": round(box.x - box.width / 2, 1),
        "y": round(box.y - box.height / 2, 1),
        "w": round(box.width, 1),
        "h": round(box.height, 1),
        "label": box.label,
        "op": node.label,
        "about": _about(node),
        "name": say(node.name or "") or ("" if box.row.kind == "op" else box.label),
        "path": node.path,
        "parameters": list(box.row.parameters),
        "ops": ops,
    }


def _facts(node: GraphNode, flow: Gradients | None, bins: int) -> dict[str, Any]:
    value = node.value
    if isinstance(value, tuple):
        shape = " · ".join("×".join(map(str, part.shape)) for part in value)
        return {"shape": f"{len(value)} outputs: {shape}", "dtype": str(value[0].dtype)}
    array = np.asarray(value)
    found: dict[str, Any] = {
        "shape": "×".join(map(str, array.shape)) or "scalar",
        "dtype": str(array.dtype),
        "value": _described(array, bins),
    }
    gradient = flow.at(node.index) if flow is not None else None
    if gradient is not None:
        found["gradient"] = _described(gradient, bins)
    return found


def _described(array: Any, bins: int) -> dict[str, Any]:
    """The statistics of many numbers; a few are given as they are."""
    is_few = np.size(array) <= FEW
    return {**summary(array, bins), **({"is": in_brief(array)} if is_few else {})}


def _about(node: GraphNode) -> str:
    """What an op does, by the first sentence of its own or its function's docstring."""
    if node.op is None:
        return ""
    told = node.op.__doc__ or getattr(getattr(ops, node.label, None), "__doc__", None) or ""
    return " ".join(told.split("\n\n")[0].split()).partition(": ")[0]
