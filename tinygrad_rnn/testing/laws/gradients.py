"""Laws about gradients, compared with the complex step at each time step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import pytree
from ..cells.network import OneStep
from ..cells.results import Results
from ..cells.runs import Batch, Subject, seeded, with_leaves
from ..gradients.locate import first_wrong
from ..gradients.program import Program
from ..gradients.report import GradientReport
from ..gradients.search import search_gradient
from .law import Broken, DoesNotApply, law, require

if TYPE_CHECKING:
    from ...engine.tensor import Tensor

ORIGIN = "first wrong on the way back: "
"""The beginning of a note on the place in the code where a gradient first goes wrong."""

_RTOL = 1e-9
_LONG = 50
"""Steps of the long sequence: enough for a plain RNN's gradient to fall below 1e-13."""


def _step_by_step(
    subject: Subject, batch: Batch
) -> tuple[Callable[..., Any], list[Tensor], list[OneStep]]:
    """A function of x and the state with separate parameters at each step, and these parameters."""
    network, parameters = subject.network.unshared(len(batch.x))
    x, state, floating = batch.leaves()

    def outputs(x: Tensor, *floating: Tensor) -> Any:
        with seeded(subject.seed):
            shown, last = network.run(x, with_leaves(state, floating), unrolled=True)
        return shown, pytree.leaves(last)

    return outputs, [x, *floating], parameters


def _searched(subject: Subject, program: Program, shakes: int = 3) -> GradientReport:
    return search_gradient(program, _RTOL, subject.spend, shakes)


def _step_by_step_gradient(
    subject: Subject, steps: int, rows: int
) -> tuple[Program, GradientReport]:
    found = subject.reports.get((steps, rows))
    if found is None:
        outputs, inputs, unshared = _step_by_step(subject, subject.batch(steps, rows))
        program = Program(outputs, inputs, [one.parameter for one in unshared])
        found = subject.reports[steps, rows] = program, _searched(subject, program)
    return found


def _gradient_by(kind: Callable[[str], bool], subject: Subject, steps: int, rows: int) -> None:
    program, report = _step_by_step_gradient(subject, steps, rows)
    if not any(map(kind, program.names)):
        raise DoesNotApply("there are none with a gradient")
    mine = [d for d in report.disagreements if kind(d.input)]
    if mine:
        others = list(dict.fromkeys(d.input for d in mine if d.input != mine[0].input))
        also = [f"also wrong: {', '.join(others)}"] if others else []
        shown = [str(d) for d in mine if d.input == mine[0].input]
        raise Broken("\n".join([_origin(program, report), *shown, *also]))


def _origin(program: Program, report: GradientReport) -> str:
    if report.first_wrong is None:  # three laws may need it
        report.first_wrong = first_wrong(program)
    place = report.first_wrong
    return f"{ORIGIN}{place}" if place else "gradient WRONG"


def _is_input(name: str) -> bool:
    return name == "x"


def _is_state(name: str) -> bool:
    return name.startswith("initial ")


def _is_parameter(name: str) -> bool:
    return not _is_input(name) and not _is_state(name)


for _name, _says, _kind in (
    ("parameters", "gradients of all parameters, at each time step", _is_parameter),
    ("inputs", "gradients of all inputs, at each time step", _is_input),
    ("initial state", "gradients of the initial state", _is_state),
):
    law(_name, _says, ((1, 1), (3, 2)), ("truncate",), ((2, 1),))(partial(_gradient_by, _kind))


@law("own start", "gradients through its own initial state", ((2, 2),), ("truncate",))
def _own_start(subject: Subject, steps: int, rows: int) -> None:
    x, _, _ = subject.batch(steps, rows).leaves()
    network = subject.network
    if not any(leaf.requires_grad for leaf in pytree.leaves(network.start(rows))):
        raise DoesNotApply("it starts from constants")

    def outputs(x: Tensor) -> Any:
        with seeded(subject.seed):
            return network.run(x, unrolled=True)[0]

    program = Program(outputs, [x], network.module.parameters())
    report = _searched(subject, program)
    if not report.ok:
        raise Broken(f"{_origin(program, report)}\n{report.disagreements[0]}")


@law("far", f"gradients through {_LONG} steps of a cell", ((_LONG, 1),))
def _far(subject: Subject, steps: int, rows: int) -> None:
    network = subject.alone()  # also for a layer: its cells are of one kind
    x, state, floating = subject.batch(steps, rows, network).leaves()

    def last_output(x: Tensor, *floating: Tensor) -> Any:
        # This one alone: with the others, what comes from far would not matter.
        with seeded(subject.seed):
            return network.run(x, with_leaves(state, floating), unrolled=True)[0][-1]

    program = Program(last_output, [x, *floating], network.module.parameters())
    report = _searched(subject, program, shakes=1)
    if not report.ok:
        # An op that is wrong over a few steps is wrong over many, and found sooner.
        for _, of_few in subject.reports.values():
            report.first_wrong = report.first_wrong or of_few.first_wrong
        raise Broken(f"{_origin(program, report)}\n{report.disagreements[0]}")


@law("sum", "gradients of each step add up to the total", ((1, 1), (4, 3)))
def _sum(subject: Subject, steps: int, rows: int) -> None:
    batch = subject.batch(steps, rows)
    whole = batch.results(subject.network, subject.seed)
    outputs, inputs, unshared = _step_by_step(subject, batch)
    shown, last = outputs(*inputs)
    found = batch._gradients([shown, *last], [*inputs, *(one.parameter for one in unshared)])
    by_inputs, parts = found[: len(inputs)], found[len(inputs) :]
    sums = {name: np.zeros_like(gradient) for name, gradient in whole.by_parameters.items()}
    for one, part in zip(unshared, parts, strict=True):
        sums[one.name] += part
    added_up = Results(
        shown._data,
        [leaf._data for leaf in last],
        by_inputs[0],
        by_inputs[1:],
        sums,
        whole.state_names,
    )
    require(added_up, whole, "with separate parameters at each step, ")
