"""The laws that every cell and layer keeps, each a function of it and of one size of batch.

A law looks at one case, some steps and rows, and raises `Broken` with what it saw. The cases are
tried from the smallest on, so the first that breaks a law is its smallest counterexample.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import pytree
from ..compiler.specialization import Refusal, specializations
from ..engine.dtypes import get_default_dtype, is_floating
from ..engine.tensor import from_numpy
from ..nn.recurrent.run import run
from ..serialization import load, save
from .cell_runs import Batch, Results, Subject, first_difference, leaf_names, seeded, with_leaves
from .changes import Change, changes_of
from .locate import first_wrong
from .network import Network, OneStep
from .program import Program
from .report import GradientReport
from .search import search_gradient

if TYPE_CHECKING:
    from ..engine.tensor import Tensor
    from ..nn import Cell

__all__ = ["LAWS", "ORIGIN", "Broken", "DoesNotApply", "Law"]

ORIGIN = "first wrong on the way back: "
"""What a note says before the place in the code where a gradient first goes wrong."""

_RTOL = 1e-9
_LONG = 50
"""Steps of the long sequence: enough for a plain RNN's gradient to fall below 1e-13."""


class Broken(Exception):
    """A law that does not hold in this case; the message says what was seen."""


class DoesNotApply(Exception):
    """A law that says nothing about this cell or layer; the message says why."""


class Law(NamedTuple):
    """A name, one sentence, and the check of a case of `steps` and `rows`.

    `unless`: the limits of a network (see `Network.limits`) under which it says nothing.
    """

    name: str
    says: str
    check: Callable[[Subject, int, int], None]
    cases: tuple[tuple[int, int], ...]  # (steps, rows), the smallest first
    unless: tuple[str, ...] = ()


LAWS: list[Law] = []

_SMALL = ((1, 1), (2, 1), (2, 2), (4, 3))
_BATCHES = ((1, 2), (3, 3))


def _law(
    name: str, says: str, cases: tuple[tuple[int, int], ...] = _SMALL, unless: tuple[str, ...] = ()
) -> Callable[..., Any]:
    def listed(check: Callable[[Subject, int, int], None]) -> Callable[..., None]:
        LAWS.append(Law(name, says, check, cases, unless))
        return check

    return listed


def _require(found: Results, expected: Results, what: str = "", exact: bool = False) -> None:
    difference = first_difference(found, expected, exact)
    if difference is not None:
        raise Broken(what + difference)


@_law("state", "a step keeps the state's structure and dtypes", ((1, 1), (1, 3)))
def _state(subject: Subject, steps: int, rows: int) -> None:
    for dtype in ("float64", "float32"):
        network = subject.fresh(subject.seed, dtype)
        state = network.start(rows)
        x = subject.x(np.random.default_rng(subject.seed), steps, rows)
        x = x.astype(dtype) if is_floating(x) else x
        with seeded(subject.seed):
            shown, new = network.run(from_numpy(x), state, unrolled=True)
        for name, before, after in zip(
            leaf_names(state), pytree.leaves(state), pytree.leaves(new), strict=True
        ):
            if before.shape[:1] != (rows,):
                raise Broken(f"initial {name} has shape {before.shape} for a batch of {rows}")
            if before.dtype != after.dtype:
                raise Broken(
                    f"in {dtype}, {name} is {before.dtype} before a step, {after.dtype} after it "
                    "(self.zeros(...) makes a state in the dtype of the parameters)"
                )
        if shown.dtype != dtype:
            raise Broken(f"in {dtype}, the output is {shown.dtype}")


@_law("dtype", "the default dtype stays, for whole numbers too", ((2, 2),))
def _dtype(subject: Subject, steps: int, rows: int) -> None:
    network = subject.fresh(subject.seed, None)
    default = get_default_dtype()
    for name, parameter in network.module.named_parameters():
        if parameter.dtype != default:
            raise Broken(f"{name} is made in {parameter.dtype}, the default dtype is {default}")
    x = subject.x(np.random.default_rng(subject.seed), steps, rows)
    kinds = [default, np.dtype("int64"), np.dtype("bool")] if is_floating(x) else [x.dtype]
    for kind in kinds:
        try:
            with seeded(subject.seed):
                shown, last = network.run(from_numpy(x.astype(kind)), unrolled=True)
        except (TypeError, ValueError, IndexError):
            if kind is default:
                raise
            continue  # it says that it takes no such x
        named = zip(
            leaf_names(last), pytree.leaves(last), pytree.leaves(network.start(rows)), strict=True
        )
        results = [(name, leaf.dtype, before.dtype) for name, leaf, before in named]
        for name, found, expected in [("the output", shown.dtype, default), *results]:
            if found != expected:
                raise Broken(
                    f"for x of {kind}, {name} is {found}, not {expected} (nn.Linear and "
                    "nn.functional.linear compute in the dtype of their weights; ops promote as "
                    "NumPy does)"
                )


