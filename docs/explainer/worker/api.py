"""What the worker of the page calls: JSON in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.viz.svg.drawing import Drawing

from .bench import Bench
from .chain import chain_rule
from .edge import edges, jacobians, vector
from .look import example
from .network import Settings
from .quiz import faults, mend, solution
from .source import CellError, blame, starting_points
from .unit import arithmetic, find

__all__ = ["ask"]

_bench = Bench()
_aside: Bench | None = None


def ask(question: str) -> str:
    """Answer one question: {"what": ..., and its arguments}. What is wrong is in "error"."""
    asked = json.loads(question)
    try:
        found = _ANSWERS[asked.pop("what")](**asked)
    except (CellError, ValueError) as error:
        told = blame(error)
        found = {"error": told.message, "line": told.line}
    except KeyboardInterrupt as error:  # the page's, after too long a time
        found = {"error": "", "line": blame(error).line, "stopped": True}
    return json.dumps(_plain(found))


def _plain(value: Any) -> Any:
    """The same as JSON can say it: nan and inf as strings."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def _cells() -> dict[str, Any]:
    return {"cells": starting_points()}


def _look(
    side: str, text: str, settings: dict[str, Any], knobs: dict[str, float], level: str = "gates",
    moment: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    _bench.side(side, text, Settings(**settings), knobs)
    if moment is not None:
        _bench.go_to(moment)
    return _bench.look(side, level)


def _train(
    sides: dict[str, Any], settings: dict[str, Any], budget: float, updates: int | None = None
) -> dict[str, Any]:
    for name, own in sides.items():
        _bench.side(name, own["text"], Settings(**settings), own["knobs"])
    return _bench.train(budget, updates)


def _flows() -> dict[str, Any]:
    return {"flows": _bench.flows()}


def _unit(
    side: str, unit: int, node: int | None = None, name: str | None = None, step: int = 0
) -> dict[str, Any]:
    """What one unit is made of: of a node of the picture, or of a name at a step."""
    scene = _drawn(side).scene
    unrolled = scene.sheet.unrolled
    graph = unrolled.graph
    if node is None and name is not None:
        node = find(graph, name, step)
    if node is None or scene.flow is None:
        return {}
    return {
        "expression": arithmetic(unrolled, node, unit),
        **chain_rule(unrolled, scene.flow, node, unit),
        "units": int(np.size(graph[node].value)),
    }


def _edge(side: str, edge: int, step: int) -> dict[str, Any]:
    """What flows back along an edge of the picture; of a state, the Jacobians behind it too."""
    drawn, own = _drawn(side), _bench.sides[side]
    found = vector(drawn, edge, step)
    if edges(drawn)[edge]["state"] is not None:
        x = tg.tensor(example(own).inputs[:, :1])
        with suppress(np.linalg.LinAlgError):  # of what is nan, which the picture shows
            found["jacobians"] = jacobians(own.network, x, step)
    return found


def _drawn(side: str) -> Drawing:
    drawn = _bench.sides[side].drawn if side in _bench.sides else None
    if drawn is None:
        raise ValueError("there is no picture yet")
    return drawn


def _reset() -> dict[str, Any]:
    _bench.reset()
    return {}


def _set_aside() -> dict[str, Any]:
    """Begin with new sides; those that there are, and what they have learnt, can be taken back."""
    global _bench, _aside
    _aside, _bench = _bench, Bench()
    return {}


def _take_back() -> dict[str, Any]:
    """The sides that were set aside, as they were. "found" is false if there are none any more."""
    global _bench, _aside
    found = _aside is not None
    _aside, _bench = None, _aside or Bench()
    return {"found": found}


_ANSWERS: dict[str, Callable[..., dict[str, Any]]] = {
    "cells": _cells,
    "look": _look,
    "train": _train,
    "flows": _flows,
    "unit": _unit,
    "edge": _edge,
    "reset": _reset,
    "set_aside": _set_aside,
    "take_back": _take_back,
    "faults": faults,
    "mend": mend,
    "solution": solution,
}
