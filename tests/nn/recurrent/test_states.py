"""States of any form: of layers that differ, of delayed inputs, of images, given and returned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree

I, H = 2, 3


class QRNNCell(nn.Cell):
    """Bradbury et al. 2016, filter width 2: a state c, and the input before, of another size."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.mix = nn.Linear(2 * input_size, 3 * hidden_size)

    def initial_state(self, batch_size: int):
        return {"c": self.zeros(batch_size, self.hidden_size),
                "x": self.zeros(batch_size, self.input_size)}  # fmt: skip

    def forward(self, x, state):
        z, f, o = tg.split(self.mix(tg.concatenate([x, state["x"]], axis=-1)), 3, axis=-1)
        f = tg.sigmoid(f)
        return {"c": f * state["c"] + (1 - f) * tg.tanh(z) * tg.sigmoid(o), "x": x}


class MatrixCell(nn.Cell):
    """A matrix, a row of counts and a vector: leaves of three ranks."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.key, self.value = nn.Linear(input_size, 4), nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size: int):
        zeros = self.zeros
        return (zeros(batch_size, self.hidden_size),
                (zeros(batch_size, 4, self.hidden_size), zeros(batch_size)))  # fmt: skip

    def forward(self, x, state):
        _, (memory, count) = state
        key, value = tg.tanh(self.key(x)), self.value(x)
        memory = 0.9 * memory + tg.expand_dims(key, -1) * tg.expand_dims(value, -2)
        return tg.einsum("bk,bkh->bh", key, memory), (memory, count + 1.0)


class DelayCell(nn.Cell):
    """The whole state is a delayed input."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.now, self.before = (nn.Linear(input_size, hidden_size) for _ in range(2))

    def initial_state(self, batch_size: int):
        return (self.zeros(batch_size, self.hidden_size), self.zeros(batch_size, self.input_size))

    def forward(self, x, state):
        return tg.tanh(self.now(x) + self.before(state[1])), x