@_law("apart", "layers and directions share no parameter", ((1, 1),))
def _apart(subject: Subject, steps: int, rows: int) -> None:
    cell = subject.network.cell
    output_size = cell.output_size
    try:
        with seeded(subject.seed):
            siblings = [cell, cell.sibling(), cell.sibling(output_size)]
    except TypeError as reason:
        raise DoesNotApply(f"it is of one layer and one direction: {reason}") from None
    held: dict[int, str] = {}
    for one in siblings:
        for name, parameter in one.named_parameters():
            if id(parameter) in held:
                raise Broken(
                    f"{name} of a cell is {held[id(parameter)]} of the next one, made by "
                    "cell.sibling(): a Parameter or Module from outside of __init__'s arguments"
                )
        held |= {id(parameter): name for name, parameter in one.named_parameters()}


@_law("repeat", "the same inputs give the same results", ((1, 1), (3, 2)))
def _repeat(subject: Subject, steps: int, rows: int) -> None:
    for unrolled in (True, False):
        once = partial(subject.batch(steps, rows).results, subject.network, unrolled=unrolled)
        first, second = once(), once()
        # A scan's first run records the step, op by op: its results may differ by rounding.
        _require(second, first, "the second time, ", exact=unrolled)
        _require(once(), second, "the third time, ", exact=True)


# Gradients


def _step_by_step(
    subject: Subject, batch: Batch
) -> tuple[Callable[..., Any], list[Tensor], list[OneStep]]:
    """A function of x and the state with parameters of its own at each step, and all of these."""
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
    if report.first_wrong is None:  # three laws may ask
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
    _law(_name, _says, ((1, 1), (2, 1), (3, 2)), ("truncate",))(partial(_gradient_by, _kind))


@_law("own start", "gradients through its own initial state", ((2, 2),), ("truncate",))
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


@_law("far", f"gradients through {_LONG} steps of a cell", ((_LONG, 1),))
def _far(subject: Subject, steps: int, rows: int) -> None:
    network = Network(subject.network.cell)  # of a layer, too: its cells are of one kind
    x, state, floating = subject.batch(steps, rows, network).leaves()

    def last_output(x: Tensor, *floating: Tensor) -> Any:
        # This one alone: beside the others', what comes from far would not count.
        with seeded(subject.seed):
            return network.run(x, with_leaves(state, floating), unrolled=True)[0][-1]

    program = Program(last_output, [x, *floating], network.module.parameters())
    report = _searched(subject, program, shakes=1)
    if not report.ok:
        raise Broken(f"{_origin(program, report)}\n{report.disagreements[0]}")


@_law("sum", "gradients of each step add up to the total", ((1, 1), (4, 2)))
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
    _require(added_up, whole, "with parameters of its own at each step, ")


# The two ways to run a cell


def _directions(subject: Subject, steps: int) -> tuple[bool, ...]:
    """Whether `reverse`: both, if it can be asked for."""
    limits = subject.network.limits(steps)
    return (False,) if {"both ways", "truncate"} & limits.keys() else (False, True)


@_law("scan", "a scan gives the same results as unrolling")
def _scan(subject: Subject, steps: int, rows: int) -> None:
    batch = subject.batch(steps, rows)
    cell = subject.network.cell
    with seeded(subject.seed):
        run(cell, from_numpy(batch.x), cell.initial_state(rows))
    _runs_as_a_scan(cell)
    for reverse in _directions(subject, steps):
        once = partial(batch.results, subject.network, subject.seed, reverse=reverse)
        _require(once(), once(unrolled=True), "scan, reverse: " if reverse else "scan: ")


@_law("changed", "what changes between two calls of a compiled cell is seen", ((3, 2),))
def _changed(subject: Subject, steps: int, rows: int) -> None:
    network = Network(subject.network.cell)  # of a layer, too: its cells are of one kind
    batch = subject.batch(steps, rows, network)
    once = partial(batch.results, network, subject.seed)
    once()  # this run records the step
    _runs_as_a_scan(network.cell)
    first = once()
    for change in changes_of(network.cell):
        subject.spend()
        take_back = change.apply()
        try:
            _require_change(change, once)
        finally:
            take_back()
        _require(once(), first, f"{change.what} changed [{change.line}] and changed back: ")


def _require_change(change: Change, once: Callable[..., Results]) -> None:
    try:
        expected = once(unrolled=True)
    except Exception:  # a size, for one, that fits nothing any more
        return
    what = f"{change.what} changed [{change.line}], "
    try:
        found = once()
    except Exception as error:
        raise Broken(f"{what}scan: {type(error).__name__}: {error}") from error
    _require(found, expected, f"{what}scan: ")


def _runs_as_a_scan(cell: Cell) -> None:
    found = specializations(cell).latest
    if isinstance(found, Refusal):
        raise DoesNotApply(f"it runs step by step: {found.reason}")


