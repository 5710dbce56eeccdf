"""Mistakes of a cell's author, as a user makes them, and the help that each gets.

Every error says which method of which cell it was, in which line of the user's file and at which
step, what was expected, and how to write it.
"""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Right(nn.Cell):
    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear = nn.Linear(input_size + hidden_size, hidden_size)

    def new(self, x, h):
        return tg.tanh(self.linear(tg.concatenate([x, h], axis=-1)))

    def forward(self, x, h):
        return self.new(x, h)


class ForgottenParameter(Right):
    def forward(self, x, h):
        return self.new(x, h) + self.shift  # here


class ParameterInForward(Right):
    def forward(self, x, h):
        shift = nn.Parameter(np.zeros(self.hidden_size))  # here
        return self.new(x, h) + shift


class LayerInForward(Right):
    def forward(self, x, h):
        return tg.tanh(nn.Linear(self.input_size, self.hidden_size)(x))  # here


class NoReturn(Right):
    def forward(self, x, h):  # here
        self.new(x, h)


class ReturnsArray(Right):
    def forward(self, x, h):  # here
        return np.tanh(self.new(x, h).data)


class ReturnsNumber(Right):
    def forward(self, x, h):  # here
        return 0.5


class AnotherStructure(Right):
    def forward(self, x, h):  # here
        return self.new(x, h), h


class AnotherShape(Right):
    def forward(self, x, h):  # here
        return self.new(x, h)[:, :2]


class AnotherDtype(Right):
    def forward(self, x, h):  # here
        return self.new(x, h) * np.linspace(0, 1, self.hidden_size)


class NumpyWithoutRule(Right):
    def forward(self, x, h):
        return np.nancumsum(self.new(x, h), axis=-1)  # here


class FunctionOfNumbers(Right):
    def forward(self, x, h):
        return math.tanh(self.new(x, h))  # here


class WritesIntoTheState(Right):
    def forward(self, x, h):
        new = self.new(x, h)
        new[:, 0] = 0.0  # here
        return new


class NumpyOut(Right):
    def forward(self, x, h):
        return np.tanh(self.new(x, h), out=h)  # here


class InPlaceMethod(Right):
    def forward(self, x, h):
        return self.linear(tg.concatenate([x, h], axis=-1)).tanh_()  # here


class OutputAlone(Right):
    def step(self, x, h):  # here
        return self.new(x, h)


class OutputIsArray(Right):
    def step(self, x, h):  # here
        new = self.new(x, h)
        return new.data, new


class WrongSizes(Right):
    def forward(self, x, h):
        return tg.tanh(self.linear(x))  # here


class WrongOrder(Right):
    def forward(self, h, x):
        return self.new(x, h) + h  # here


MISTAKES = {
    ForgottenParameter: (AttributeError, r"no attribute 'shift'.*self\.shift = nn\.Parameter"),
    ParameterInForward: (RuntimeError, r"Parameter is made in a step.*the cell's __init__: self"),
    LayerInForward: (RuntimeError, r"Parameter is made in a step.*or the Module that holds it"),
    NoReturn: (ValueError, r"like the one it got: float32\[2, 4\]; it returned None \(is there a"),
    ReturnsArray: (TypeError, r"must be made of Tensors.*an ndarray.*compute it with ops \(tg\.ta"),
    ReturnsNumber: (TypeError, r"must be made of Tensors.*a leaf is float: compute it with ops"),
    AnotherStructure: (ValueError, r"got: float32\[2, 4\]; it returned \(float32\[2, 4\], float32"),
    AnotherShape: (ValueError, r"got: float32\[2, 4\]; it returned float32\[2, 2\]"),
    AnotherDtype: (TypeError, r"dtypes that it got, float32\[2, 4\]; it returned float64.*astype"),
    NumpyWithoutRule: (TypeError, r"np\.nancumsum has no differentiable rule.*as an op"),
    FunctionOfNumbers: (ValueError, r"one element, this has shape \(2, 4\).*tg\.tanh"),
    WritesIntoTheState: (RuntimeError, r"assigning into a tensor.*tg\.index_update"),
    NumpyOut: (TypeError, r"np\.tanh\(\.\.\., out=\.\.\.\).*assign the result instead"),
    InPlaceMethod: (AttributeError, r"no attribute 'tanh_'.*t = t \+ u"),
    OutputAlone: (TypeError, r"must return a pair \(output, next_state\); it returned float32\[2"),
    OutputIsArray: (TypeError, r"the output that OutputIsArray\.step returns must be made of Tens"),
    WrongSizes: (ValueError, r"Linear expects 7 features, got 3: x has shape \(2, 3\)"),
    WrongOrder: (ValueError, r"add\(float32\[2, 4\], float32\[2, 3\]\)"),
}


