"""The Jacobians of all steps of a scan at once, with the steps as rows of one batch.

The scan is observed, so the state before each step is known and no step has to wait for another.
The cell is called once, on a batch with one row for each step and each element of its state, and
one backward pass with a one-hot gradient in each row gives all Jacobians. This requires that rows
of a batch are independent. The next states show whether they are: they must equal those that the
scan computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...compiler.observation import ObservedRun, observe
from ...engine.dtypes import is_floating
from ...engine.recording.mode import enable_grad
from ...engine.recording.node import Node
from ...engine.tensor import Tensor
from ...graph import Graph
from ...pytree import leaves as leaves_of
from .recorded import Array, Model, numbered
from .transitions import is_inside
from .walk import led_back_by_path

__all__ = ["BatchedSteps", "find_batched_steps"]

ROWS = 4096  # rows of a batch: more steps take more batches


@dataclass
class BatchedSteps:
    """The Jacobians of the steps of one scan, in the order in which the steps are run.

    `parts` (T, paths, n, n): each step's Jacobian by the state before, split by path; `names` are
    the names of the paths, those of the states first. `inputs` (T, n, m): by x_t, None if x_t is
    not floating.
    """

    order: list[int]
    slices: dict[str, slice]
    names: list[str]
    taken: list[int]
    parts: Array
    inputs: Array | None


def find_batched_steps(model: Model, x: Any, path: str | None) -> BatchedSteps | None:
    """Run `model(x)` and find the steps of the only scan at `path`.

    None where the steps have to be differentiated one by one: if there is another scan or a loop of
    steps, more than one sequence, padding, a detached state, or a state whose rows are not
    independent.
    """
    with observe() as seen, enable_grad():
        result = model(x)
    runs = [run for run in seen.runs if path is None or is_inside(run.path, path)]
    if len(runs) != 1 or any(run.valid is not None for run in runs) or not runs[0].path:
        return None
    tensors = [t for t in leaves_of(result) if isinstance(t, Tensor) and t.requires_grad]
    if not tensors or Graph.of(*tensors).steps:
        return None
    return _of_run(runs[0])


def _of_run(run: ObservedRun) -> BatchedSteps | None:
    states = run.states()
    length = len(run.xs[0]) if run.xs else 0
    if not length or states is None or states.keys() != set(range(len(run.carry))):
        return None
    given = [*(leaf._data for leaf in run.carry), *(x._data[0] for x in run.xs)]
    if any(array.shape[:1] != (1,) for array in given):
        return None
    order = list(range(length))[:: -1 if run.reverse else 1]
    after = [states[k][order] for k in range(len(run.carry))]
    before = [
        np.concatenate([leaf._data[None], whole[:-1]])
        for leaf, whole in zip(run.carry, after, strict=True)
    ]
    xs = [x._data[order] for x in run.xs]
    size = sum(leaf._data.size for leaf in run.carry if is_floating(leaf._data))
    if not size:
        return None
    found: list[_Chunk] = []
    for start in range(0, length, each := max(ROWS // size, 1)):
        some = slice(start, start + each)
        made = _chunk(
            run, [a[some] for a in before], [x[some] for x in xs], [a[some] for a in after], size
        )
        if made is None:
            return None
        found.append(made)
    first = found[0]
    return BatchedSteps(
        order,
        first.slices,
        first.names,
        sorted({path for chunk in found for path in chunk.taken}),
        np.concatenate([chunk.parts for chunk in found]),
        None if first.inputs is None else np.concatenate([c.inputs for c in found]),
    )


@dataclass
class _Chunk:
    slices: dict[str, slice]
    names: list[str]
    taken: set[int]
    parts: Array
    inputs: Array | None


def _chunk(
    run: ObservedRun,
    before: Sequence[Array],
    xs: Sequence[Array],
    after: Sequence[Array],
    size: int,
) -> _Chunk | None:
    """The Jacobians of some steps; None if the cell does not reproduce what the scan computed."""
    steps = len(before[0])
    carry = [_rows(array, size) for array in before]
    inputs = [_rows(array, size) for array in xs]
    with enable_grad():
        new, _ = run.step(carry, inputs)
    if not all(_agree(leaf._data[::size], a[:, 0]) for leaf, a in zip(new, after, strict=True)):
        return None
    labels = {label.leaf: label for label in run.step.noted}
    slices: dict[str, slice] = {}
    seeds: dict[Tensor, Array] = {}
    columns: dict[Node, tuple[int, slice]] = {}  # of what the step was given: which state
    end = 0
    for k, (leaf, old) in enumerate(zip(new, carry, strict=True)):
        if not is_floating(leaf._data):
            continue
        label = labels[k]
        title = numbered(label.name, slices)
        width = leaf.size // (steps * size)
        place = slice(end, end := end + width)
        columns[old] = len(slices), place
        slices[title] = place
        weights = np.zeros((steps, size, width), leaf.dtype)
        weights[:, place] = np.eye(width)
        seeds[leaf] = weights.reshape(leaf.shape)
    states = set(seeds)
    named: dict[Node, str] = {
        node: label.name
        for label, node in run.step.noted.items()
        if label.leaf is None and node not in states
    }
    names, taken = [*slices], set()
    arrived, starts = led_back_by_path(seeds, [*columns, *inputs], [*named], len(names))
    names += [named[node] for node in starts]
    parts = np.zeros((steps, len(names), size, size), np.result_type(*seeds.values()))
    by_input = []
    for given, its_parts in arrived.items():
        if given in columns:
            own, place = columns[given]
            for path, part in its_parts.items():
                path = own if path < 0 else path
                taken.add(path)
                parts[:, path, :, place] += part.reshape(steps, size, -1)
        else:
            by_input.append(sum(its_parts.values()).reshape(steps, size, -1))
    floats = [x for x in inputs if is_floating(x._data)]
    if by_input:
        of_inputs: Array | None = np.concatenate(by_input, axis=-1)
    else:
        of_inputs = np.zeros((steps, size, 1)) if floats else None
    return _Chunk(slices, names, taken, parts, of_inputs)


def _rows(array: Array, size: int) -> Tensor:
    """The rows of a batch: each step's value (T, 1, ...) repeated for each element of the state."""
    made = Tensor.of(np.repeat(array[:, 0], size, axis=0))
    made.requires_grad = is_floating(array)
    return made


def _agree(a: Array, b: Array) -> bool:
    """Whether two arrays agree to rounding."""
    if b.dtype.kind != "f":
        return np.array_equal(a, b)
    rounding = float(np.sqrt(np.finfo(b.dtype).eps))
    return np.allclose(a, b, rounding, rounding * float(np.abs(b).max(initial=0.0)))