CELLS = [QRNNCell, MatrixCell, DelayCell, nn.LSTMCell]
OPTIONS = {
    "num_layers": st.integers(1, 3),
    "bidirectional": st.booleans(),
    "batch_first": st.booleans(),
    "unroll": st.booleans(),
    "truncate": st.none() | st.just(2),
    "checkpoint": st.none() | st.just(2),
}
few = settings(max_examples=settings().max_examples * 20 // 100)


def random_states(layer: nn.Recurrent, batch: int):
    rng = np.random.default_rng(1)
    return [
        pytree.map(lambda leaf: rng.standard_normal(leaf.shape), cell.initial_state(batch))
        for cell in layer.cells
    ]


@few
@given(st.sampled_from(CELLS), st.fixed_dictionaries(OPTIONS), st.booleans())
def test_a_layer_is_its_cells_step_by_step(cell, options, with_lengths) -> None:
    layer = nn.Recurrent(cell(I, H), **options).astype("float64")
    x = np.random.default_rng(0).standard_normal((4, 3, I))
    lengths = [4, 2, 0] if with_lengths else None
    states = random_states(layer, 3)
    for _ in range(2):
        outputs, final = layer(x.swapaxes(0, 1) if layer.batch_first else x, states, lengths)
        outputs = tg.swapaxes(outputs, 0, 1) if layer.batch_first else outputs
        assert isinstance(final, list) and len(final) == len(layer.cells)
        for row in range(3):
            length = 4 if lengths is None else lengths[row]
            own = pytree.map(lambda leaf, row=row: tg.tensor(leaf[row : row + 1]), states)
            shown, last = by_hand(layer, x[:length, row : row + 1], own)
            np.testing.assert_allclose(outputs.data[:length, row], shown, rtol=1e-11, atol=1e-12)
            assert not outputs.data[length:, row].any()
            for a, b in zip(pytree.leaves(final), pytree.leaves(last), strict=True):
                np.testing.assert_allclose(a.data[row], b.data[0], rtol=1e-11, atol=1e-12)


def by_hand(layer: nn.Recurrent, x: np.ndarray, states):
    """The outputs (T, features) of one sequence (T, 1, features), and the last states."""
    directions, last, sides = 1 + layer.bidirectional, [], []
    for place, (cell, state) in enumerate(zip(layer.cells, states, strict=True)):
        shown = {}
        for t in range(len(x))[:: -1 if place % directions else 1]:
            state = cell(tg.tensor(x[t]), state)
            shown[t] = pytree.leaves(state)[0].data
        sides.append(np.array([shown[t] for t in range(len(x))]).reshape(len(x), 1, H))
        last.append(state)
        if len(sides) == directions:
            x, sides = np.concatenate(sides, axis=-1), []
    return x[:, 0], last


@few
@given(st.sampled_from(CELLS), st.integers(1, 2), st.integers(0, 4))
def test_given_back_the_states_go_on(cell, num_layers, cut) -> None:
    layer = nn.Recurrent(cell(I, H), num_layers).astype("float64")
    x = np.random.default_rng(0).standard_normal((4, 3, I))
    outputs, final = layer(x)
    first, between = layer(x[:cut])
    second, last = layer(x[cut:], tg.detach(between))
    np.testing.assert_allclose(tg.concatenate([first, second]).data, outputs.data, rtol=1e-11)
    for a, b in zip(pytree.leaves(last), pytree.leaves(final), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-11)


@pytest.mark.parametrize("cell", CELLS)
def test_one_sequence_needs_no_batch(cell) -> None:
    layer = nn.Recurrent(cell(I, H), 2, bidirectional=True).astype("float64")
    x = np.random.default_rng(0).standard_normal((4, 1, I))
    states = random_states(layer, 1)
    outputs, final = layer(x, states)
    alone, its_final = layer(x[:, 0], pytree.map(lambda leaf: leaf[0], states))
    np.testing.assert_allclose(alone.data, outputs.data[:, 0], rtol=1e-12)
    for a, b in zip(pytree.leaves(its_final), pytree.leaves(final), strict=True):
        np.testing.assert_allclose(a.data, b.data[0], rtol=1e-12)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_pytorchs_layers_stack_what_the_list_holds(kind) -> None:
    layer = kind(I, H, num_layers=2, bidirectional=True)
    listed = nn.Recurrent(layer.cells[0], num_layers=2, bidirectional=True)
    listed.load_state_dict(layer.state_dict())
    x = tg.randn(4, 3, I)
    outputs, final = layer(x)
    expected, states = listed(x)
    np.testing.assert_array_equal(outputs.data, expected.data)
    columns = zip(*map(pytree.leaves, states))
    for leaf, column in zip(pytree.leaves(final), columns, strict=True):
        assert leaf.shape == (4, 3, H)
        np.testing.assert_array_equal(leaf.data, [c.data for c in column])


@pytest.mark.parametrize(
    "state",
    [
        np.zeros((2, 3, H), "f4"),  # stacked, as in PyTorch
        [np.zeros((3, H), "f4")],
        (np.zeros((3, H), "f4"), np.zeros((3, H), "f4")),
    ],
)
def test_what_is_no_list_of_the_states_is_refused(state) -> None:
    layer = nn.Recurrent(nn.GRUCell(I, H), 2)
    with pytest.raises(ValueError, match=r"a list of 2 states, entry layer \* directions"):
        layer(tg.zeros(4, 3, I), state)


@pytest.mark.parametrize("wrong", [np.zeros((3, H + 1), "f4"), (np.zeros((3, H), "f4"),)])
def test_a_state_that_does_not_fit_is_named_by_its_place(wrong) -> None:
    layer = nn.Recurrent(nn.GRUCell(I, H), 2)
    with pytest.raises(ValueError, match=r"like float32\[3, 3\] at place 1 of the list.*given"):
        layer(tg.zeros(4, 3, I), [np.zeros((3, H), "f4"), wrong])
