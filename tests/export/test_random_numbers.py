"""Random numbers in training mode: drawn there as they are here, and truncation, which is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import export, nn, pytree
from tinygrad_rnn.cells import wrappers

X = np.random.default_rng(0).normal(size=(6, 3, 2)).astype("float32")
LENGTHS = np.array([6, 2, 5])


def zoned() -> nn.Recurrent:
    return nn.Recurrent(wrappers.Zoneout(nn.LSTMCell(2, 3), 0.4))


class Noisy(nn.Module):
    """Dropout between layers, on what is read out, and a number for each element of x."""

    def __init__(self) -> None:
        self.rnn = nn.Recurrent(tg.cells.MGUCell(2, 3), num_layers=2, dropout=0.5)
        self.dropout = nn.Dropout(0.5, generator=np.random.default_rng(3))

    def forward(self, x: Any) -> Any:
        return self.dropout(self.rnn(x + 0.1 * tg.randn_like(x))[0])


def test_zoneout_in_torch_draws_each_number_where_it_is_drawn_here() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    layer, rng = zoned(), np.random.default_rng(5)
    draw = lambda shape, dtype, device: torch.tensor(rng.random(tuple(shape), np.float32))
    with mock.patch.object(torch, "rand", draw):
        module = export.to_torch(layer)
        found = pytree.leaves(module(torch.tensor(X)))
    tg.manual_seed(5)
    layer.unroll = True
    for theirs, ours in zip(found, pytree.leaves(layer(X)), strict=True):
        np.testing.assert_allclose(theirs.detach(), ours.detach().numpy(), 1e-5, 1e-6)


def test_a_module_in_torch_has_its_two_modes() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    layer = zoned()
    module, x = export.to_torch(layer), torch.tensor(X)
    torch.manual_seed(0)
    once, again = module(x)[0], module(x)[0]
    torch.manual_seed(0)
    assert (once != again).any() and (once == module(x)[0]).all()
    module.eval()
    expected = layer.eval()(X)[0].detach().numpy()
    np.testing.assert_allclose(module(x)[0].detach(), expected, 1e-5, 1e-6)


def test_jax_draws_from_the_key_that_it_is_given() -> None:
    jax = pytest.importorskip("jax", reason="needs jax")
    step = lambda s, x: (s, tg.rand_like(x))
    model = lambda x: (tg.scan(step, x[0], x)[1], tg.rand_like(x), tg.scan(step, x[0], x)[1])
    apply, _ = export.to_jax(model, axes="time batch _")
    run = jax.jit(lambda key: pytree.leaves(apply({}, X, rng_key=key)))
    found = np.stack(run(jax.random.key(0)))
    assert len(np.unique(found)) == found.size  # no step and no op draws what another has drawn
    assert (found == np.stack(run(jax.random.key(0)))).all()
    assert (found != np.stack(run(jax.random.key(1)))).all()


def test_dropout_in_jax_keeps_the_mean_and_its_gradient_the_mask() -> None:
    jax = pytest.importorskip("jax", reason="needs jax")
    model = lambda x: nn.functional.dropout(x, 0.25)
    apply, _ = export.to_jax(model, axes="_ _")
    x, key = np.full((50, 40), 2.0, "float32"), jax.random.key(0)
    found = np.asarray(apply({}, x, rng_key=key))
    assert set(np.unique(found.round(5))) == {np.float32(0), np.float32(2 / 0.75).round(5)}
    assert abs((found == 0).mean() - 0.25) < 0.04
    by_x = jax.grad(lambda x: apply({}, x, rng_key=key).sum())(x)
    np.testing.assert_allclose(by_x, found / 2, 1e-6)


def test_a_key_is_asked_for_with_the_op_and_the_line() -> None:
    pytest.importorskip("jax", reason="needs jax")
    apply, parameters = export.to_jax(Noisy(), training=True)
    with pytest.raises(export.ExportError, match=r"randn_like, at .*test_random_num.*rng_key=jax"):
        apply(parameters, X)
    apply, parameters = export.to_jax(zoned())  # in evaluation it draws nothing
    apply(parameters, X)


def test_a_runtime_of_onnx_draws_anew_at_each_step_and_run(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    path = tmp_path / "noise.onnx"
    step = lambda s, x: (s, (tg.rand_like(x), tg.randn_like(x)))
    export.to_onnx(lambda x: tg.scan(step, x[0], x)[1], path, X, axes="time batch _")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    x = np.zeros((40, 25, 2), "float32")
    (uniform, normal), (again, _) = (session.run(None, {"x": x}) for _ in range(2))
    assert len(np.unique([uniform, again])) > 0.99 * 2 * x.size
    assert uniform.min() >= 0 and uniform.max() <= 1 and abs(uniform.mean() - 0.5) < 0.03
    assert abs(normal.mean()) < 0.1 and abs(normal.std() - 1) < 0.05


def test_recording_draws_none_of_the_users_numbers() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    model = Noisy()
    before = tg.generator().bit_generator.state, model.dropout.generator.bit_generator.state
    export.to_torch(model)(torch.tensor(X))
    assert before == (
        tg.generator().bit_generator.state,
        model.dropout.generator.bit_generator.state,
    )
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_truncation_cuts_the_gradient_there_as_it_does_here(reverse: bool, lengths: Any) -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    layer = nn.Recurrent(nn.GRUCell(2, 3), reverse=reverse, truncate=2)
    x, theirs = tg.tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    layer(x, lengths=lengths)[1][0].sum().backward()
    module = export.to_torch(layer)
    given = {} if lengths is None else {"lengths": torch.tensor(lengths)}
    module(theirs, **given)[1][0].sum().backward()
    ours = x.grad.numpy()
    np.testing.assert_allclose(theirs.grad, ours, 1e-5, 1e-7)
    assert (ours == 0).any() and (ours != 0).any()
    for name, parameter in module.named_parameters():
        own = dict(layer.named_parameters())[name].grad.numpy()
        np.testing.assert_allclose(parameter.grad, own, 1e-5, 1e-6)


def test_a_layer_that_truncates_is_none_of_those_that_torch_has() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    assert not isinstance(export.to_torch(nn.LSTM(2, 3, truncate=2)), torch.nn.LSTM)


def test_a_truncated_layer_in_onnx_is_onnxs_own(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs onnx")
    export.to_onnx(nn.LSTM(2, 3, truncate=2), tmp_path / "lstm.onnx")
    assert "LSTM" in {node.op_type for node in onnx.load(tmp_path / "lstm.onnx").graph.node}
