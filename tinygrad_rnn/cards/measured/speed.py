"""The section on speed: a training step of the cell and of an LSTM, in every installed library."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ... import nn
from ...engine.tensor import Tensor
from ...export.measurement import available, measured
from ...language import say
from ...nn.recurrent.cell import Cell
from ...training.environment import processor
from ...viz.style.text import escaped
from ..glossary import linked
from ..section import Section, table
from ..subject import Subject

__all__ = ["speed", "speed_section"]

SIZES = (16, 64, 256)
STEPS, ROWS = 100, 16
NAMES = {"numpy": "NumPy", "llvm": "compiled", "jax": "JAX", "torch": "PyTorch"}


class _Alone(Cell):
    """A cell whose further inputs are the same at every step."""

    def __init__(self, cell: Cell, inputs: dict[str, Tensor]) -> None:
        self.cell, self._inputs = cell, inputs

    def initial_state(self, batch_size: int) -> Any:
        return self.cell.initial_state(batch_size)

    def step(self, x: Any, state: Any) -> tuple[Any, Any]:
        return self.cell.advance(x, state, **self._inputs)


class Times(NamedTuple):
    """Milliseconds with so many units, or why there are none, in each library; None: too large."""

    size: int
    own: Sequence[float | str] | None
    lstm: Sequence[float | str]


class Speed(NamedTuple):
    """What was timed. `features`: of an input, "32" or "3x8x8"."""

    name: str
    libraries: Sequence[str]
    features: str
    times: Sequence[Times]


def speed(subject: Subject, quick: bool) -> Speed:
    """Time a training step of the cell and of an LSTM, at some sizes."""
    takes = inspect.signature(type(subject.cell).__init__).parameters
    sizes: tuple[int, ...] = SIZES if "hidden_size" in takes else (0,)
    libraries = available()
    if quick:
        sizes, libraries = sizes[:2], [name for name in libraries if name in ("numpy", "llvm")]
    found = []
    for size in sizes:
        times: dict[str, list[float | str]] = {}
        for name, cell, x in _cells(subject, size):
            if name == subject.name and _flops(cell, x) > (2e10 if quick else 2e11):
                break
            times[name] = [_milliseconds(library, cell, x, quick) for library in libraries]
        found.append(Times(size, times.get(subject.name), times.get("LSTM", [])))
        if not times:
            break
    given = "32" if sizes != (0,) else "x".join(map(str, subject.input_shape))
    return Speed(subject.name, libraries, given, found)


def speed_section(found: Speed) -> Section:
    """Milliseconds per training step, and the ratio to an LSTM of the same size."""
    rows: list[Sequence[str]] = []
    for size, own, lstm in found.times:
        name = say("{cell}, {units} units", cell=found.name, units=size) if size else found.name
        if own is None:
            rows.append((name, *[say("too large")] * len(found.libraries)))
            continue
        rows.append((name, *map(_told, own)))
        if lstm:
            rows.append((say("{cell}, {units} units", cell="LSTM", units=size), *map(_told, lstm)))
            ratios = [_ratio(a, b) for a, b in zip(own, lstm, strict=True)]
            rows.append((linked(say("times an LSTM"), "ratio"), *ratios))
    names = (linked(say(NAMES[library]), "speed") for library in found.libraries)
    about = say(
        "A training step, forward and backward, on {steps} steps of {rows} sequences with inputs "
        "of {features} features; {processor}. NumPy and compiled are this package's executors; JAX "
        "and PyTorch run the exported cell, PyTorch its own kernel where it has one.",
        steps=STEPS,
        rows=ROWS,
        features=found.features,
        processor=processor(),
    )
    content = table((say("milliseconds"), *names), rows, "numbers")
    return Section("speed", say("Speed"), about, content, ("speed", "ratio"))


def _cells(subject: Subject, size: int) -> list[tuple[str, Cell, Any]]:
    """The cell and an LSTM of that many units; the cell as it is for 0."""
    if not size:
        given = subject.given(STEPS, ROWS)
        return [(subject.name, _alone(subject, subject.cell), given.x.data)]
    features = 32 if len(subject.input_shape) == 1 and subject.choices is None else 0
    takes = inspect.signature(type(subject.cell).__init__).parameters
    if features and "input_size" in takes:
        cell = subject.again(input_size=features, hidden_size=size)
        x = np.random.default_rng(0).standard_normal((STEPS, ROWS, features))
    else:
        cell = subject.again(hidden_size=size)
        x = subject.given(STEPS, ROWS).x.data
    x = x.astype(subject.dtype) if x.dtype.kind == "f" else x
    found: list[tuple[str, Cell, Any]] = [(subject.name, _alone(subject, cell), x)]
    if features and type(subject.cell) is not nn.LSTMCell:
        lstm: Cell = nn.LSTMCell(features, size).astype(subject.dtype)
        found.append(("LSTM", lstm, x))
    return found


def _flops(cell: Cell, x: Any) -> int:
    """Of a training step; 0 if they are not known."""
    shape = x.shape[2:]
    try:
        size = shape[0] if len(shape) == 1 else shape
        plan = cell.plan(ROWS, STEPS, input_size=size, input_dtype=x.dtype)
    except (TypeError, ValueError):
        return 0
    return plan.total().flops


def _alone(subject: Subject, cell: Cell) -> Cell:
    given = subject.given(1, ROWS)
    inputs = {name: value[0] for name, value in given.inputs.items()} | given.constants
    return _Alone(cell, inputs) if inputs else cell


def _milliseconds(library: str, cell: Cell, x: Any, quick: bool) -> float | str:
    """The median of a step, or why there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return 1000 * measured(library, cell, x, 0.2 if quick else 1.0).step
        except Exception as error:  # from the export, or from the library
            return f"{type(error).__name__}: {error}"


def _told(time: float | str) -> str:
    if isinstance(time, str):
        return f'<span title="{escaped(time)}">-</span>'
    return f"{time:,.0f}" if time >= 100 else f"{time:.3g}"


def _ratio(a: float | str, b: float | str) -> str:
    return "-" if isinstance(a, str) or isinstance(b, str) else f"{a / b:.2g}"
