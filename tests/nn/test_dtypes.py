"""A network computes in the dtype of its weights, whatever it is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree

FLOATING = ["float16", "float32", "float64"]
WHOLE = ["int8", "int64", "uint8", "bool"]


class Composed(nn.Cell):
    """As a user writes one first: parameters from NumPy's arrays, and products of them."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.decay = nn.Parameter(np.zeros(hidden_size))
        self.map = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        new = tg.tanh(self.map(tg.concatenate([x, h], axis=-1)))
        return tg.sigmoid(self.decay) * h + new


CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell, Composed]


@pytest.mark.parametrize("dtype", [*FLOATING, None])
@pytest.mark.parametrize(
    "data", [0.5, [1.0], np.ones(2), np.ones((), "f2"), tg.ones(2, dtype="f8")]
)
def test_a_parameter_has_the_default_dtype_or_the_one_asked_for(data, dtype) -> None:
    assert nn.Parameter(data, dtype).dtype == (dtype or "float32")
    tg.set_default_dtype("float64")
    try:
        assert nn.Parameter(data, dtype).dtype == (dtype or "float64")
    finally:
        tg.set_default_dtype("float32")


@given(
    st.sampled_from(CELLS),
    st.sampled_from([*FLOATING, *WHOLE]),
    st.booleans(),
    st.sampled_from(["float32", "float64"]),
    st.booleans(),
)
def test_the_input_never_widens_a_network(cell, given, as_tensor, weights, unroll) -> None:
    layer = nn.Recurrent(cell(2, 3), num_layers=2, unroll=unroll).astype(weights)
    x = np.ones((3, 2, 2), given)
    x = tg.tensor(x) if as_tensor else x
    wider = given == "float64" and weights == "float32"
    if as_tensor and wider:
        with pytest.raises(TypeError, match=r"float64 Tensor.*float32"):
            layer(x)
        return
    if cell is Composed and given in WHOLE and weights == "float32":
        x = x.astype(weights)  # whole numbers meet its state in a raw op, before the weights
    outputs, final = layer(x)
    (outputs.sum() + pytree.leaves(final)[-1].sum()).backward()
    found = [outputs, *pytree.leaves(final), *(p.grad for p in layer.parameters())]
    assert {t.dtype for t in found} == {np.dtype(weights)}
    expected, _ = layer(np.ones((3, 2, 2), weights))
    np.testing.assert_array_equal(outputs.data, expected.data)


@given(st.sampled_from(CELLS), st.sampled_from([*FLOATING, *WHOLE]), st.booleans(), st.booleans())
def test_a_given_state_never_widens_a_network(cell, given, as_tensor, in_layer) -> None:
    module = nn.Recurrent(cell(2, 3)) if in_layer else cell(2, 3)
    x = tg.ones(3, 2, 2) if in_layer else tg.ones(2, 2)
    kind = tg.tensor if as_tensor else np.asarray
    own = (cell(2, 3)).initial_state(2)
    state = pytree.map(lambda _: kind(np.ones((2, 3), given)), own)
    state = [state] if in_layer else state
    if as_tensor and given == "float64":
        with pytest.raises(TypeError, match=r"float64 Tensor.*float32"):
            module(x, state)
        return
    if as_tensor and given in WHOLE and not in_layer:
        return  # a cell by itself takes Tensors as they are
    found = module(x, state)
    assert {leaf.dtype for leaf in pytree.leaves(found)} == {np.dtype("float32")}


@pytest.mark.parametrize("given", [*FLOATING, *WHOLE])
@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("make", [lambda: nn.Linear(2, 3), lambda: nn.LayerNorm(2)])
def test_layers_compute_in_the_dtype_of_their_weights(make, given, as_tensor) -> None:
    x = np.ones((4, 2), given)
    x = tg.tensor(x) if as_tensor else x
    if as_tensor and given == "float64":
        with pytest.raises(TypeError, match=r"float64 Tensor.*float32"):
            make()(x)
        return
    assert make()(x).dtype == np.float32


def test_raw_ops_keep_the_promotion_of_numpy() -> None:
    weight = nn.Parameter(np.ones((2, 2)))
    assert (np.ones((1, 2)) @ weight).dtype == np.float64
    assert (tg.ones(1, 2, dtype="int64") @ weight).dtype == np.float64


def test_indices_reach_a_cell_as_they_are() -> None:
    class Letters(nn.RNNCell):
        def __init__(self, input_size, hidden_size):
            super().__init__(input_size, hidden_size)
            self.embedding = nn.Embedding(5, input_size)

        def forward(self, x, h):
            return super().forward(self.embedding(x[:, 0]), h)

    outputs, _ = nn.Recurrent(Letters(2, 3))(np.array([[[1], [4]]]))
    assert outputs.shape == (1, 2, 3) and outputs.dtype == np.float32
