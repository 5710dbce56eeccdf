"""Every published cell, and some of no paper, as another library computes it: values, gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import settings

import tinygrad_rnn as tg
from tinygrad_rnn import export, nn, pytree
from tinygrad_rnn.testing.cells.runs import Subject

STEPS, ROWS = 3, 2


class Averaging(nn.Cell):
    """An op that is composed, a branch without a gradient, an index and a product of its own."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.mix = nn.Linear(input_size, hidden_size)
        self.scale = nn.Parameter(np.linspace(0.5, 1.5, hidden_size))

    def initial_state(self, batch_size: int) -> dict[str, Any]:
        return {"h": self.zeros(batch_size, self.hidden_size), "age": self.zeros(batch_size)}

    def forward(self, x: Any, state: dict[str, Any]) -> dict[str, Any]:
        h, age = state["h"], state["age"]
        z = tg.stack([self.mix(x), h, tg.flip(h, axis=-1)], axis=1)
        weights = tg.softmax(tg.einsum("bkh,h->bk", z, self.scale), axis=-1)
        mixed = tg.leaky_relu((weights[:, :, None] * z).sum(1)) - 0.1 * h.detach()
        mixed = tg.index_update(mixed, (slice(None), 0), age / len(age))
        with tg.no_grad():
            largest = tg.max(tg.abs(mixed), axis=-1, keepdims=True)
        return {"h": mixed / (1 + largest), "age": tg.where(age > 1, age, age + x[:, 0] ** 2)}


CELLS = {**tg.cells.discover(), "averaging": Averaging}
SHAPES = {"convlstm": (2, 8, 8)}  # of the x of cells that take images


class Case(NamedTuple):
    """A layer of one cell, x (T, B, ...), and the further inputs of its steps."""

    layer: nn.Recurrent
    x: Any
    further: dict[str, Any]


def case(name: str, steps: int, rows: int, seed: int = 0) -> Case:
    subject = Subject(CELLS[name], {}, input_shape=SHAPES.get(name))
    cell = subject.network.cell.astype("float32")
    rng = np.random.default_rng(seed)
    x = subject.x(rng, steps, rows).astype("float32")
    kinds = {
        "dt": lambda: rng.uniform(0.5, 1.5, (steps, rows, 1)),
        "mask": lambda: rng.random(x.shape) < 0.5,
    }
    further = {key: kinds[key]().astype("float32") for key in cell.step_inputs()}
    return Case(nn.Recurrent(cell), x, further)


def by_torch(
    case: Case, lengths: Any, weights: list[Any], thorough: bool
) -> tuple[list[Any], dict[str, Any]]:
    """The results, and the gradients of their weighted sum by x and the parameters."""
    torch = pytest.importorskip("torch", reason="needs torch")
    module = export.to_torch(case.layer)
    given = torch.tensor(case.x, requires_grad=True)
    further = {name: torch.tensor(x) for name, x in case.further.items()}
    results = pytree.leaves(module(given, lengths=torch.tensor(lengths), **further))
    sum((r * torch.tensor(w)).sum() for r, w in zip(results, weights)).backward()
    gradients = {name: p.grad for name, p in module.named_parameters()} | {"x": given.grad}
    return [r.detach() for r in results], gradients


def by_jax(
    case: Case, lengths: Any, weights: list[Any], thorough: bool
) -> tuple[list[Any], dict[str, Any]]:
    """The same in JAX; not compiled, for that takes longer than this does. Gradients take most of
    the time: of all cells only where tests are thorough."""
    jax = pytest.importorskip("jax", reason="needs jax")
    apply, parameters = export.to_jax(case.layer)

    def loss(parameters: Any, x: Any) -> Any:
        results = pytree.leaves(apply(parameters, x, lengths=lengths, **case.further))
        return sum((r * w).sum() for r, w in zip(results, weights)), results

    with jax.disable_jit():
        if not thorough:
            return loss(parameters, case.x)[1], {}
        (_, results), (by_parameters, by_x) = jax.value_and_grad(loss, (0, 1), has_aux=True)(
            parameters, case.x
        )
    return results, by_parameters | {"x": by_x}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(
    "run", [by_torch, pytest.param(by_jax, marks=pytest.mark.one_in(6, "cell in JAX"))]
)
def test_a_cell_leaves_with_its_values_and_its_gradients(
    run: Callable[..., Any], name: str
) -> None:
    made = case(name, STEPS, ROWS)
    layer, rng = made.layer, np.random.default_rng(1)
    x = tg.tensor(made.x, requires_grad=True)
    lengths = np.array([STEPS, STEPS - 1])
    expected = pytree.leaves(layer(x, lengths=lengths, **made.further))
    weights = [rng.normal(size=r.shape).astype("float32") for r in expected]
    thorough = settings().max_examples > 100 or list(CELLS).index(name) % 6 == 0
    results, gradients = run(made, lengths, weights, thorough)
    total = sum(((r * w).sum() for r, w in zip(expected, weights)), start=tg.tensor(0.0))
    total.backward()
    assert not gradients or gradients.keys() == {*dict(layer.named_parameters()), "x"}
    for found, own in zip(results, expected, strict=True):
        np.testing.assert_allclose(np.asarray(found), own.detach().numpy(), 1e-5, 1e-5)
    wanted = {**dict(layer.named_parameters()), "x": x}
    for where in gradients:
        own, found = wanted[where], gradients[where]
        by_us = np.zeros(own.shape) if own.grad is None else own.grad.numpy()
        found = np.zeros(own.shape) if found is None else np.asarray(found)
        largest = max(1.0, float(np.abs(by_us).max()))
        np.testing.assert_allclose(found, by_us, 1e-4, 2e-5 * largest, err_msg=where)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_leaves_to_onnx_as_one_loop(name: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    path, small, made = tmp_path / "cell.onnx", case(name, 2, 3), case(name, 6, 4)
    export.to_onnx(small.layer, path, small.x, lengths=True, **small.further)
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert sum(kinds.count(kind) for kind in ("Scan", "LSTM", "GRU", "RNN")) == 1
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    lengths = np.array([6, 0, 3, 1])
    found = session.run(None, {"x": made.x, "lengths": lengths, **made.further})
    expected = pytree.leaves(small.layer(made.x, lengths=lengths, **made.further))
    for theirs, ours in zip(found, expected, strict=True):
        np.testing.assert_allclose(theirs, ours.detach().numpy(), 1e-5, 1e-5)
