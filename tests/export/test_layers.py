"""Layers and whole models: states, lengths, further inputs, training there and coming back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import export, nn, pytree

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")

LENGTHS = np.array([5, 0, 2])
MORE = np.array([10, 7, 1, 0, 3, 9])


class Tagger(nn.Module):
    """Words in, a distribution out: what most models are made of."""

    def __init__(self) -> None:
        self.embedding = nn.Embedding(10, 6)
        self.lstm = nn.LSTM(6, 5, num_layers=2, bidirectional=True, dropout=0.5)
        self.norm = nn.LayerNorm(10)
        self.dropout = nn.Dropout(0.5)
        self.out = nn.Linear(10, 3)

    def forward(self, words: Any, lengths: Any = None) -> Any:
        hidden, _ = self.lstm(self.embedding(words), lengths=lengths)
        positions = tg.arange(len(words)).astype("float32")[:, None, None]
        hidden = self.norm(hidden + 0.1 * positions / len(words))
        return tg.log_softmax(self.out(self.dropout(hidden)).mean(0), axis=-1)


class TwoClocks(nn.Cell):
    """A cell with a further input of each step, and a constant."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.x, self.memory = nn.Linear(input_size, hidden_size), nn.Linear(2, hidden_size)

    def step(self, x: Any, h: Any, *, dt: Any, context: Any) -> Any:
        new = h + dt[:, None] * (tg.tanh(self.x(x) + self.memory(context)) - h)
        return (new, new[:, :1]), new

    @property
    def output_size(self) -> int:
        return self.hidden_size


def projected(input_size: int) -> Any:
    return tg.cells.ProjectedLSTMCell(input_size, 6, projection_size=3)


LAYERS = {
    "lstm": lambda: nn.LSTM(4, 3, num_layers=2, bidirectional=True),
    "gru": lambda: nn.GRU(4, 3, bidirectional=True, batch_first=True),
    "rnn": lambda: nn.RNN(4, 3, nonlinearity="relu", bias=False),
    "backwards": lambda: nn.Recurrent(nn.LSTMCell(4, 3), reverse=True),
    "projected": lambda: nn.Recurrent(projected(4), 2, bidirectional=True),
    "cells": lambda: nn.Recurrent(tg.cells.PeepholeLSTMCell(4, 3), 2, bidirectional=True),
}


def given(name: str, layer: Any) -> tuple[Any, Any]:
    """x for three sequences of five steps, and a state."""
    tg.manual_seed(0)
    x = tg.randn(5, 3, 4)
    _, state = layer(x.swapaxes(0, 1) if name == "gru" else x)
    state = pytree.map(lambda leaf: leaf.detach(), state)
    return (x.swapaxes(0, 1) if name == "gru" else x), state


