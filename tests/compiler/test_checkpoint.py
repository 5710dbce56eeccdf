"""Checkpoints: the same bits from less memory; and the chunks that runs are made of."""

from __future__ import annotations

import copy
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree
from tinygrad_rnn.compiler.runtime import chunks

I, H = 3, 4


class Noisy(nn.Cell):
    """Draws twice in each step, once for what the state depends on."""

    def __init__(self, input_size: int = I, hidden_size: int = H) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear = nn.Linear(input_size + hidden_size, hidden_size)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x, h):
        x = x * (1 + 0.1 * tg.rand_like(x))
        return 0.5 * h + tg.tanh(self.linear(tg.concatenate([self.dropout(x), h], axis=-1)))


class MinGRU(nn.Cell):
    def __init__(self, input_size: int = I, hidden_size: int = H) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.gates = nn.Linear(input_size, 2 * hidden_size)

    def forward(self, x, h):
        z, n = tg.split(self.gates(x), 2, axis=-1)
        return h + tg.sigmoid(z) * (n - h)


CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell, Noisy, MinGRU]


@pytest.fixture
def small_pieces(monkeypatch):
    """Runs of a few steps have several chunks, as those of many steps have."""
    monkeypatch.setattr(chunks, "ROWS", 6)
    monkeypatch.setattr(chunks, "ELEMENTS", 1)


def results(layer, x, lengths=None):
    layer.zero_grad()
    tg.manual_seed(7)
    x = tg.tensor(x, requires_grad=True)
    outputs, final = layer(x, lengths=lengths)
    found = [outputs, *pytree.leaves(final)]
    sum((r * np.cos(np.arange(r.size)).reshape(r.shape)).sum() for r in found).backward()
    arrays = [r.detach().data for r in found] + [x.grad.data]
    return arrays + [p.grad.data for p in layer.parameters()] + [tg.rand(2).data]


@settings(max_examples=settings().max_examples * 60 // 100)
@given(
    st.sampled_from(CELLS),
    st.integers(1, 40),
    st.integers(1, 3),
    st.one_of(st.integers(1, 50), st.just("sqrt")),
    st.booleans(),
    st.booleans(),
    st.integers(1, 12),
)
def test_every_bit_is_the_same(cell, steps, batch, checkpoint, reverse, padded, rows) -> None:
    rng = np.random.default_rng(steps)
    x = rng.standard_normal((steps, batch, I)).astype(np.float32)
    lengths = rng.integers(0, steps + 1, batch) if padded else None
    tg.manual_seed(1)
    layer = nn.Recurrent(cell(I, H), reverse=reverse)
    saving = nn.Recurrent(layer.cells[0], reverse=reverse, checkpoint=checkpoint)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "ROWS", rows * batch)
        patch.setattr(chunks, "ELEMENTS", 1)
        expected = results(layer, x, lengths)
        for _ in range(2):  # the second time in the first one's arrays
            for one, other in zip(results(saving, x, lengths), expected, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("cell", CELLS)
def test_pieces_give_the_numbers_of_the_whole(cell, monkeypatch) -> None:
    tg.manual_seed(1)
    layer = nn.Recurrent(cell(I, H)).astype("float64")
    x = np.random.default_rng(0).standard_normal((23, 2, I))
    expected = results(layer, x)
    monkeypatch.setattr(chunks, "ROWS", 1)
    monkeypatch.setattr(chunks, "ELEMENTS", 5 * 2 * H)
    for one, other in zip(results(layer, x), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_graph_kept_gives_its_gradients_again(small_pieces) -> None:
    layer = nn.GRU(I, H, checkpoint=4)
    x = tg.randn(30, 2, I, requires_grad=True)
    loss = (layer(x)[0] ** 2).sum()
    other = (layer(x * 2)[0] ** 2).sum()  # a second run pending, with arrays of its own
    (first,) = tg.grad(loss, [x], retain_graph=True)
    tg.grad(other, [x])
    (again,) = tg.grad(loss, [x])
    np.testing.assert_array_equal(first.data, again.data)


def test_layers_on_top_of_each_other_and_both_directions(small_pieces) -> None:
    layer = nn.LSTM(I, H, num_layers=2, bidirectional=True, dropout=0.2)
    saving = copy.deepcopy(layer)
    saving.checkpoint = "sqrt"
    x = np.random.default_rng(0).standard_normal((25, 2, I)).astype(np.float32)
    for one, other in zip(results(saving, x), results(layer, x), strict=True):
        np.testing.assert_array_equal(one, other)


def peak(layer, steps: int) -> int:
    """The most bytes at a time in a training step, without the input, outputs and gradient."""
    x = tg.randn(steps, 1, 1, requires_grad=True)
    layer(x[:1])[0].sum().backward()
    tracemalloc.start()
    layer(x)[0][-1].sum().backward()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_grows_with_the_square_root(monkeypatch) -> None:
    monkeypatch.setattr(chunks, "ROWS", 8)
    monkeypatch.setattr(chunks, "ELEMENTS", 1)
    cell = nn.LSTMCell(1, 32)
    whole, saving = nn.Recurrent(cell), nn.Recurrent(cell, checkpoint="sqrt")
    for_outputs = 3 * 4 * 32  # bytes a step: outputs, their gradient, and a copy
    short, long = (peak(saving, steps) - steps * for_outputs for steps in (200, 3200))
    assert long < 0.5 * (peak(whole, 3200) - 3200 * for_outputs)
    assert long < 8 * short  # 16 times the steps


@pytest.mark.parametrize("wrong", [0, -3, "root", 2.5])
def test_what_is_no_number_of_steps_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="checkpoint is a number of steps"):
        nn.GRU(I, H, checkpoint=wrong)


@settings(max_examples=settings().max_examples)
@given(st.integers(1, 5000), st.integers(1, 300), st.integers(1, 64))
def test_pieces_cover_every_step_once(steps, batch, hidden) -> None:
    found = chunks.chunks(steps, batch, hidden)
    assert [s for first, last in found for s in range(first, last)] == list(range(steps))
    assert len({last - first for first, last in found[:-1]}) <= 1