@_law("length", "any number of steps works, even none", ((0, 1), (1, 1), (0, 2), (7, 2)))
def _length(subject: Subject, steps: int, rows: int) -> None:
    batch = subject.batch(steps, rows)
    for unrolled in (True, False):
        found = batch.results(subject.network, subject.seed, unrolled=unrolled)
        if found.outputs.shape != batch.output_weights.shape:
            raise Broken(f"outputs {found.outputs.shape}, not {batch.output_weights.shape}")
        finite = all(np.isfinite(array).all() for _, array, _ in found.named())
        if not finite:
            raise Broken("not all results are finite")
        if not steps and not all(
            np.array_equal(a, b)
            for a, b in zip(found.state, pytree.leaves(batch.state), strict=True)
        ):
            raise Broken("the final state after 0 steps is not the initial one")


# Batches


def _rows_are_apart(subject: Subject) -> None:
    """Random numbers of a batch are others than those of its rows: nothing can be compared."""
    batch = subject.batch(2, 1)
    first, other = (batch.results(subject.network, seed) for seed in (1, 2))
    if first_difference(first, other) is not None:
        raise DoesNotApply("it draws random numbers")


@_law("permuted", "reordering a batch only reorders its results", _BATCHES)
def _permuted(subject: Subject, steps: int, rows: int) -> None:
    _rows_are_apart(subject)
    batch, order = subject.batch(steps, rows), np.roll(np.arange(rows), 1)
    found = batch.rows(order).results(subject.network)
    _require(found, batch.results(subject.network).rows(order), "rows rolled by one: ")


@_law("rows", "each row of a batch gives what it gives alone", _BATCHES)
def _rows(subject: Subject, steps: int, rows: int) -> None:
    _rows_are_apart(subject)
    batch = subject.batch(steps, rows)
    one_by_one = [batch.rows([row]).results(subject.network) for row in range(rows)]
    _require(batch.results(subject.network), Results.of_rows(one_by_one), "in the batch, ")


# Time


@_law(
    "split",
    "a sequence in two parts gives the same results",
    unless=("both ways", "dropout", "truncate"),
)
def _split(subject: Subject, steps: int, rows: int) -> None:
    batch = subject.batch(steps, rows)
    whole = batch.results(subject.network, subject.seed)
    for cut in range(steps + 1):
        parts = slice(0, cut), slice(cut, steps)
        found = batch.results(subject.network, subject.seed, parts=parts)
        _require(found, whole, f"split before step {cut}: ")


@_law(
    "reverse",
    "reverse=True equals reversing the sequence",
    unless=("both ways", "dropout"),
)
def _reverse(subject: Subject, steps: int, rows: int) -> None:
    batch, back = subject.batch(steps, rows), slice(None, None, -1)
    found = batch.results(subject.network, subject.seed, reverse=True)
    mirrored = batch.steps(back).results(subject.network, subject.seed)
    _require(found, mirrored.steps(back), "reverse=True: ")


@_law(
    "padding",
    "padding, even NaN, changes no result",
    unless=("dropout", "blocks from the end"),
)
def _padding(subject: Subject, steps: int, rows: int) -> None:
    batch = subject.batch(steps, rows)
    alone = batch.results(subject.network, subject.seed)
    for content in batch.paddings:
        for unrolled in (True, False):
            padded = batch.padded(2, content).results(
                subject.network, subject.seed, unrolled=unrolled, lengths=np.full(rows, steps)
            )
            tail = padded.steps(slice(steps, None))
            if tail.outputs.any() or tail.by_x.any():  # NaN counts as well
                raise Broken(f"padded with {content}: outputs or gradients in the padding")
            _require(padded.steps(slice(steps)), alone, f"padded with {content}: ")


@_law(
    "lengths",
    "rows of any length give what they give alone",
    ((2, 2), (4, 3)),
    unless=("blocks from the end",),
)
def _lengths(subject: Subject, steps: int, rows: int) -> None:
    _rows_are_apart(subject)
    batch = subject.batch(steps, rows)
    lengths = np.linspace(steps, 0, rows).round().astype(int)
    real = np.arange(steps)[:, None] < lengths
    real = real.reshape(real.shape + (1,) * (batch.x.ndim - 2))
    x = np.where(real, batch.x, batch.paddings[0])
    ragged = Batch(x, batch.state, batch.output_weights, batch.state_weights)
    back = slice(None, None, -1)
    for reverse in _directions(subject, steps):
        found = ragged.results(subject.network, lengths=lengths, reverse=reverse)
        one_by_one = []
        for row, length in enumerate(lengths):
            alone = batch.rows([row]).steps(slice(length))
            one = alone.steps(back) if reverse else alone
            result = one.results(subject.network)
            one_by_one.append(result.steps(back) if reverse else result)
        _require(found, Results.of_rows(one_by_one), f"lengths {lengths.tolist()}: ")


# Files


@_law("saved", "saved and loaded, it gives the same results", ((1, 1), (3, 2)))
def _saved(subject: Subject, steps: int, rows: int) -> None:
    loaded = subject.fresh(subject.seed + 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cell.safetensors"
        save(subject.network.module, path)
        loaded.module.load_state_dict(load(path))
    batch = subject.batch(steps, rows)
    for unrolled in (True, False):
        once = partial(batch.results, seed=subject.seed, unrolled=unrolled)
        once(loaded)  # so that both are past the run that records the step
        once(subject.network)
        _require(once(loaded), once(subject.network), "loaded: ", exact=True)
