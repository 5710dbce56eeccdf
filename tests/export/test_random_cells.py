"""Random cells leave: what other libraries compute of them, values and gradients, is what we do."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import export, nn, pytree
from tinygrad_rnn.export.onnx.ops import OPS as ops
from tinygrad_rnn.ops.random import use_generator

random_cells = runpy.run_path(str(Path(__file__).parents[1] / "random_cells.py"))
programs, WIDTH = random_cells["programs"], random_cells["WIDTH"]


Found = tuple[list[Any], dict[str, Any]]


class Run(NamedTuple):
    """A layer of a random cell, and its arguments: x (T, B, 4), states, and lengths or None."""

    layer: nn.Recurrent
    x: Any
    state: list[Any]
    lengths: Any


@st.composite
def runs(draw: Any) -> Run:
    cell = draw(programs()).astype("float64")
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    steps, batch = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    truncate, reverse = draw(st.none() | st.integers(1, 3)), draw(st.booleans())
    lengths = draw(
        st.none() | st.lists(st.integers(0, steps), min_size=batch, max_size=batch).map(np.array)
    )
    assume(lengths is None or lengths.any())
    layer = nn.Recurrent(cell, reverse=reverse, truncate=truncate, unroll=True)
    state = tuple(rng.standard_normal((batch, WIDTH)) for _ in range(cell.leaves))
    return Run(layer, rng.standard_normal((steps, batch, WIDTH)), [state], lengths)


def pattern(shape: Any, *_: Any, **__: Any) -> Any:
    """What stands for random numbers, the same in each library: (..., 4)."""
    return np.broadcast_to(np.linspace(0.05, 0.95, WIDTH), tuple(shape))


@contextmanager
def drawing_a_pattern() -> Iterator[None]:
    with use_generator(SimpleNamespace(random=pattern)):  # type: ignore[arg-type]
        yield


def here(run: Run) -> Found:
    """The results, and the gradients of the sum of their squares: by x and the parameters."""
    x = tg.tensor(run.x, requires_grad=True)
    run.layer.zero_grad()
    with drawing_a_pattern():
        results = pytree.leaves(run.layer(x, run.state, lengths=run.lengths))
    total = sum(((r**2).sum() for r in results), start=tg.tensor(0.0))
    if total.requires_grad:
        total.backward()
    given = {**dict(run.layer.named_parameters()), "x": x}
    zeros = {name: np.zeros(leaf.shape) for name, leaf in given.items()}
    found = {name: leaf.grad.numpy() for name, leaf in given.items() if leaf.grad is not None}
    return [r.detach().numpy() for r in results], zeros | found


def same(found: Found, expected: Found) -> None:
    for theirs, ours in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(np.asarray(theirs), ours, 1e-9, 1e-9)
    for name, theirs in found[1].items():
        ours = expected[1][name]
        theirs = np.zeros(ours.shape) if theirs is None else np.asarray(theirs)
        largest = max(1.0, float(np.abs(ours).max(initial=0.0)))
        np.testing.assert_allclose(theirs, ours, 1e-8, 1e-9 * largest, err_msg=name)


def share(per_cent: int) -> settings:
    """Of the examples that a property is tried on: a library takes its time for each."""
    return settings(max_examples=max(1, settings().max_examples * per_cent // 100))


@share(60)
@given(runs())
def test_a_random_cell_in_torch(run: Run) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    x = torch.tensor(run.x, requires_grad=True)
    state = pytree.map(torch.tensor, run.state)
    lengths = None if run.lengths is None else torch.tensor(run.lengths)
    drawn = lambda shape, dtype, device: torch.tensor(pattern(shape), dtype=dtype)
    with mock.patch.object(torch, "rand", drawn):
        module = export.to_torch(run.layer)
        results = pytree.leaves(module(x, state, lengths=lengths))
    total = sum((r**2).sum() for r in results)
    if total.requires_grad:
        total.backward()
    gradients = {name: p.grad for name, p in module.named_parameters()} | {"x": x.grad}
    same(([r.detach() for r in results], gradients), here(run))


@share(10)
@given(runs())
def test_a_random_cell_in_jax(run: Run) -> None:
    jax = pytest.importorskip("jax", reason="needs jax")
    enable_x64 = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    apply, _ = export.to_jax(run.layer, training=True)
    lengths = {} if run.lengths is None else {"lengths": run.lengths}

    def loss(parameters: Any, x: Any) -> Any:
        results = pytree.leaves(
            apply(parameters, x, run.state, rng_key=jax.random.key(0), **lengths)
        )
        return sum((r**2).sum() for r in results), results

    drawn = lambda key, shape, dtype: jax.numpy.asarray(pattern(shape), dtype)
    with enable_x64(True), jax.disable_jit(), mock.patch.object(jax.random, "uniform", drawn):
        parameters = run.layer.state_dict()
        of_both = jax.value_and_grad(loss, (0, 1), has_aux=True)
        (_, results), (by_parameters, by_x) = of_both(parameters, run.x)
    same((results, by_parameters | {"x": by_x}), here(run))


@share(20)
@given(runs())
def test_a_random_cell_in_onnx(tmp_path_factory: Any, run: Run) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    path = tmp_path_factory.mktemp("onnx") / "cell.onnx"
    lengths = {} if run.lengths is None else {"lengths": run.lengths}
    row = np.linspace(0.05, 0.95, WIDTH)
    drawn = lambda g, x, generator: g.add("Add", ops["zeros_like"](g, x), g.constant(row))
    with mock.patch.dict(ops, rand_like=drawn):
        names = export.to_onnx(run.layer, path, run.x, state=run.state, **lengths)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = [run.x, *pytree.leaves(run.state), *lengths.values()]
    assert len(names) == len(inputs)
    expected, _ = here(run)
    kept = {x.name for x in session.get_inputs()}
    given = {name: x for name, x in zip(names, inputs) if name in kept}
    same((session.run(None, given), {}), (expected, {}))
