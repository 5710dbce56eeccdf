"""Conv1d and Conv2d beside PyTorch's, and in a cell: a convolutional LSTM (Shi et al. 2015)."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

OPTIONS = [
    (nn.Conv1d, (2, 4, 3), {}, (5, 2, 8)),
    (nn.Conv1d, (2, 4, 2), {"stride": 2, "padding": 1, "bias": False}, (2, 8)),
    (nn.Conv2d, (2, 4, 3), {"padding": "same"}, (5, 2, 6, 7)),
    (nn.Conv2d, (4, 2, (1, 3)), {"groups": 2, "dilation": (1, 2)}, (3, 4, 5, 6)),
]


@pytest.mark.parametrize(("kind", "sizes", "options", "shape"), OPTIONS)
def test_a_layer_is_pytorchs(kind, sizes, options, shape) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layer, theirs = kind(*sizes, **options), getattr(torch.nn, kind.__name__)(*sizes, **options)
    assert {k: v.shape for k, v in layer.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }
    layer.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    expected = theirs(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(layer(x).data, expected, rtol=1e-4, atol=1e-6)


def test_initial_values_are_within_pytorchs_bound() -> None:
    weight = nn.Conv2d(4, 64, 3).weight.data
    assert 0.9 < np.abs(weight).max() * 6 <= 1  # fan_in 36


def test_refusals_name_the_sizes() -> None:
    with pytest.raises(ValueError, match="3 input and 4 output channels cannot be cut into 2"):
        nn.Conv1d(3, 4, 2, groups=2)
    with pytest.raises(ValueError, match=r"kernel_size is one size or 2, at least 1: \(1, 2, 3\)"):
        nn.Conv2d(3, 4, (1, 2, 3))
    layer = nn.Conv2d(3, 4, 3)
    for shape, message in [
        ((3, 5), r"takes \(N, C, H, W\) or \(C, H, W\), got shape \(3, 5\)"),
        ((2, 1, 5, 5), r"takes 3 channels in 1 equal parts, got 1 in \(2, 1, 5, 5\)"),
        ((2, 3, 2, 5), r"a kernel of \(3, 3\) with dilation \(1, 1\) does not fit into \(2, 5\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            layer(tg.zeros(*shape))
    with pytest.raises(ValueError, match="padding='same' needs a stride of 1, got 2"):
        tg.conv1d(tg.zeros(1, 4), tg.zeros(1, 1, 2), stride=2, padding="same")
    with pytest.raises(ValueError, match="padding is a size, 'same' or 'valid', not 'full'"):
        tg.conv1d(tg.zeros(1, 4), tg.zeros(1, 1, 2), padding="full")
    with pytest.raises(ValueError, match=r"stride is one size or 1, at least 1; got 0"):
        tg.conv1d(tg.zeros(1, 4), tg.zeros(1, 1, 2), stride=0)


def test_whole_numbers_and_arrays_are_cast_to_the_dtype_of_the_weights() -> None:
    layer = nn.Conv1d(1, 2, 3)
    for x in (np.ones((1, 5)), tg.tensor([[1, 2, 3, 4, 5]])):
        assert layer(x).dtype == np.float32
    with pytest.raises(TypeError, match="x is a float64 Tensor, the weights are float32"):
        layer(tg.tensor(np.ones((1, 5))))


class ConvLSTMCell(nn.Cell):
    def __init__(self, input_size=1, hidden_size=2, size=4):
        self.input_size, self.hidden_size, self.size = input_size, hidden_size, size
        self.of_x = nn.Conv2d(input_size, 4 * hidden_size, 3, padding="same")
        self.of_h = nn.Conv2d(hidden_size, 4 * hidden_size, 3, padding="same", bias=False)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size, self.size, self.size)
        return zeros, zeros

    def forward(self, x, state):
        h, c = state
        i, f, g, o = tg.split(self.of_x(x) + self.of_h(h), 4, axis=-3)
        c = tg.sigmoid(f) * c + tg.sigmoid(i) * tg.tanh(g)
        return tg.sigmoid(o) * tg.tanh(c), c


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
def test_a_convolutional_lstm_runs_as_a_scan(executor) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="llvmlite is not installed")
    x = np.random.default_rng(0).normal(size=(3, 2, 1, 4, 4))
    found = []
    before = tg.get_executor()
    try:
        tg.set_executor(executor)
        for unroll in (True, False):  # a scan that could not be compiled would warn: an error
            tg.manual_seed(0)
            layer = nn.Recurrent(ConvLSTMCell(), unroll=unroll).astype("float64")
            images = tg.tensor(x, requires_grad=True)
            outputs, _ = layer(images)
            (outputs * outputs).sum().backward()
            found.append([outputs, images.grad, *(p.grad for p in layer.parameters())])
    finally:
        tg.set_executor(before)
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one.detach().data, other.detach().data, 1e-11, 1e-14)
