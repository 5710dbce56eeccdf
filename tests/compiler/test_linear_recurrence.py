"""Loops that are linear in the state: which are recognised, and the numbers of their blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree
from tinygrad_rnn.compiler.backends.numpy.recurrence import FEWEST_STEPS, solve
from tinygrad_rnn.compiler.passes.loop_distribution import MOST_ELEMENTS

I, H = 2, 3
STEPS = FEWEST_STEPS + 17


class Linear(nn.Cell):
    """What the cells below share: products of x alone, which become scales and offsets."""

    def __init__(self, input_size: int = I, hidden_size: int = H) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.gate = nn.Linear(input_size, hidden_size)
        self.candidate = nn.Linear(input_size, hidden_size)

    def parts(self, x):
        return tg.sigmoid(self.gate(x)), self.candidate(x)


class MinGRU(Linear):
    def forward(self, x, h):
        z, n = self.parts(x)
        return (1 - z) * h + z * n


class Leaning(Linear):
    """The same recurrence, written as a step from h towards n."""

    def forward(self, x, h):
        z, n = self.parts(x)
        return h + z * (n - h)


class Decay(Linear):
    """A learned decay that time has no part in, and a shift that is divided."""

    def forward(self, x, h):
        return tg.tanh(self.gate.bias) * h - self.candidate(x) / (1 + self.gate.bias**2)


class Sum(Linear):
    def forward(self, x, h):
        return h + self.candidate(x)


class Two(Linear):
    """Two carries that do not meet, but in the output."""

    def initial_state(self, batch_size):
        return {"fast": self.zeros(batch_size, H), "slow": self.zeros(batch_size, H)}

    def step(self, x, state):
        new = self.next(x, state)
        return new["fast"] * tg.tanh(new["slow"]), new

    def next(self, x, state):
        z, n = self.parts(x)
        fast = -(z * state["fast"] - n)
        return {"fast": fast, "slow": 0.99 * state["slow"] + z * x.sum(axis=-1, keepdims=True)}


class Crossed(Two):
    """Each carry is shifted by the other: one recurrence of both."""

    def next(self, x, state):
        z, n = self.parts(x)
        return {"fast": z * state["slow"] + n, "slow": 0.9 * state["slow"] + 0.1 * state["fast"]}


class Bent(Linear):
    def forward(self, x, h):
        z, n = self.parts(x)
        return tg.tanh(z * h + n)


def values(layer, x, lengths):
    layer.zero_grad()
    x = tg.tensor(x, requires_grad=True)
    state = layer.cells[0].initial_state(x.shape[1])
    start = [tg.tensor(np.cos(np.arange(s.size)).reshape(s.shape), requires_grad=True)
             for s in pytree.leaves(state)]  # fmt: skip
    state = dict(zip(state, start, strict=True)) if isinstance(state, dict) else start[0]
    outputs, final = layer(x, [state], lengths=lengths)
    results = [outputs, *pytree.leaves(final)]
    weights = [np.cos(np.arange(r.size) * 0.7).reshape(r.shape) for r in results]
    sum((r * w).sum() for r, w in zip(results, weights, strict=True)).backward()
    grads = [t.grad.data for t in [x, *start, *layer.parameters()] if t.grad is not None]
    return [*(r.detach().data for r in results), *grads]


def in_blocks(layer) -> tuple[bool, bool]:
    """Whether the loop forward, and that backward, is run in blocks."""
    forward, backward = layer.source().split("def backward")
    return "solve(" in forward, "solve(" in backward


EXPECTED = {Bent: (False, True)}  # any gradient is linear in the later one


@pytest.mark.parametrize("cell", [MinGRU, Leaning, Decay, Sum, Two, Crossed, Bent])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_scan_is_the_unrolled_run(cell, padded, reverse) -> None:
    tg.manual_seed(3)
    layer = nn.Recurrent(cell(), reverse=reverse).astype("float64")
    x = np.random.default_rng(0).standard_normal((STEPS, 2, I))
    lengths = [STEPS, STEPS // 2] if padded else None
    found = values(layer, x, lengths)
    assert in_blocks(layer) == EXPECTED.get(cell, (True, True))
    layer.unroll = True
    for one, other in zip(found, values(layer, x, lengths), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10 * np.abs(other).max())


@pytest.mark.parametrize("layer", [nn.RNN(I, H), nn.LSTM(I, H), nn.GRU(I, H)])
def test_loops_that_bend_the_state_stay_loops(layer) -> None:
    layer(tg.randn(3, 1, I, requires_grad=True))[0].sum().backward()
    assert in_blocks(layer) == (False, False)


def test_a_large_state_is_left_to_the_loop() -> None:
    for size, expected in ((MOST_ELEMENTS, True), (MOST_ELEMENTS + 1, False)):
        layer = nn.Recurrent(MinGRU(I, size))
        layer(tg.randn(3, 1, I, requires_grad=True))[0].sum().backward()
        assert in_blocks(layer) == (expected, expected)


def step_by_step(start, scale, offset):
    states = [start]
    for a, b in zip(scale, offset, strict=True):
        states.append(a * states[-1] + b)
    return np.array(states)


@settings(max_examples=settings().max_examples * 60 // 100)
@given(
    st.integers(0, 2**31),
    st.sampled_from([1, 2, FEWEST_STEPS - 1, FEWEST_STEPS, 200, 641]),
    st.sampled_from([(1,), (2, 3), (0, 2)]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([np.float32, np.float64]),
)
def test_blocks_are_the_loop_to_rounding(seed, steps, shape, reverse, constant, dtype) -> None:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(-1.02, 1.02, (1 if constant else steps, *shape)).astype(dtype)
    scale[rng.random(scale.shape) < 0.1] = 0
    offset = rng.standard_normal((steps, *shape)).astype(dtype)
    whole = np.full((steps + 1, *shape), np.nan, dtype)
    whole[steps if reverse else 0] = start = rng.standard_normal(shape).astype(dtype)
    before, after = (whole[1:], whole[:-1]) if reverse else (whole[:-1], whole[1:])
    solve(
        (True, not constant, True), reverse, before, scale[0] if constant else scale, offset, after
    )
    found = whole[::-1] if reverse else whole
    scales = np.broadcast_to(scale, offset.shape).astype(np.float64)
    offsets = offset.astype(np.float64)
    if reverse:
        scales, offsets = scales[::-1], offsets[::-1]
    exact = step_by_step(start.astype(np.float64), scales, offsets)
    largest = step_by_step(np.abs(start).astype(np.float64), np.abs(scales), np.abs(offsets))
    assert (np.abs(found - exact) <= 4 * steps * np.finfo(dtype).eps * largest).all()


def test_what_would_overflow_in_a_block_does_not_in_the_loop() -> None:
    steps = 4 * FEWEST_STEPS
    scale = np.full((steps, 1), 1e30, np.float32)
    whole = np.zeros((steps + 1, 1), np.float32)
    solve((True, True, False), False, whole[:-1], scale, np.float32(0), whole[1:])
    assert not whole.any()


def test_the_product_of_many_small_factors_is_no_trouble() -> None:
    steps = 8 * FEWEST_STEPS
    scale = np.full((steps, 1), 1e-20, np.float32)
    whole = np.ones((steps + 1, 1), np.float32)
    solve((True, True, False), False, whole[:-1], scale, np.float32(3), whole[1:])
    assert (whole[1:] == 3).all()


def test_a_nan_spoils_what_comes_after_it_only() -> None:
    steps = 4 * FEWEST_STEPS
    offset = np.ones((steps, 1))
    offset[100] = np.nan
    whole = np.zeros((steps + 1, 1))
    solve((True, False, True), False, whole[:-1], 0.5, offset, whole[1:])
    assert np.isfinite(whole[:101]).all() and np.isnan(whole[101:]).all()
