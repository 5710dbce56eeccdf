"""tg.observe: values and gradients of named values, compiled, are those of the unrolled run."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree

from .conftest import is_scan


class Odd(nn.Cell):
    """A name used twice, names of nothing that counts, unnamed states: one stays, one counts."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.map = nn.Linear(input_size + hidden_size, 2 * hidden_size)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return {"h": zeros, "kept": zeros + 0.5, "count": tg.zeros(batch_size, dtype="int64")}

    def forward(self, x, state):
        both = self.map(tg.concatenate([x, state["h"]], axis=-1)).named("both")
        a, b = tg.split(both, 2, axis=-1)
        a = tg.tanh(a).named("gate")
        with tg.scope("inner"):
            b = tg.sigmoid(b).named("gate")
        twice = (a * b).named("gate")
        (twice > 0.1).named("open")
        tg.exp(a).named("unused")
        tg.ones(3).named("constant")
        twice.named("product").named("last name")
        count = state["count"] + 1
        h = twice * state["kept"] + tg.cos(a)
        return {"h": h, "kept": state["kept"], "count": count}


CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell, tg.cells.UnICORNNCell, Odd]
SIZES = {"input_size": 2, "hidden_size": 3}


def observed(layer, x, lengths=None, passes=1, names=None):
    tg.manual_seed(3)
    x = tg.tensor(x, requires_grad=True)
    with tg.observe(layer, names) as seen:
        outputs, final = layer(x, lengths=lengths)
    weights = np.random.default_rng(1).standard_normal(outputs.shape).astype(outputs.dtype)
    loss = (outputs * weights).sum()
    for leaf in pytree.leaves(final):
        if leaf.dtype.kind == "f":
            loss = loss + (leaf * leaf).sum()
    for _ in range(passes):
        loss.backward(retain_graph=True)
    return seen, outputs


ROUNDING = {"float64": (1e-9, 1e-12), "float32": (1e-4, 1e-5), "float16": (5e-2, 2e-2)}


def assert_near(ours, theirs, key):
    """Equal to rounding, which is relative to the largest."""
    assert ours.dtype == theirs.dtype
    relative, absolute = ROUNDING.get(ours.dtype.name, (0, 0))
    largest = float(np.abs(theirs).max(initial=1.0))
    np.testing.assert_allclose(ours, theirs, relative, absolute * largest, err_msg=key)


def same(seen, other):
    assert list(seen) == list(other)
    for key in seen:
        ours, theirs = seen[key], other[key]
        assert ours.steps == theirs.steps, key
        assert ours.is_state == theirs.is_state, key
        assert_near(ours.data, theirs.data, key)
        if ours.data.dtype.kind != "f":
            assert ours.grad is None and theirs.grad is None
            continue
        grads = [np.zeros_like(v.data) if v.grad is None else v.grad.data for v in (ours, theirs)]
        assert_near(*grads, key)