def line_of(kind) -> int:
    lines, first = inspect.getsourcelines(kind)
    return first + next(k for k, line in enumerate(lines) if "# here" in line)


@pytest.mark.filterwarnings("ignore:.* runs step by step")
@pytest.mark.parametrize("kind", MISTAKES)
def test_an_error_says_the_cell_the_line_the_step_and_what_to_write(kind) -> None:
    error, says = MISTAKES[kind]
    layer = nn.Recurrent(kind(3, 4))
    with pytest.raises(error, match=says) as caught:
        layer(tg.randn(3, 2, 3))
    [note] = caught.value.__notes__
    method = "step" if "step" in vars(kind) else "forward"
    where = f"where: {kind.__name__}.{method}, {__file__}:{line_of(kind)}, in Recurrent, step "
    assert note.startswith(where) and re.fullmatch(r"\d+", note.removeprefix(where))


def test_an_error_in_a_cell_inside_a_cell_is_placed_once() -> None:
    cell = tg.cells.wrappers.Zoneout(ForgottenParameter(3, 4), 0.1)
    with pytest.raises(AttributeError) as caught:
        nn.Recurrent(cell)(tg.zeros(3, 2, 3))
    [note] = caught.value.__notes__
    assert f"ForgottenParameter.forward, {__file__}:{line_of(ForgottenParameter)}" in note


class StartsAsArray(Right):
    def initial_state(self, batch_size):
        return np.zeros((batch_size, 4), "f4")


class StartsWithoutBatch(Right):
    def initial_state(self, batch_size):
        return self.zeros(4)


class NoSize(nn.Cell):
    def forward(self, x, h):
        return h


@pytest.mark.parametrize(
    ("cell", "error", "says"),
    [
        (StartsAsArray(3, 4), TypeError, r"StartsAsArray\.initial_state\(2\).*self\.zeros\(batch"),
        (
            StartsWithoutBatch(3, 4),
            ValueError,
            r"must begin with the axis of the batch, \(2, \.\.\.",
        ),
        (NoSize(), NotImplementedError, "needs an attribute hidden_size or a method initial_state"),
    ],
)
@pytest.mark.parametrize("layer", [True, False])
def test_a_wrong_first_state_is_named(cell, error, says, layer) -> None:
    x = tg.zeros(2, 3)
    with pytest.raises(error, match=says):
        nn.Recurrent(cell)(x[None]) if layer else cell(x)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Right, r"the class Right; pass an instance, Recurrent\(Right\(\.\.\.\)\)"),
        (nn.Linear, r"the class Linear\. A cell is"),
        (nn.Linear(3, 4), "the module Linear, which is not a cell"),
        (nn.LSTM(3, 4), "the layer LSTM, which runs its own cells: call it directly"),
        ([nn.LSTMCell(3, 4), nn.LSTM(4, 4)], "the layer LSTM"),
        ("lstm", "got 'lstm'"),
        (["lstm", "gru"], "got 'lstm'"),
        (None, "got None"),
    ],
)
def test_what_is_no_cell_is_named(given, says) -> None:
    with pytest.raises(TypeError, match=f"^Recurrent runs a cell, .*{says}"):
        nn.Recurrent(given)


def test_a_cell_with_a_length_is_one_cell() -> None:
    class Sized(nn.RNNCell):
        def __len__(self):
            return 2

        def __iter__(self):
            return iter("no cells")

        def __contains__(self, x):
            return False

    outputs, _ = nn.Recurrent(Sized(3, 4))(tg.zeros(5, 2, 3))
    assert outputs.shape == (5, 2, 4)


def test_a_weight_that_nobody_would_train_is_said() -> None:
    class NoParameter(Right):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.weight = tg.randn(4, 4, requires_grad=True)
            self.more = [tg.randn(4, requires_grad=True)]
            self.fixed = tg.ones(4)

    with pytest.warns(UserWarning, match=r"no Parameters: self\.weight, self\.more\[0\]\. No opt"):
        nn.Recurrent(NoParameter(3, 4))


def test_a_function_of_pytorch_is_answered() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"torch\.tanh computes with PyTorch's.*write tg\.tanh"):
        torch.tanh(tg.ones(2))
