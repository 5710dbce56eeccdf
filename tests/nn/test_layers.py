"""Linear, Embedding, Dropout and LayerNorm, beyond their equality with PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim


@pytest.mark.parametrize("outer", [(), (3,), (0,), (2, 3)])
def test_shapes_and_dtypes(outer) -> None:
    x = np.ones((*outer, 4), "float32")
    for layer in (nn.Linear(4, 4), nn.LayerNorm(4), nn.Dropout(0.5)):
        y = layer(tg.tensor(x))
        assert y.shape == (*outer, 4) and y.dtype == np.float32
    y = nn.Embedding(3, 4)(np.zeros(outer, int))
    assert y.shape == (*outer, 4) and y.dtype == np.float32


def test_linear_of_no_features_is_its_bias() -> None:
    linear = nn.Linear(0, 2)
    np.testing.assert_array_equal(linear(tg.zeros(3, 0)).data, np.zeros((3, 2)))


def test_the_padding_row_gets_no_gradient_and_keeps_its_value() -> None:
    embedding = nn.Embedding(4, 2, padding_idx=-2)
    assert embedding.padding_idx == 2 and not embedding.weight.data[2].any()
    embedding([[2, 1], [1, 2]]).sum().backward()
    np.testing.assert_array_equal(embedding.weight.grad.data, [[0, 0], [2, 2], [0, 0], [0, 0]])
    with tg.no_grad():
        embedding.weight += 1.0
    np.testing.assert_array_equal(embedding([2]).data, [[1.0, 1.0]])


def test_no_gradient_of_a_padding_row_is_not_even_nan() -> None:
    weight = tg.ones(3, 2, requires_grad=True)
    rows = nn.functional.embedding([0, 1, 1], weight, padding_idx=0)
    (rows * np.array([[np.inf], [1.0], [2.0]])).sum().backward()
    np.testing.assert_array_equal(weight.grad.data, [[0, 0], [3, 3], [0, 0]])
    with pytest.raises(ValueError, match="padding_idx 3 of 3 embeddings"):
        nn.functional.embedding([0], weight, padding_idx=3)


def test_refusals() -> None:
    for sizes in ((-1, 2), (2, -1)):
        with pytest.raises(ValueError, match="sizes must not be negative"):
            nn.Linear(*sizes)
        with pytest.raises(ValueError, match="sizes must not be negative"):
            nn.Embedding(*sizes)
    with pytest.raises(ValueError, match="padding_idx 4 of 4 embeddings"):
        nn.Embedding(4, 2, padding_idx=4)
    embedding = nn.Embedding(4, 2)
    for indices in ([4], [0, -1]):
        with pytest.raises(IndexError, match="embedding of 4 rows: indices from"):
            embedding(indices)
    with pytest.raises(TypeError, match="integer indices, got float32"):
        embedding(tg.zeros(2))
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="p is a probability"):
            nn.Dropout(p)
        with pytest.raises(ValueError, match="p is a probability"):
            nn.functional.dropout(tg.ones(2), p)
    with pytest.raises(ValueError, match=r"LayerNorm over \(3, 4\) on shape \(4, 3\)"):
        nn.LayerNorm((3, 4))(tg.zeros(4, 3))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_a_share_p_and_keeps_the_mean(p) -> None:
    x = tg.ones(200, 200, requires_grad=True)
    y = nn.Dropout(p)(x)
    kept = y.data != 0
    assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / kept.size)
    np.testing.assert_allclose(y.data[kept], 1 / (1 - p), rtol=1e-6)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.detach().data)  # the same mask both ways
    assert not np.array_equal(nn.Dropout(p)(x).data, y.data)  # and another one each time


def test_dropout_of_nothing_everything_and_in_evaluation() -> None:
    x = tg.randn(5)
    np.testing.assert_array_equal(nn.Dropout(0.0)(x).data, x.data)
    np.testing.assert_array_equal(nn.Dropout(1.0)(x).data, 0 * x.data)
    np.testing.assert_array_equal(nn.Dropout(0.9).eval()(x).data, x.data)


@given(st.integers(0, 99), st.floats(0.1, 100.0), st.floats(-100.0, 100.0))
def test_layer_norm_does_not_see_scale_and_shift(seed, scale, shift) -> None:
    x = np.random.default_rng(seed).standard_normal((3, 8))
    norm = nn.LayerNorm(8, eps=0.0).astype("float64")
    y = norm(x).data
    np.testing.assert_allclose(norm(scale * x + shift).data, y, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(y.mean(-1), 0.0, atol=1e-12)
    np.testing.assert_allclose(y.std(-1), 1.0, rtol=1e-12)


def test_one_seed_makes_a_run_the_same_bit_for_bit() -> None:
    def run() -> list[bytes]:
        tg.manual_seed(7)
        net = nn.Sequential(nn.Embedding(9, 8), nn.Dropout(0.4), nn.Linear(8, 3))
        optimiser = optim.Adam(net.parameters(), lr=0.01)
        indices = (tg.rand(16) * 9).data.astype(int)
        for _ in range(5):
            optimiser.zero_grad()
            nn.cross_entropy(net(indices), indices % 3).backward()
            optimiser.step()
        return [array.tobytes() for array in net.state_dict().values()]

    first = run()
    assert run() == first
    tg.manual_seed(8)
    assert nn.Embedding(9, 8).weight.data.tobytes() != first[0]