@settings(max_examples=settings().max_examples * 40 // 100)
@given(
    make=st.sampled_from(CELLS),
    steps=st.integers(1, 5),
    batch=st.sampled_from([1, 2, 20]),
    options=st.fixed_dictionaries(
        {
            "num_layers": st.integers(1, 2),
            "bidirectional": st.booleans(),
            "checkpoint": st.sampled_from([None, 1, "sqrt"]),
            "truncate": st.sampled_from([None, None, 2]),
            "executor": st.sampled_from(["numpy", "llvm"]),
        }
    ),
    reverse=st.booleans(),
    ragged=st.booleans(),
    passes=st.integers(1, 2),
    dtype=st.sampled_from(["float64", "float64", "float32", "float16"]),
    seed=st.integers(0, 10**6),
)
def test_as_in_the_unrolled_run(make, steps, batch, options, reverse, ragged, passes, dtype, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, steps + 1, batch) if ragged else None
    options |= {"reverse": reverse and not options["bidirectional"]}
    if dtype == "float16":  # no machine code has it
        options |= {"executor": "numpy"}
    layer = nn.Recurrent(make(**SIZES), **options).astype(dtype)
    x = rng.standard_normal((steps, batch, 2)).astype(dtype)
    scanned, _ = observed(layer, x, lengths, passes)
    known, outputs = observed(layer, x, lengths, passes)  # by a program that is known
    assert is_scan(outputs)
    layer.unroll = True
    unrolled, _ = observed(layer, x, lengths, passes)
    same(scanned, unrolled)
    same(known, unrolled)
    for key, value in known.items():
        if lengths is not None and value.shape[:2] == (steps, batch) and "constant" not in key:
            padding = np.arange(steps)[:, None] >= lengths
            assert not value.data[padding].any()
            assert value.grad is None or not value.grad.data[padding].any()


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
@pytest.mark.parametrize("ragged", [False, True])
def test_a_long_run_in_chunks(executor, ragged):
    steps, batch = 100, 16
    layer = nn.LSTM(2, 16, executor=executor).astype("float64")
    x = np.random.default_rng(0).standard_normal((steps, batch, 2))
    lengths = np.linspace(0, steps, batch).astype(int) if ragged else None
    runs = [observed(layer, x, lengths, passes=2)[0] for _ in range(3)]
    layer.unroll = True
    unrolled, _ = observed(layer, x, lengths, passes=2)
    for seen in runs:  # none has written into what another has kept
        same(seen, unrolled)


def test_looking_changes_nothing():
    layer, x = nn.LSTM(2, 3), tg.randn(6, 2, 2)

    def gradients():
        layer.zero_grad()
        outputs, _ = layer(x)
        (outputs * outputs).sum().backward()
        return [outputs.data, *(p.grad.data for p in layer.parameters())]

    before = gradients()
    with tg.observe(layer):
        for a, b in zip(before, gradients(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_names_and_states_of_a_cell():
    seen, _ = observed(nn.Recurrent(Odd(**SIZES)).astype("float64"), np.ones((3, 1, 2)))
    assert list(seen) == [
        "l0: both", "l0: gate", "l0.inner: gate", "l0: last name", "l0: open", "l0: unused",
        "l0: constant", "l0: state['h']", "l0: state['kept']", "l0: state['count']",
    ]  # fmt: skip
    states = [key for key, value in seen.calls() if value.is_state]
    assert states == ["l0: state['h']", "l0: state['kept']", "l0: state['count']"]
    assert seen["l0: state['count']"].data.tolist() == [[1], [2], [3]]


def test_a_repeated_name_gets_a_number():
    def step(h, x):
        a = tg.tanh(x + h).named("gate")
        b = tg.sin(a).named("gate")
        return (a * b).named("h"), None

    with tg.observe() as seen:
        tg.scan(step, tg.zeros(2), tg.randn(4, 2))
    assert list(seen) == ["gate", "gate#2", "h"]
    with tg.observe(names=["gate#2"]) as chosen:
        tg.scan(step, tg.zeros(2), tg.randn(4, 2))
    assert list(chosen) == ["gate#2"]


class Net(nn.Module):
    def __init__(self):
        self.encoder = nn.GRU(2, 3)
        self.decoder = nn.LSTM(3, 3)
        self.head = nn.Linear(3, 1)

    def forward(self, x):
        hidden, _ = self.encoder(x)
        outputs, _ = self.decoder(hidden)
        return self.head(outputs).named("answer")


def test_keys_are_paths_seen_from_what_is_observed():
    net, x = Net(), tg.randn(4, 2, 2)
    with tg.observe(net, ["h", "c", "answer"]) as seen:
        net(x).sum().backward()
    assert list(seen) == ["encoder.l0: h", "decoder.l0: c", "decoder.l0: h", "answer"]
    assert seen["answer"].shape == (4, 2, 1) and seen["answer"].steps is None
    np.testing.assert_array_equal(seen["answer"].grad.data, np.ones((4, 2, 1)))
    with tg.observe(net.decoder, ["c"]) as seen:
        net(x)
    assert list(seen) == ["l0: c"]
    with tg.observe(net.decoder._cells["l0"], ["c"]) as seen:
        net(x)
    assert list(seen) == ["c"]
    with tg.observe(names=["c"]) as seen:
        net(x)
    assert list(seen) == ["Net.decoder.l0: c"]


class Doubled(nn.Cell):
    """A cell around a cell."""

    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.inner = nn.GRUCell(input_size, hidden_size)

    def forward(self, x, h):
        return (0.5 * self.inner(x, h)).named("half")


@pytest.mark.parametrize("unroll", [False, True])
def test_a_part_of_a_cell_can_be_observed(unroll):
    layer = nn.Recurrent(Doubled(2, 3), unroll=unroll)
    with tg.observe(
        layer.cells[0].inner if hasattr(layer, "cells") else layer._cells["l0"].inner
    ) as seen:
        layer(tg.randn(4, 1, 2))[0].sum().backward()
    assert list(seen) == ["reset gate", "update gate", "candidate", "h"]
    assert seen["h"].grad.shape == (4, 1, 3)


def test_a_second_call_of_a_layer_makes_a_list():
    layer = nn.RNN(2, 2)
    with tg.observe(layer) as seen:
        outputs, _ = layer(tg.randn(4, 1, 2))
        layer(outputs)[0].sum().backward()
        layer(tg.randn(2, 1, 2))
    first, second, third = seen["l0: h"]
    assert first.shape == second.shape == (4, 1, 2) and third.shape == (2, 1, 2)
    assert first.grad is not None and second.grad is not None and third.grad is None
    np.testing.assert_array_equal(first.data, outputs.data)


def test_a_loop_of_ones_own():
    w = tg.tensor([0.5, -1.0], requires_grad=True)
    with tg.observe() as seen:
        h = tg.zeros(2)
        for t in range(3):
            with tg.scope("loop", step=t):
                h = tg.tanh(h * w + 1.0).named("h")
        h.sum().backward()
    value = seen["loop: h"]
    assert value.steps == [0, 1, 2] and value.shape == (3, 2)
    np.testing.assert_array_equal(value.data[-1], h.data)
    np.testing.assert_array_equal(value.grad.data[-1], [1, 1])


def test_a_step_that_cannot_be_compiled_is_seen_all_the_same():
    def step(h, x):
        if float(x.data.sum()) > 0:  # a read that depends on data
            x = (2.0 * x).named("doubled")
        return (h + x).named("h"), h

    xs = tg.tensor([1.0, -1.0, 3.0], requires_grad=True)
    with tg.observe() as seen, pytest.warns(UserWarning, match="step by step"):
        final, _ = tg.scan(step, tg.tensor(0.0), xs)
        final.backward()
    assert seen["h"].data.tolist() == [2, 1, 7]
    assert seen["doubled"].steps == [0, 2] and seen["doubled"].data.tolist() == [2, 6]
    assert seen["doubled"].grad.data.tolist() == [1, 1]


def test_a_scan_inside_a_step_is_part_of_the_step():
    def outer(h, x):
        def inner(c, _):
            return tg.tanh(c + x).named("inner"), None

        h, _ = tg.scan(inner, h, length=2)
        return h, None

    xs = tg.randn(3, 2)
    for unroll in (False, True):
        with tg.observe() as seen:
            tg.scan(outer, tg.zeros(2), xs, unroll=unroll)
        assert list(seen) == ["inner", "inner#2"]
        assert seen["inner"].shape == (3, 2)


def test_without_a_gradient_there_are_values_alone():
    layer, x = nn.LSTM(2, 3), tg.randn(4, 1, 2)
    with tg.observe(layer) as seen, tg.no_grad():
        outputs, _ = layer(x)
    np.testing.assert_array_equal(seen["l0: h"].data, outputs.data)
    assert all(value.grad is None for value in seen.values())
    seen.clear()
    assert not len(seen)


def test_what_is_seen_does_not_change_with_what_the_outputs_become():
    layer = nn.RNN(2, 3)
    with tg.observe(layer) as seen, tg.no_grad():
        outputs, _ = layer(tg.randn(4, 1, 2))
        before = outputs.data.copy()
        outputs += 1.0
    np.testing.assert_array_equal(seen["l0: h"].data, before)


def test_errors_list_the_names_there_are():
    layer = nn.GRU(2, 3)
    unknown = pytest.raises(ValueError, match=r"'reset gat'; did you mean 'reset gate'\? .*'cand")
    with unknown, tg.observe(layer, ["reset gat"]):
        layer(tg.randn(2, 1, 2))
    with tg.observe(layer) as seen:
        layer(tg.randn(2, 1, 2))
    with pytest.raises(KeyError, match="did you mean 'l0: reset gate'"):
        seen["reset gate"]
    with tg.observe(layer) as nothing:
        pass
    with pytest.raises(KeyError, match="was the GRU called inside the block"):
        nothing["h"]
    with pytest.raises(ValueError, match="was the GRU called"), tg.observe(layer, ["h"]):
        pass
    with pytest.raises(TypeError, match=r"without a model"), tg.observe(lambda x: x):
        pass
    with pytest.raises(TypeError, match=r"names=\['h'\]"), tg.observe(layer, "h"):
        pass
    with pytest.raises(ZeroDivisionError), tg.observe(layer, ["nothing"]):
        raise ZeroDivisionError


def test_an_observed_model_is_not_kept():
    layer = nn.RNN(2, 3)
    with tg.observe(layer) as seen:
        layer(tg.randn(2, 1, 2))
    kept = weakref.ref(layer)
    del layer, seen
    gc.collect()
    assert kept() is None


def test_what_was_seen_goes_without_a_collection_of_cycles():
    layer = nn.LSTM(2, 3)
    gc.disable()
    try:
        with tg.observe(layer) as seen:
            layer(tg.randn(4, 1, 2))[0].sum().backward()
        kept = [weakref.ref(value) for _, value in seen.calls()] + [weakref.ref(seen)]
        del seen
        assert [ref() for ref in kept[:-2]] == [None] * len(kept[:-2])
    finally:
        gc.enable()
