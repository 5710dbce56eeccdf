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
from typing import Any, NamedTuple

import numpy as np

from ...compiler.observation import ObservedRun, observe
from ...engine.dtypes import is_floating
from ...engine.recording.mode import enable_grad
from ...engine.recording.node import Node
from ...engine.tensor import Tensor
from ...graph import Graph
from ...pytree import leaves as leaves_of
from .propagation import propagated_by_path
from .recorded import Array, Model, numbered
from .transitions import is_inside

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
    parts: Array = None
    slices: dict[str, slice] = {}
    names: list[str] = []
    taken: set[int] = set()
    by_input: list[Array] = []
    each = max(ROWS // size, 1)
    for start in range(0, length, each):
        some = slice(start, start + each)
        arrays = [a[some] for a in before], [x[some] for x in xs], [a[some] for a in after]
        one = _chunk(run, *arrays, size, repeat=False) or _chunk(run, *arrays, size, repeat=True)
        if one is None:
            return None
        if parts is None:
            slices, names = one.slices, one.names
            parts = np.zeros((length, len(names), size, size), one.dtype)
        for path, columns, part in one.blocks:
            parts[some, path, :, columns] += part
            taken.add(path)
        by_input += [] if one.inputs is None else [one.inputs]
    inputs = np.concatenate(by_input) if by_input else None
    return BatchedSteps(order, slices, names, sorted(taken), parts, inputs)


class _Block(NamedTuple):
    """The part (steps, n, columns) of some Jacobians that takes one path to one state before."""

    path: int
    columns: slice
    part: Array


@dataclass
class _Chunk:
    slices: dict[str, slice]
    names: list[str]
    dtype: np.dtype[Any]
    blocks: list[_Block]
    inputs: Array | None


def _chunk(
    run: ObservedRun,
    before: Sequence[Array],
    xs: Sequence[Array],
    after: Sequence[Array],
    size: int,
    repeat: bool,
) -> _Chunk | None:
    """The Jacobians of some steps; None if the cell does not reproduce what the scan computed.

    The batch has a row for each step. The gradients of the `size` numbers of its next state have an
    axis of their own before that, which the ops' rules broadcast over; None if one does not. With
    `repeat`, the batch itself has as many rows for each step instead.
    """
    steps = len(before[0])
    carry = [_rows(array, size if repeat else 1) for array in before]
    inputs = [_rows(array, size if repeat else 1) for array in xs]
    with enable_grad():
        new, _ = run.step(carry, inputs)
    if not all(_agree(leaf._data[:steps], a[:, 0]) for leaf, a in zip(new, after, strict=True)):
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
        width = leaf.size // len(leaf)
        place = slice(end, end := end + width)
        columns[old] = len(slices), place
        slices[title] = place
        weights = np.zeros((size, steps, width), leaf.dtype)
        weights[place] = np.eye(width, dtype=leaf.dtype)[:, None]
        seeds[leaf] = weights.reshape(leaf.shape if repeat else (size, *leaf.shape))
    states = set(seeds)
    named: dict[Node, str] = {
        node: label.name
        for label, node in run.step.noted.items()
        if label.leaf is None and node not in states
    }
    names = [*slices]
    floats = [x for x in inputs if is_floating(x._data)]
    graph = [*columns], floats, [*named], len(names)
    found = propagated_by_path(seeds, *graph) if repeat else _all_at_once(seeds, *graph, size)
    if found is None:
        return None
    arrived, starts = found
    names += [named[node] for node in starts]

    def of_steps(part: Array) -> Array:
        return part.reshape(size, steps, -1).swapaxes(0, 1)

    blocks = [
        _Block(columns[given][0] if path < 0 else path, columns[given][1], of_steps(part))
        for given, its_parts in arrived.items()
        for path, part in its_parts.items()
        if given in columns
    ]
    by_input = [of_steps(sum(arrived[x].values())) for x in floats if x in arrived]
    if by_input:
        of_inputs: Array | None = np.concatenate(by_input, axis=-1)
    else:
        of_inputs = np.zeros((steps, size, 1)) if floats else None
    return _Chunk(slices, names, np.result_type(*seeds.values()), blocks, of_inputs)


def _all_at_once(
    seeds: dict[Tensor, Array],
    split: Sequence[Node],
    whole: Sequence[Node],
    named: Sequence[Node],
    first: int,
    size: int,
) -> Any:
    """`propagated_by_path` for gradients with a leading axis; None if some rule does not allow one.

    Rules are linear in the gradient: a random combination along the axis must give the same
    combination of the results.
    """
    combination = np.random.default_rng(0).standard_normal(size)

    def combined(array: Array) -> Array:
        return np.tensordot(combination.astype(array.dtype), array, 1)

    one = {leaf: combined(weights) for leaf, weights in seeds.items()}
    try:
        with np.errstate(all="ignore"):
            found, starts = propagated_by_path(seeds, split, whole, named, first, size)
        expected, _ = propagated_by_path(one, split, whole, named, first)
        right = found.keys() == expected.keys() and all(
            parts.keys() == expected[end].keys()
            and all(_agree(combined(part), expected[end][path]) for path, part in parts.items())
            for end, parts in found.items()
        )
    except Exception:  # a rule of the author's that fails on such a gradient
        return None
    return (found, starts) if right else None


def _rows(array: Array, size: int) -> Tensor:
    """The rows of a batch: each step's value (T, 1, ...) repeated for each element of the state."""
    made = Tensor.of(np.concatenate([array[:, 0]] * size))
    made.requires_grad = is_floating(array)
    return made


def _agree(a: Array, b: Array) -> bool:
    """Whether two arrays agree to rounding."""
    if b.dtype.kind != "f":
        return np.array_equal(a, b)
    rounding = float(np.sqrt(np.finfo(b.dtype).eps))
    return np.allclose(a, b, rounding, rounding * float(np.abs(b).max(initial=0.0)))