def same(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    pairs = zip(pytree.leaves(found), pytree.leaves(expected), strict=True)
    for theirs, ours in pairs:
        theirs = theirs.detach() if hasattr(theirs, "detach") else theirs
        np.testing.assert_allclose(np.asarray(theirs), ours.detach().numpy(), 0, tolerance)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_in_torch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    layer = LAYERS[name]()
    x, state = given(name, layer)
    module = export.to_torch(layer)
    own = isinstance(module, torch.nn.RNNBase)
    assert own is (name in ("lstm", "gru", "rnn", "projected"))
    theirs = pytree.map(lambda leaf: torch.tensor(leaf.numpy()), state)
    if name == "projected":  # PyTorch stacks the states of all layers and directions
        outputs, (h, c) = module(torch.tensor(x.numpy()), tuple(map(torch.stack, zip(*theirs))))
        same((outputs, list(zip(h, c))), layer(x, state))
        return
    same(module(torch.tensor(x.numpy()), theirs), layer(x, state))
    if not own:
        found = module(torch.tensor(x.numpy()), theirs, lengths=torch.tensor(LENGTHS))
        same(found, layer(x, state, lengths=LENGTHS))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_in_onnx_at_other_sizes(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    layer, path = LAYERS[name](), tmp_path / "layer.onnx"
    x, state = given(name, layer)
    names = export.to_onnx(layer, path, x, state=state, lengths=True)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(x: Any, state: Any, lengths: Any) -> None:
        leaves = [leaf.numpy() for leaf in (x, *pytree.leaves(state))]
        found = session.run(None, dict(zip(names, (*leaves, lengths), strict=True)))
        same(found, layer(x, state, lengths=lengths))

    run(x, state, LENGTHS)
    time = 1 if name == "gru" else 0
    longer = tg.concatenate([x, x], axis=time)
    run(tg.concatenate([longer, longer], axis=1 - time), _twice(state, layer), MORE)


def _twice(state: Any, layer: Any) -> Any:
    axis = 1 if isinstance(layer, nn.LSTM | nn.GRU | nn.RNN) else 0
    return pytree.map(lambda leaf: tg.concatenate([leaf, leaf], axis=axis), state)


def test_float64_leaves_through_a_scan(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    layer, path = nn.LSTM(4, 3).astype("float64"), tmp_path / "layer.onnx"
    export.to_onnx(layer, path)
    assert "Scan" in {node.op_type for node in onnx.load(path).graph.node}
    x = np.random.default_rng(0).normal(size=(6, 2, 4))
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    same(session.run(None, {"x": x}), layer(x), 1e-14)


def test_a_layer_in_jax_jitted_and_mapped() -> None:
    jax = pytest.importorskip("jax", reason="needs jax")
    layer = nn.GRU(4, 3)
    x, state = given("", layer)
    apply, parameters = export.to_jax(layer)
    run = jax.jit(lambda x, h: apply(parameters, x, h, lengths=LENGTHS))
    same(run(x.numpy(), state.numpy()), layer(x, state, lengths=LENGTHS))
    both = jax.vmap(lambda x: apply(parameters, x)[0])(np.stack([x.numpy(), 2 * x.numpy()]))
    same(both[1], layer(2 * x)[0])
    layer.load_state_dict({name: 2 * np.asarray(w) for name, w in parameters.items()})


def test_a_cell_with_further_inputs_leaves() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    layer = nn.Recurrent(TwoClocks(4, 3))
    x, dt, context = tg.randn(5, 3, 4), tg.rand(5, 3), tg.randn(3, 2)
    expected = layer(x, dt=dt, constants={"context": context})
    module = export.to_torch(layer)
    found = module(
        torch.tensor(x.numpy()),
        dt=torch.tensor(dt.numpy()),
        constants={"context": torch.tensor(context.numpy())},
    )
    same(found, expected)


def test_a_projected_lstm_inside_a_model() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")

    class Model(nn.Module):
        def __init__(self) -> None:
            self.rnn = nn.Recurrent(projected(4), 2, bidirectional=True)

        def forward(self, x: Any, state: Any, lengths: Any) -> Any:
            return self.rnn(x, state, lengths)

    model = Model()
    x, state = given("", model.rnn)
    module = export.to_torch(model, axes=["time batch _", *["batch _"] * 8, "batch"])
    assert isinstance(module.rnn, torch.nn.LSTM) and module.rnn.proj_size == 3
    theirs = pytree.map(lambda leaf: torch.tensor(leaf.numpy()), state)
    found = module(torch.tensor(x.numpy()), theirs, torch.tensor(LENGTHS))
    same(found, model(x, state, tg.tensor(LENGTHS)))


def test_a_model_trained_in_torch_comes_back_through_a_file(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    model, path = Tagger().eval(), tmp_path / "trained.pt"
    words = np.arange(15).reshape(5, 3) % 10
    module = export.to_torch(model)
    assert isinstance(module.lstm, torch.nn.LSTM) and isinstance(module.dropout, torch.nn.Dropout)
    assert module.state_dict().keys() == model.state_dict().keys()
    tokens, lengths = torch.tensor(words), torch.tensor(LENGTHS)
    same(module(tokens, lengths), model(words, tg.tensor(LENGTHS)))
    module.train()
    assert (module(tokens) != module(tokens)).any()  # its dropout drops
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    module(tokens, lengths=lengths)[:, 0].sum().backward()
    optimizer.step()
    torch.save(module.eval().state_dict(), path)
    before = model(words, tg.tensor(LENGTHS)).detach().numpy()
    state = torch.load(path, weights_only=True)
    model.load_state_dict(export.from_torch(state))
    trained = model(words, tg.tensor(LENGTHS))
    assert abs(trained.detach().numpy() - before).max() > 1e-3
    same(module(tokens, lengths), trained)
    tg.save(model.state_dict(), tmp_path / "ours.safetensors")
    again = Tagger().eval()
    again.load_state_dict(tg.load(tmp_path / "ours.safetensors"))
    same(export.to_torch(again)(tokens, lengths), model(words, tg.tensor(LENGTHS)))


def test_a_model_in_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    model, path = Tagger(), tmp_path / "model.onnx"
    words = np.arange(15).reshape(5, 3) % 10
    names = export.to_onnx(model, path, words, LENGTHS)
    assert names == ["words", "lengths"] and model.training and model.lstm.training
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    longer = np.arange(24).reshape(12, 2) % 10
    for tokens, lengths in ((words, LENGTHS), (longer, np.array([11, 12]))):
        found = session.run(None, {"words": tokens, "lengths": lengths})
        same(found, model.eval()(tokens, tg.tensor(lengths)))


@pytest.mark.parametrize("option", ["residual", "skip"])
@pytest.mark.parametrize("name", ["lstm", "projected"])
def test_connections_between_layers_leave_too(name: str, option: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    pytest.importorskip("jax", reason="needs jax")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    both, path = {option: True}, tmp_path / "layer.onnx"
    layer = nn.LSTM(4, 3, 2, **both) if name == "lstm" else nn.Recurrent(projected(4), 2, **both)
    x = tg.randn(5, 3, 4)
    expected, _ = layer(x)
    same(export.to_torch(layer)(torch.tensor(x.numpy()))[0], expected)
    if (name, option) != ("lstm", "skip"):
        return
    apply, parameters = export.to_jax(layer)
    same(apply(parameters, x.numpy())[0], expected)
    export.to_onnx(layer, path)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    same(session.run(None, {"x": x.numpy()})[0], expected)
