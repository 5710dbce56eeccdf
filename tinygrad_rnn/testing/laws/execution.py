"""Laws about running a cell: scanned or unrolled, over any number of steps, saved and loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ... import pytree
from ...compiler.specialization import Refusal, specializations
from ...engine.tensor import from_numpy
from ...serialization import load, save
from ..cells.changes import Change, changes_of
from ..cells.results import Results
from ..cells.runs import Subject, seeded
from .law import Broken, DoesNotApply, law, require

if TYPE_CHECKING:
    from ...nn import Cell


def directions(subject: Subject, steps: int) -> tuple[bool, ...]:
    """The values of `reverse` to check: both, if the layer allows it."""
    limits = subject.network.limits(steps)
    return (False,) if {"both ways", "truncate"} & limits.keys() else (False, True)


@law("scan", "a scan gives the same results as unrolling")
def _scan(subject: Subject, steps: int, rows: int) -> None:
    batch = subject.batch(steps, rows)
    cell = subject.network.cell
    with seeded(subject.seed):
        subject.alone().run(from_numpy(batch.x))
    _runs_as_a_scan(cell)
    for reverse in directions(subject, steps):
        once = partial(batch.results, subject.network, subject.seed, reverse=reverse)
        require(once(), once(unrolled=True), "scan, reverse: " if reverse else "scan: ")


@law("changed", "a compiled cell sees changes between two calls", ((3, 2),))
def _changed(subject: Subject, steps: int, rows: int) -> None:
    network = subject.alone()  # also for a layer: its cells are of one kind
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
        require(once(), first, f"{change.what} changed [{change.line}] and changed back: ")


def _require_change(change: Change, once: Callable[..., Results]) -> None:
    try:
        expected = once(unrolled=True)
    except Exception:  # for example, a size that no longer fits
        return
    what = f"{change.what} changed [{change.line}], "
    try:
        found = once()
    except Exception as error:
        raise Broken(f"{what}scan: {type(error).__name__}: {error}") from error
    require(found, expected, f"{what}scan: ")


def _runs_as_a_scan(cell: Cell) -> None:
    found = specializations(cell).latest
    if isinstance(found, Refusal):
        raise DoesNotApply(f"it runs step by step: {found.reason}")


@law("length", "any number of steps works, even none", ((0, 1), (1, 1), (0, 3), (7, 3)))
def _length(subject: Subject, steps: int, rows: int) -> None:
    batch = subject.batch(steps, rows)
    for unrolled in (True, False):
        found = batch.results(subject.network, subject.seed, unrolled=unrolled)
        if found.outputs.shape != batch.output_weights.shape:
            raise Broken(f"outputs {found.outputs.shape}, not {batch.output_weights.shape}")
        for name, array, _ in found.named():
            if not np.isfinite(array).all():
                value = array[~np.isfinite(array)][0]
                raise Broken(f"{name}: {value}; not all results are finite")
        if not steps and not all(
            np.array_equal(a, b)
            for a, b in zip(found.state, pytree.leaves(batch.state), strict=True)
        ):
            raise Broken("the final state after 0 steps is not the initial one")


@law("saved", "saved and loaded, it gives the same results", ((3, 3),), smaller=((1, 1),))
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
        require(once(loaded), once(subject.network), "loaded: ", exact=True)
