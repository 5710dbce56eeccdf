"""Other gradients through time: which of them are exact, when, and what the others drop."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.training import through_time
from tinygrad_rnn.training.through_time import bptt, compare_gradients, eprop, rtrl, snap, tbptt

T = 7
X = tg.tensor(np.random.default_rng(0).standard_normal((T, 2, 2)))
TARGET = np.random.default_rng(1).standard_normal((T, 2, 3))


def make(kind, **options):
    return kind(2, 3, **options).astype("float64")


def loss(outputs, steps):
    return ((outputs - TARGET[steps]) ** 2).sum()


def assert_same(found, expected):
    assert found.loss == pytest.approx(expected.loss)
    for one, other in zip(found.gradients, expected.gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def exact(layer):
    value = loss(layer(X)[0], slice(0, T))
    gradients = [g.data for g in tg.grad(value, list(layer.parameters()))]
    return through_time.TimeGradient(value.item(), gradients)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM])
def test_the_exact_ones(kind, monkeypatch) -> None:
    monkeypatch.setattr(through_time.forward, "_BLOCK", 20)
    layer = make(kind)
    expected = exact(layer)
    assert_same(bptt(layer, X, loss), expected)
    assert_same(bptt(layer, X, loss, chunk=3), expected)
    assert_same(tbptt(layer, X, loss, 2, T + 5), expected)
    assert_same(tbptt(layer, X, loss, 1, T), expected)
    assert_same(rtrl(layer, X, loss, chunk=3), expected)
    assert all(p.grad is None for p in layer.parameters())


@pytest.mark.parametrize(("k1", "k2"), [(1, 3), (2, 4), (3, 3), (2, 3), (4, 6)])
def test_truncation_is_that_of_its_definition(k1, k2) -> None:
    layer = make(nn.GRU)
    parameters = list(layer.parameters())
    total = [np.zeros(p.shape) for p in parameters]
    length = gcd(k1, k2)
    for end in [*range(k1, T, k1), T]:
        begin, own = max(0, -(-end // length) * length - k2), ((end - 1) // k1) * k1
        with tg.no_grad():
            state = layer(X[:begin])[1] if begin else None
        outputs, _ = layer(X[begin:end], state)
        value = loss(outputs[own - begin :], slice(own, end))
        for k, g in enumerate(tg.grad(value, parameters)):
            total[k] += g.data
    found = tbptt(layer, X, loss, k1, k2)
    for one, other in zip(found.gradients, total, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert 0 < found.dropped <= 1


def test_snap_is_exact_where_units_do_not_mix() -> None:
    layer = make(nn.RNN)
    assert_same(snap(layer, X, loss, 2), exact(layer))  # after two steps each has met each
    weight = layer.weight_hh_l0
    one = snap(layer, X, loss, 1)
    assert not np.allclose(one.gradients[0], exact(layer).gradients[0])
    weight.data[...] = np.diag(np.diag(weight.data))
    masked = exact(layer).gradients
    diagonal = snap(layer, X, loss, 1).gradients
    np.testing.assert_allclose(diagonal[0], masked[0], rtol=1e-9)


class Counting(nn.RNNCell):
    """A state that is partly no float, and an output that is no state."""

    def initial_state(self, batch_size):
        return {
            "h": super().initial_state(batch_size),
            "count": tg.zeros(batch_size, dtype="int64"),
        }

    def step(self, x, state):
        h = super().forward(x, state["h"])
        return tg.sin(h[:, :2]), {"h": h, "count": state["count"] + 1}


@pytest.mark.parametrize("make_cell", [tg.cells.IndRNNCell, tg.cells.LRUCell])
def test_eprop_is_exact_where_the_jacobian_is_diagonal(make_cell) -> None:
    layer = nn.Recurrent(make_cell(2, 3)).astype("float64")
    assert_same(eprop(layer, X, loss), exact(layer))
    # The two numbers of a complex state meet in a second step, which SnAp-1 does not see.
    assert_same(snap(layer, X, loss, 1 + (make_cell is tg.cells.LRUCell)), exact(layer))


class Doubled(nn.Cell):
    """An output that is no state, but has its values where both are zero."""

    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.scale = nn.Parameter(np.full(hidden_size, 0.5))
        self.weight = nn.Parameter(np.ones((hidden_size, input_size)))
        self.bias = nn.Parameter(np.zeros(hidden_size))

    def step(self, x, h):
        h = tg.tanh(x @ self.weight.T + self.scale * h + self.bias)
        return 2 * h, h


@pytest.mark.parametrize("x", [X, tg.zeros(T, 2, 2, dtype="float64")], ids=["random", "zero"])
def test_an_output_is_told_from_a_state_of_the_same_values(x) -> None:
    layer = nn.Recurrent(Doubled(2, 3)).astype("float64")
    assert_same(eprop(layer, x, loss), bptt(layer, x, loss))


def test_eprop_is_that_of_its_definition() -> None:
    layer = make(nn.RNN, bias=False)
    w, u = (p.data for p in layer.parameters())
    h, traces, total = np.zeros((2, 3)), [np.zeros((2, 3, 2)), np.zeros((2, 3, 3))], [0.0, 0.0]
    for t in range(T):
        before, h = h, np.tanh(X.data[t] @ w.T + h @ u.T)
        slope = (1 - h**2)[..., None]
        signal = 2 * (h - TARGET[t])[..., None]
        for k, given in enumerate([X.data[t], before]):
            # of the unit's own state by its own weights
            traces[k] = slope * (np.diag(u)[:, None] * traces[k] + given[:, None])
            total[k] = total[k] + (signal * traces[k]).sum(axis=0)
    found = eprop(layer, X, loss)
    for one, other in zip(found.gradients, total, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    lstm = make(nn.LSTM)
    closer = eprop(lstm, X, loss).gradients, tbptt(lstm, X, loss, 1, 1).gradients
    errors = [
        sum(np.sum((a - b) ** 2) for a, b in zip(one, exact(lstm).gradients)) for one in closer
    ]
    assert errors[0] < errors[1]


def test_a_state_that_is_partly_no_float() -> None:
    layer = nn.Recurrent(Counting(2, 3)).astype("float64")

    def loss(outputs, steps):
        return ((outputs - TARGET[steps, :, :2]) ** 2).sum()

    expected = bptt(layer, X, loss)
    assert_same(rtrl(layer, X, loss), expected)
    assert_same(tbptt(layer, X, loss, 2, T), expected)
    assert_same(snap(layer, X, loss, 2), expected)
    assert eprop(layer, X, loss).loss == pytest.approx(expected.loss)


@pytest.mark.parametrize("option", ["bidirectional", "reverse"])
def test_steps_in_another_order_are_refused(option) -> None:
    layer = make(nn.RNN, **{option: True})

    def loss(outputs, steps):
        return (outputs**2).sum()

    for function in (rtrl, snap, eprop, lambda *args: tbptt(*args, 1, 2)):
        with pytest.raises(ValueError, match=f"{option}=True: use bptt"):
            function(layer, X, loss)
    assert bptt(layer, X, loss).loss > 0


def test_comparing_them() -> None:
    rows = {row.name: row for row in compare_gradients(make(nn.RNN), X, loss, windows=[1, 4])}
    assert rows["rtrl"].cosine == pytest.approx(1) and rows["rtrl"].norm == pytest.approx(1)
    assert rows["tbptt(1, 1)"].cosine < rows["e-prop"].cosine < 1
    assert rows["tbptt(1, 1)"].cosine < rows["tbptt(1, 4)"].cosine < 1
    assert rows["tbptt(1, 4)"].dropped < rows["tbptt(1, 1)"].dropped
    with pytest.raises(ValueError, match="sum over steps"):
        compare_gradients(make(nn.RNN), X, lambda y, steps: (y**2).mean())
    with pytest.raises(ValueError, match="k2 >= k1"):
        tbptt(make(nn.RNN), X, loss, 3, 2)
