"""What cannot leave says so, with the line that it stands in."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import export, nn
from tinygrad_rnn.export import extras
from tinygrad_rnn.export.program import program_of
from tinygrad_rnn.export.torch.ops import UFUNCS

X = np.ones((4, 3, 2), "float32")
KNOWN = ("getitem", "matmul", "concatenate", "reshape", "sum", "transpose", "broadcast_to")


def left(model: Any, *inputs: Any, **options: Any) -> Any:
    return program_of(model, inputs or (X,), {}, known=KNOWN, target="the moon", **options)


class Baked(nn.Cell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear = nn.Linear(input_size, hidden_size)

    def forward(self, x: Any, h: Any) -> Any:
        return tg.tanh(self.linear(x) + h) * np.ones((4, 1), "float32")  # a batch of 4


@tg.op
def inverse(x: Any) -> Any:
    return np.linalg.inv(x)


MODELS = {
    "a size is baked into the model": lambda x: x + np.ones((3, 1), "float32"),
    "baked into the model.*: the number of ops": lambda x: sum(x[t] for t in range(len(x))),
    "baked into the model.*: the number": lambda x: x / len(x) ** 0.5,
    "the content of an array": lambda x: x * np.eye(len(x), dtype="float32")[:, :1, None],
    "inverse has no counterpart in the moon": lambda x: inverse(x[0] @ x[0].T),
    "rand_like has no counterpart in the moon": lambda x: x * tg.rand_like(x),
    "truth value is read": lambda x: x if x.sum() > 0 else -x,
}


@pytest.mark.parametrize("message", MODELS)
def test_the_error_names_the_op_or_the_size_and_the_line(message: str) -> None:
    with pytest.raises(export.ExportError, match=message) as caught:
        left(MODELS[message], axes="time batch _")
    assert re.search(r"test_errors\.py:\d+", str(caught.value))


def test_a_batch_that_is_baked_into_a_cell_is_named_with_its_line() -> None:
    with pytest.raises(export.ExportError, match=r"baked into the model, at .*test_errors\.py:\d+"):
        left(nn.Recurrent(Baked(2, 3)))


def test_lengths_must_be_an_input() -> None:
    with pytest.raises(export.ExportError, match="must be an input"):
        left(lambda x: nn.RNN(2, 3)(x, lengths=[1] * x.shape[1])[0], axes="time batch _")


def test_axes_that_do_not_fit() -> None:
    with pytest.raises(export.ExportError, match="one word per axis"):
        left(lambda x: x, axes="time batch")
    torch = pytest.importorskip("torch", reason="needs torch")
    module = export.to_torch(nn.Recurrent(tg.cells.MGUCell(2, 3)))
    module(torch.tensor(X))
    with pytest.raises(export.ExportError, match="axis 2 of input 0 has size 5, expected 2"):
        module(torch.zeros(4, 3, 5))
    with pytest.raises(export.ExportError, match="axis 0 of input 1 has size 7, expected 3"):
        module(torch.zeros(4, 3, 2), lengths=torch.ones(7, dtype=torch.int64))


def test_what_is_not_installed_is_named_with_its_extra() -> None:
    with pytest.raises(ImportError, match=r"needs no_such_module.*extra 'onnx'.*\[onnx\]"):
        extras.imported("no_such_module", "onnx", "ONNX")


def test_a_model_needs_an_example() -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    with pytest.raises(export.ExportError, match="needs example arguments"):
        export.to_onnx(nn.Linear(2, 3), "model.onnx")


def test_from_torch_takes_a_state_dict() -> None:
    pytest.importorskip("torch", reason="needs torch")
    with pytest.raises(TypeError, match="takes a state_dict"):
        export.from_torch([1.0])


def test_recording_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))
    left(model)
    assert all(module.training for module in model.modules())
    assert all("forward" not in vars(module) for module in model.modules())


def test_every_ufunc_has_a_counterpart_or_is_known_to_have_none() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    assert all(hasattr(torch, name) for name in UFUNCS.values())
