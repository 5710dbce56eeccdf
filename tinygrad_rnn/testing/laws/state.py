"""Laws about one step: the state, dtypes, sharing, and reproducible results."""

from __future__ import annotations

from functools import partial

import numpy as np

from ... import pytree
from ...engine.dtypes import get_default_dtype, is_floating
from ...engine.tensor import from_numpy
from ..cells.runs import Subject, leaf_names, seeded
from .law import Broken, DoesNotApply, law, require


@law("state", "a step keeps the state's structure and dtypes", ((1, 1), (1, 3)))
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
                    "(self.zeros(...) creates a state in the dtype of the parameters)"
                )
        if shown.dtype != dtype:
            raise Broken(f"in {dtype}, the output is {shown.dtype}")


@law("dtype", "the default dtype is kept, also for integers", ((2, 2),))
def _dtype(subject: Subject, steps: int, rows: int) -> None:
    network = subject.fresh(subject.seed, None)
    default = get_default_dtype()
    for name, parameter in network.module.named_parameters():
        if parameter.dtype != default:
            raise Broken(
                f"{name} is created in {parameter.dtype}, but the default dtype is {default}"
            )
    x = subject.x(np.random.default_rng(subject.seed), steps, rows)
    kinds = [default, np.dtype("int64"), np.dtype("bool")] if is_floating(x) else [x.dtype]
    for kind in kinds:
        try:
            with seeded(subject.seed):
                shown, last = network.run(from_numpy(x.astype(kind)), unrolled=True)
        except (TypeError, ValueError, IndexError):
            if kind is default:
                raise
            continue  # it rejects such an x
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


@law("apart", "layers and directions share no parameter", ((1, 1),))
def _apart(subject: Subject, steps: int, rows: int) -> None:
    cell = subject.network.cell
    output_size = cell.output_size
    try:
        with seeded(subject.seed):
            siblings = [cell, cell.sibling(), cell.sibling(output_size)]
    except TypeError as reason:
        raise DoesNotApply(f"it has one layer and one direction: {reason}") from None
    held: dict[int, str] = {}
    for one in siblings:
        for name, parameter in one.named_parameters():
            if id(parameter) in held:
                raise Broken(
                    f"{name} of a cell is {held[id(parameter)]} of the next one, made by "
                    "cell.sibling(): a Parameter or Module that is not an argument of __init__"
                )
        held |= {id(parameter): name for name, parameter in one.named_parameters()}


@law("repeat", "the same inputs give the same results", ((1, 1), (3, 3)))
def _repeat(subject: Subject, steps: int, rows: int) -> None:
    for unrolled in (True, False):
        once = partial(subject.batch(steps, rows).results, subject.network, unrolled=unrolled)
        first, second = once(), once()
        # A scan's first run records the step, op by op: its results may differ by rounding.
        require(second, first, "the second time, ", exact=unrolled)
        require(once(), second, "the third time, ", exact=True)
