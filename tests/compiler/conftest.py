"""A cell from a function, and the comparison of both ways to run it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree
from tinygrad_rnn.compiler import notices
from tinygrad_rnn.compiler.runtime import ragged
from tinygrad_rnn.compiler.specialization import compiled_steps
from tinygrad_rnn.graph import Graph

H = 3


class StepCell(nn.Cell):
    """The cell whose step is `step(cell, x, state)`, with parameters of the given shapes."""

    input_size = 2

    def __init__(
        self,
        step: Callable[..., Any],
        state: Callable[..., Any] | None = None,
        output: Callable[..., Any] | None = None,
        hidden_size: int = H,
        **shapes: tuple[int, ...],
    ) -> None:
        self.hidden_size = hidden_size
        self._step, self._first, self._shown = step, state, output
        rng = np.random.default_rng(len(shapes))
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(0.6 * rng.standard_normal(shape), "float64"))

    def initial_state(self, batch_size: int) -> Any:
        if self._first is None:
            return super().initial_state(batch_size)
        return self._first(self, batch_size)

    def step(self, x: Any, state: Any) -> Any:
        new = self._step(self, x, state)
        return (pytree.leaves(new)[0] if self._shown is None else self._shown(self, new)), new


def is_scan(output: tg.Tensor) -> bool:
    """Whether the tensor comes from a scan; only then does the comparison say anything."""
    return any("scan" in (node.label or "") for node in Graph.of(output))


def results(
    layer: nn.Recurrent,
    x: np.ndarray,
    state: Any = None,
    lengths: Any = None,
    weigh: Callable[[int], bool] = lambda k: True,
) -> list[np.ndarray]:
    """Outputs, final state and the gradients, under one seed, of a weighted sum of results.

    `weigh(k)`: whether result k (0: the outputs, then the final state) counts in the sum.
    """
    tg.manual_seed(5)
    x = tg.tensor(np.array(x), requires_grad=np.asarray(x).dtype.kind == "f")
    if state is not None:
        state = pytree.map(lambda s: tg.tensor(s, requires_grad=s.dtype.kind == "f"), state)
    outputs, final = layer(x, state, lengths=lengths)
    found = [outputs, *pytree.leaves(final)]
    rng = np.random.default_rng(1)
    counted = [
        (r * rng.standard_normal(r.shape).astype(r.dtype)).sum()
        for k, r in enumerate(found)
        if weigh(k) and r.dtype.kind == "f"
    ]
    inputs = [t for t in [x, *pytree.leaves(state if state is not None else ())] if t.requires_grad]
    inputs += [p for p in layer.parameters() if p.requires_grad]
    grads = [None] * len(inputs)
    if any(t.requires_grad for t in counted):
        grads = tg.grad(sum(counted), inputs, allow_unused=True)
    after = tg.rand(2)  # the generator stands where it should
    arrays = [*found, *(tg.zeros_like(t) if g is None else g for g, t in zip(grads, inputs)), after]
    return [np.array(a.detach().data) for a in arrays]


def assert_same(found: list[np.ndarray], expected: list[np.ndarray], times: float = 1.0) -> None:
    """Equal to rounding: relative to an array's largest element, and to the largest of all."""
    assert len(found) == len(expected)
    kinds = [e.dtype for e in expected if e.dtype.kind == "f"]
    eps = times * 5e3 * max((np.finfo(kind).eps for kind in kinds), default=0.0)
    largest = max((_largest(e) for e in expected), default=0.0)
    for k, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert (one.shape, one.dtype) == (other.shape, other.dtype), f"array {k}"
        atol = eps * max(_largest(other), 1e-2 * largest)
        np.testing.assert_allclose(one, other, rtol=0, atol=atol, err_msg=f"array {k}")


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array[np.isfinite(array)]).max(initial=0.0)) if array.dtype != bool else 0.0


def both_ways(
    cell: nn.Cell,
    x: np.ndarray,
    state: Any = None,
    lengths: Any = None,
    weigh: Callable[[int], bool] = lambda k: True,
    times: float = 1.0,
    **options: Any,
) -> list[np.ndarray]:
    """Run the cell as a scan twice and unrolled once; all must agree. Returns the results."""
    layer = nn.Recurrent(cell, **options)
    x = np.asarray(x)
    layer.unroll = True
    expected = results(layer, x, state, lengths, weigh)
    layer.unroll = False
    for _ in range(2):  # the second run uses the first one's arrays again
        found = results(layer, x, state, lengths, weigh)
        assert_same(found, expected, times)
    return found


def loops(cell: nn.Cell) -> list[bool]:
    """Of each program of a cell, of which there is one at least, whether its loop is compiled."""
    steps = compiled_steps(cell)
    assert steps
    programs = [program for step in steps for program in (step.forward, step.backward) if program]
    return [hasattr(program, "loop_source") for program in programs]


def some_state(cell: nn.Cell, batch: int = 2, layers: int = 1, seed: int = 3) -> Any:
    """Initial states with content, for a layer: the leaves that are floating-point are random."""
    rng = np.random.default_rng(seed)

    def content(leaf: tg.Tensor) -> np.ndarray:
        if leaf.dtype.kind == "f":
            return rng.standard_normal(leaf.shape).astype(leaf.dtype)
        return rng.integers(0, 2, leaf.shape).astype(leaf.dtype)

    return [pytree.map(content, cell.initial_state(batch)) for _ in range(layers)]


@pytest.fixture(scope="session")
def scans() -> SimpleNamespace:
    """The tools of this file."""
    return SimpleNamespace(
        StepCell=StepCell,
        is_scan=is_scan,
        results=results,
        assert_same=assert_same,
        both_ways=both_ways,
        some_state=some_state,
        loops=loops,
    )


@pytest.fixture
def compiled(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Loops are compiled, and kept on disk for all tests of a run."""
    monkeypatch.setenv("TINYGRAD_RNN_CACHE", str(tmp_path_factory.getbasetemp() / "loops"))
    monkeypatch.setattr(notices, "_texts", set())
    tg.set_executor("llvm")
    yield
    tg.set_executor("numpy")


@pytest.fixture
def shrinking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows whose sequences have ended are left out wherever that is right."""
    monkeypatch.setattr(ragged, "CHANGE", 0.0)
    monkeypatch.setattr(ragged, "FEWEST", 1)


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cell that falls back to unrolling says so in every test, where it is an error."""
    monkeypatch.setattr(notices, "_about", weakref.WeakSet())
    yield
