"""Every published cell, and some of no paper, as another library computes it: values, gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import cells, export, nn, pytree
from tinygrad_rnn.testing.cell_runs import Subject

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


CELLS = {
    name: found
    for where in (nn, cells)
    for name in where.__all__
    if isinstance(found := getattr(where, name), type)
    and issubclass(found, nn.Cell)
    and found is not nn.Cell
} | {"Averaging": Averaging}


def by_torch(
    layer: Any, x: Any, lengths: Any, weights: list[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The results, and the gradients of their weighted sum by x and the parameters."""
    torch = pytest.importorskip("torch", reason="needs torch")
    module = export.to_torch(layer)
    given = torch.tensor(x, requires_grad=True)
    results = pytree.leaves(module(given, lengths=torch.tensor(lengths)))
    sum((r * torch.tensor(w)).sum() for r, w in zip(results, weights)).backward()
    gradients = {name: p.grad for name, p in module.named_parameters()} | {"x": given.grad}
    return [r.detach() for r in results], gradients


def by_jax(
    layer: Any, x: Any, lengths: Any, weights: list[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The same in JAX; not compiled, for that takes longer than this does."""
    jax = pytest.importorskip("jax", reason="needs jax")
    apply, parameters = export.to_jax(layer)

    def loss(parameters: Any, x: Any) -> Any:
        results = pytree.leaves(apply(parameters, x, lengths=lengths))
        return sum((r * w).sum() for r, w in zip(results, weights)), results

    with jax.disable_jit():
        (_, results), (by_parameters, by_x) = jax.value_and_grad(loss, (0, 1), has_aux=True)(
            parameters, x
        )
    return results, by_parameters | {"x": by_x}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("run", [by_torch, by_jax])
def test_a_cell_leaves_with_its_values_and_its_gradients(
    run: Callable[..., Any], name: str
) -> None:
    subject = Subject(CELLS[name], {})
    layer = nn.Recurrent(subject.network.cell.astype("float32"))
    rng = np.random.default_rng(0)
    x = tg.tensor(subject.x(rng, STEPS, ROWS).astype("float32"), requires_grad=True)
    lengths = np.array([STEPS, STEPS - 1])
    expected = pytree.leaves(layer(x, lengths=lengths))
    weights = [rng.normal(size=r.shape).astype("float32") for r in expected]
    results, gradients = run(layer, x.detach().numpy(), lengths, weights)
    total = sum(((r * w).sum() for r, w in zip(expected, weights)), start=tg.tensor(0.0))
    total.backward()
    for found, own in zip(results, expected, strict=True):
        np.testing.assert_allclose(np.asarray(found), own.detach().numpy(), 1e-5, 1e-5)
    wanted = {**dict(layer.named_parameters()), "x": x}
    for where, own in wanted.items():
        found = gradients[where]
        by_us = np.zeros(own.shape) if own.grad is None else own.grad.numpy()
        found = np.zeros(own.shape) if found is None else np.asarray(found)
        largest = max(1.0, float(np.abs(by_us).max()))
        np.testing.assert_allclose(found, by_us, 1e-4, 2e-5 * largest, err_msg=where)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_leaves_to_onnx_as_one_loop(name: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    subject, path = Subject(CELLS[name], {}), tmp_path / "cell.onnx"
    layer = nn.Recurrent(subject.network.cell.astype("float32"))
    rng = np.random.default_rng(0)
    names = export.to_onnx(layer, path, subject.x(rng, 2, 3).astype("float32"), lengths=True)
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert sum(kinds.count(kind) for kind in ("Scan", "LSTM", "GRU", "RNN")) == 1
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x, lengths = subject.x(rng, 6, 4).astype("float32"), np.array([6, 0, 3, 1])
    found = session.run(None, dict(zip(names, (x, lengths), strict=True)))
    expected = pytree.leaves(layer(x, lengths=lengths))
    for theirs, ours in zip(found, expected, strict=True):
        np.testing.assert_allclose(theirs, ours.detach().numpy(), 1e-5, 1e-5)
