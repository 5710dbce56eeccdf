"""What the worker of the page calls: JSON in, JSON out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from .bench import Bench
from .network import Settings
from .source import CellError, blame, starting_points

__all__ = ["ask"]

_bench = Bench()


def ask(question: str) -> str:
    """Answer one question: {"what": ..., and its arguments}. What is wrong is in "error"."""
    asked = json.loads(question)
    started = time.perf_counter()
    try:
        found = _ANSWERS[asked.pop("what")](**asked)
    except (CellError, ValueError) as error:
        told = blame(error)
        found = {"error": told.message, "line": told.line}
    except KeyboardInterrupt as error:  # the page's, after too long a time
        found = {"error": "", "line": blame(error).line, "stopped": True}
    found["ms"] = found.get("ms", 1e3 * (time.perf_counter() - started))
    return json.dumps(found)


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


def _reset() -> dict[str, Any]:
    _bench.reset()
    return {}


_ANSWERS: dict[str, Callable[..., dict[str, Any]]] = {
    "cells": _cells,
    "look": _look,
    "train": _train,
    "flows": _flows,
    "reset": _reset,
}
