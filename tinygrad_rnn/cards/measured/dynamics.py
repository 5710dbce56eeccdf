"""The section on the gradient through time: flow, memory horizon, Lyapunov spectrum, truncation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ... import analysis
from ...analysis.sequences import floating
from ...language import say
from ...nn.recurrent.cell import Cell
from ...viz.charts.chart import Chart
from ..glossary import linked
from ..section import Section, charts, table
from .curves import curves
from .trained import Trained

__all__ = ["Case", "Dynamics", "dynamics", "dynamics_section"]

WINDOWS = (1, 2, 5, 10, 20, 50)
DIRECTIONS = 32  # of the state, at most, that are followed
SHARES = (0.5, 0.1, 0.01)


class Case(NamedTuple):
    """A cell, such as "trained", on sequences."""

    name: str
    cell: Cell
    x: Any
    inputs: Mapping[str, Any]
    constants: Mapping[str, Any]
    flow: list[float]


class Dynamics(NamedTuple):
    """The measurements of a case."""

    case: Case
    horizon: analysis.MemoryHorizon
    spectrum: analysis.LyapunovSpectrum
    errors: Mapping[int, float]


def cases(found: Trained) -> list[Case]:
    """The cell at initialisation and trained, on the sequences of the task."""
    learnt = found.learnt
    return [
        Case("at initialisation", found.initial, found.x, found.inputs, {}, learnt.flow_before),
        Case("trained", found.cell, found.x, found.inputs, {}, learnt.flow_after),
    ]


def dynamics(case: Case, quick: bool) -> Dynamics:
    """Measure a case."""
    further: dict[str, Any] = {"inputs": case.inputs, "constants": case.constants}
    horizon = analysis.memory_horizon(case.cell, case.x, **further)
    rows = slice(0, 2 if quick else 4)
    few: dict[str, Any] = {
        "inputs": {name: value[:, rows] for name, value in case.inputs.items()},
        "constants": {name: value[rows] for name, value in case.constants.items()},
    }
    x = case.x[:, rows]
    size = sum(leaf[0].size for leaf in floating(case.cell.initial_state(1)))
    spectrum = analysis.lyapunov_spectrum(case.cell, x, min(size, DIRECTIONS), **few)
    first = slice(0, 30 if quick else 100)
    few["inputs"] = {name: value[first] for name, value in few["inputs"].items()}
    errors = analysis.truncation_errors(case.cell, x[first], windows=WINDOWS, **few)
    return Dynamics(case, horizon, spectrum, errors)


def dynamics_section(found: list[Dynamics], about: str) -> Section:
    """Tables of the numbers, and charts."""
    horizon_rows = [
        (say(d.case.name), *(_steps(d.horizon, share) for share in SHARES)) for d in found
    ]
    spectrum_rows = [
        (
            say(d.case.name),
            _number(d.spectrum.exponents[0]),
            _number(float(np.median(d.spectrum.exponents))),
            f"{d.spectrum.dimension:.3g}",
        )
        for d in found
    ]
    dimension = linked(say("dimension"), "dimension")
    horizon = linked(say("Memory horizon"), "horizon")
    lyapunov = linked(say("Lyapunov spectrum"), "lyapunov")
    kept = (say("{share:.0%} is kept", share=share) for share in SHARES)
    content = (
        f"<h3>{say('{what}, in steps', what=horizon)}</h3>"
        + table(("", *kept), horizon_rows, "numbers")
        + charts(_kept(found), *_flows(found))
        + f"<h3>{say('{what}, for each step', what=lyapunov)}</h3>"
        + table(("", say("largest"), say("median"), dimension), spectrum_rows, "numbers")
        + _says(found)
        + charts(_spectra(found), _errors(found))
    )
    means = ("flow", "horizon", "lyapunov", "dimension", "truncation")
    return Section("gradient", say("The gradient through time"), about, content, means)


def _steps(horizon: analysis.MemoryHorizon, share: float) -> str:
    steps = horizon.steps(share)
    if steps is None:
        return say("more than {count}", count=len(horizon.kept) - 1)
    return str(steps)


def _number(x: float) -> str:
    return "−∞" if x == -np.inf else f"{x:.3g}".replace("-", "−")


def _says(found: list[Dynamics]) -> str:
    """What the largest exponent means, in a sentence for each case."""
    return "".join(f"<p>{say(d.case.name).capitalize()}: {_meaning(d)}</p>" for d in found)


def _meaning(d: Dynamics) -> str:
    top = float(d.spectrum.exponents[0])
    if top > 0.01:
        return say(
            "a small change of the state grows by {growth:.0%} per step on these sequences, and "
            "the gradient explodes. If the state stays bounded, this is chaos.",
            growth=np.expm1(top),
        )
    if top > -0.01:
        return say("some direction of the state neither decays nor grows.")
    return say(
        "even the most persistent direction loses {lost:.0%} per step: in the long run the "
        "gradient halves every {half:.2g} steps.",
        lost=-np.expm1(top),
        half=np.log(0.5) / top,
    )


def _kept(found: list[Dynamics]) -> Chart:
    lines = {say(d.case.name): d.horizon.kept for d in found}
    return curves(
        say("What is left of the gradient"),
        lines,
        said=say("{} steps back"),
        log=True,
        note=say("steps back"),
    )


def _flows(found: list[Dynamics]) -> list[Chart]:
    lines = {say(d.case.name): d.case.flow for d in found if d.case.flow}
    if not lines:
        return []
    return [
        curves(
            say("Gradient flow of the last loss"),
            lines,
            said=say("step {}"),
            log=True,
            note=say("steps of the task"),
        )
    ]


def _spectra(found: list[Dynamics]) -> Chart:
    lines = {say(d.case.name): d.spectrum.exponents for d in found}
    count = max(len(values) for values in lines.values())
    names = [str(n) for n in range(1, count + 1)]
    return curves(
        say("Lyapunov exponents"),
        lines,
        said=say("exponent {}"),
        names=names,
        note=say("by size"),
    )


def _errors(found: list[Dynamics]) -> Chart:
    names = [str(k) for k in found[0].errors]
    lines = {say(d.case.name): [*d.errors.values()] for d in found}
    return curves(
        say("Error of truncating after k steps"),
        lines,
        said="k = {}",
        names=names,
        log=True,
        note="k",
    )
