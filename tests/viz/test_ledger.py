"""viz.ledger: the parts of the gradient, from the compiled run, are those of the unrolled run."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz

from .test_analysis import parameters, rnn_of


class Prepared(nn.Cell):
    """A learned initial state, a weight that is no leaf, random numbers, an integer state."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)
        self.first = nn.Parameter(tg.randn(hidden_size))
        self.keep = nn.Parameter(tg.randn(hidden_size))
        self.tied = self.mix.weight

    def initial_state(self, batch_size):
        h = tg.broadcast_to(self.first, (batch_size, self.hidden_size))
        return h, tg.zeros(batch_size, dtype="int64")

    def forward(self, x, state):
        h, count = state
        new = tg.tanh(self.mix(tg.concatenate([x, h], axis=-1)) + 0.1 * tg.rand_like(h))
        twice = new @ self.tied[:, -self.hidden_size :]
        return tg.sigmoid(self.keep) * h + twice, count + 1


CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell, tg.cells.MinGRUCell, Prepared]
OPTIONS = st.fixed_dictionaries(
    {
        "num_layers": st.integers(1, 2),
        "bidirectional": st.booleans(),
        "checkpoint": st.sampled_from([None, 1, "sqrt"]),
        "truncate": st.sampled_from([None, None, 2]),
        "executor": st.sampled_from(["numpy", "llvm"]),
    }
)


def loss(result):
    outputs, _ = result
    weights = np.random.default_rng(1).standard_normal(outputs.shape).astype(outputs.dtype)
    return (outputs * outputs * weights).sum()


def assert_same(found, expected, rounding):
    """The same parts; those of steps that have none are zero."""
    assert sorted(found) == sorted(expected)
    for name, parts in expected.items():
        largest = max(float(np.abs(part).max(initial=0.0)) for part in parts.values())
        for step in parts.keys() | found[name].keys():
            ours, theirs = found[name].get(step, 0.0), parts.get(step, 0.0)
            np.testing.assert_allclose(
                ours, theirs, rounding, rounding * largest, err_msg=f"{name} at {step}"
            )


def norms_of(parts):
    return {
        name: {step: np.linalg.norm(part) for step, part in by_step.items()}
        for name, by_step in parts.items()
    }


@settings(max_examples=settings().max_examples * 12 // 100)
@given(
    make=st.sampled_from(CELLS),
    steps=st.integers(1, 5),
    batch=st.sampled_from([1, 3]),
    options=OPTIONS,
    reverse=st.booleans(),
    ragged=st.booleans(),
    dtype=st.sampled_from(["float64", "float32"]),
    seed=st.integers(0, 10**6),
)
def test_as_in_the_unrolled_run(make, steps, batch, options, reverse, ragged, dtype, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, steps + 1, batch) if ragged else None
    options |= {"reverse": reverse and not options["bidirectional"]}
    layer = nn.Recurrent(make(2, 3), **options).astype(dtype)
    x = tg.tensor(rng.standard_normal((steps, batch, 2)).astype(dtype))

    def model(x):
        tg.manual_seed(3)
        return layer(x, lengths=lengths)

    rounding = {"float64": 1e-9, "float32": 1e-3}[dtype]
    first = viz.ledger(model, x, loss)
    known = viz.ledger(model, x, loss)  # by a program that is known
    norms = viz.ledger(model, x, loss, norms=True)
    layer.unroll = True
    unrolled = viz.ledger(model, x, loss)
    assert_same(first, unrolled, rounding)
    assert_same(known, unrolled, rounding)
    assert_same(norms, norms_of(unrolled), rounding)
    loss(model(x)).backward()
    for parameter in layer.parameters():
        total = sum(known[parameter.name].values())
        np.testing.assert_allclose(total, parameter.grad.data, rounding, rounding)


def test_of_several_runs_and_loops_of_one_model():
    """Two calls of one layer, a scan, a loop of one's own, a weight prepared once, an embedding."""
    layer, head = nn.GRU(3, 3).astype("float64"), nn.Linear(3, 2).astype("float64")
    words = nn.Embedding(6, 3).astype("float64")
    w = tg.tensor(np.random.default_rng(0).normal(size=(3, 3)), requires_grad=True).named("w")
    ids = np.array([[0, 1], [4, 1], [5, 5], [2, 0]])

    def model(unroll):
        layer.unroll = unroll
        twice = layer(layer(words(ids))[0])[0]
        turned = w.T * 2.0

        def step(h, x):
            return tg.tanh(h @ turned + x), None

        final, _ = tg.scan(step, tg.zeros(2, 3, dtype="float64"), twice, unroll=unroll)
        for t in range(2):
            with tg.scope("loop", step=t):
                final = tg.tanh(final @ w)
        return head(final)

    expected = viz.ledger(model, True, tg.sum)
    assert_same(viz.ledger(model, False, tg.sum), expected, 1e-9)
    assert_same(viz.ledger(model, False, tg.sum, norms=True), norms_of(expected), 1e-9)
    assert sorted(expected["w"]) == [0, 1, 2, 3]
    assert None in expected[head.weight.name] and len(expected) == 8


def test_parameters_of_one_name_are_kept_apart():
    encoder, decoder = nn.RNN(2, 3), nn.RNN(2, 3)
    found = viz.ledger(lambda x: decoder(x, encoder(x)[1]), tg.randn(4, 1, 2))
    assert len(found) == 8 and {"weight_hh_l0", "weight_hh_l0 2"} <= found.keys()


def test_a_learned_initial_state_is_used_by_the_first_step():
    layer, h = nn.RNN(2, 3), tg.randn(1, 1, 3, requires_grad=True).named("first")
    parts = viz.ledger(lambda x: layer(x, h), tg.randn(4, 1, 2))["first"]
    layer(tg.randn(4, 1, 2), h)
    assert sorted(parts) == [0] and parts[0].shape == h.shape


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_norms_of_parts_that_have_nearly_vanished(dtype):
    tiny = {"float64": 1e-200, "float32": 1e-30}[dtype]
    layer = nn.RNN(2, 3, bias=False).astype(dtype)
    x = tg.randn(4, 1, 2, dtype=dtype)
    loss = lambda result: result[1].sum() * tiny
    parts = viz.ledger(layer, x, loss)["weight_ih_l0"]
    norms = viz.ledger(layer, x, loss, norms=True)["weight_ih_l0"]
    for t in range(4):
        expected = tiny * np.linalg.norm(parts[t].astype(float) / tiny)
        assert norms[t] == pytest.approx(expected, rel=1e-4) and norms[t] > 0


def test_a_loop_without_scans_and_a_model_without_steps():
    w, u, x = parameters()
    parts, norms = (viz.ledger(rnn_of(w, u), x, norms=n) for n in (False, True))
    assert_same(norms, norms_of(parts), 1e-12)
    with pytest.raises(ValueError, match=r"tg\.scope"):
        viz.ledger(tg.tanh, x)


def test_nothing_of_size_steps_times_weights_is_held_for_norms():
    layer, x = nn.RNN(4, 128, executor="numpy"), tg.randn(3000, 1, 4)
    viz.ledger(layer, x, norms=True)
    tracemalloc.start()
    viz.ledger(layer, x, norms=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 128 * 128 * 4 / 2
