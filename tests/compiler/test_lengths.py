"""Padded sequences: rows that have ended are left out where that is right, and nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.runtime import ragged
from tinygrad_rnn.compiler.specialization import compiled_steps

quick = settings(
    max_examples=settings().max_examples * 50 // 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def rows_are_left_out(shrinking) -> None:
    """Of small batches, too, as soon as a sequence has ended."""


def batch_sizes(cell: nn.Cell) -> set[int]:
    """The numbers of rows that the cell was compiled for."""
    return {compiled.step.xs[0].shape[0] for compiled in compiled_steps(cell)}


def sequence(steps: int, batch: int, inputs: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((steps, batch, inputs))


# What is left out


@st.composite
def many_lengths(draw):
    """The number of steps, and lengths of which some are equal, some zero, in any order."""
    steps = draw(st.integers(1, 9))
    return steps, draw(st.lists(st.integers(0, steps), min_size=1, max_size=20))


@quick
@given(many_lengths(), st.sampled_from([0.0, 1e-6, 1e-3]), st.booleans())
def test_every_real_step_of_every_row_is_in_one_span(given_lengths, price, shrink) -> None:
    steps, lengths = given_lengths
    lengths = np.array(lengths)
    found = ragged.spans(lengths, steps, price, 0.15, shrink)
    covered = np.zeros((steps, len(lengths)), int)
    for span in found:
        covered[span.first : span.last, span.rows] += 1
        assert np.arange(len(lengths))[span.rows].size == span.size
    assert covered.max() == 1
    assert (covered >= (np.arange(steps)[:, None] < lengths)).all()
    assert shrink or covered.all()


def test_spans_fall_where_sequences_end() -> None:
    lengths = np.repeat([20, 10, 5, 5], 16)
    found = ragged.spans(lengths, 24, 1.0, 0.15, shrink=True)
    assert [(s.first, s.last, s.size) for s in found] == [(0, 5, 64), (5, 10, 32), (10, 20, 16)]
    np.testing.assert_array_equal(np.arange(64)[found[1].rows], np.arange(32))


def test_a_change_that_costs_more_than_it_saves_is_not_made(monkeypatch) -> None:
    lengths = np.repeat([20, 10], 32)
    monkeypatch.setattr(ragged, "LARGE", 0.0)
    for change, expected in ((10.0 * 31, 2), (10.0 * 64, 1)):
        monkeypatch.setattr(ragged, "CHANGE", change)
        assert len(ragged.spans(lengths, 20, 1.0, 0.15, shrink=True)) == expected


# The same numbers

KINDS = [nn.RNN, nn.LSTM, nn.GRU]


@st.composite
def runs(draw):
    """A layer with any options, a sequence, lengths, a state or None."""
    options = {
        "num_layers": draw(st.integers(1, 2)),
        "bidirectional": draw(st.booleans()),
        "truncate": draw(st.none() | st.integers(1, 4)),
        "checkpoint": draw(st.none() | st.just("sqrt") | st.integers(1, 4)),
    }
    options["reverse"] = not options["bidirectional"] and draw(st.booleans())
    layer = draw(st.sampled_from(KINDS))(2, 3, **options).astype("float64")
    steps, lengths = draw(many_lengths())
    x = sequence(steps, len(lengths), 2, draw(st.integers(0, 99)))
    state = None
    if draw(st.booleans()):
        _, final = layer(x)
        state = tg.pytree.map(lambda s: s.detach().numpy(), final)
    return layer, x, state, lengths


@quick
@given(runs(), st.sets(st.integers(0, 2), min_size=1))
def test_every_option_gives_the_unrolled_numbers(scans, run, counted) -> None:
    layer, x, state, lengths = run
    found = []
    for layer.unroll in (True, False, False):
        found.append(scans.results(layer, x, state, lengths, lambda k: k in counted))
        scans.assert_same(found[-1], found[0])


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_rows_that_have_ended_are_left_out(scans, kind) -> None:
    cell = kind(2, 3).astype("float64")
    lengths = [9, 2, 4, 9, 1, 1, 6, 2]
    scans.both_ways(cell, sequence(12, 8, 2), None, lengths)
    assert batch_sizes(cell) == {8, 4, 2}


def test_what_is_padding_has_no_effect_and_no_gradient() -> None:
    layer = nn.GRU(2, 3)
    lengths = np.array([6, 0, 2, 3])
    array = sequence(6, 4, 2).astype("float32")
    expected, _ = layer(array, lengths=lengths)
    array[np.arange(6)[:, None] >= lengths] = np.nan
    x = tg.tensor(array, requires_grad=True)
    outputs, h = layer(x, lengths=lengths)
    np.testing.assert_array_equal(outputs.data, expected.data)
    (outputs.sum() + h.sum()).backward()
    assert np.isfinite(x.grad.data).all()
    np.testing.assert_array_equal((x.grad.data != 0).any(axis=-1).sum(axis=0), lengths)


def test_runs_that_wait_for_their_gradients_keep_their_arrays() -> None:
    layer = nn.LSTM(2, 3).astype("float64")
    cases = [(sequence(7, 8, 2, k), np.arange(8)[::-1] * 7 // (7 + k)) for k in range(3)]
    pending = [(layer(x, lengths=n)[0] ** 2).sum() for x, n in cases]
    late = [tg.grad(loss, [layer.weight_hh_l0])[0].data for loss in reversed(pending)]
    for (x, lengths), found in zip(cases, reversed(late), strict=True):
        loss = (layer(x, lengths=lengths)[0] ** 2).sum()
        np.testing.assert_array_equal(found, tg.grad(loss, [layer.weight_hh_l0])[0].data)


def test_gradients_of_gradients() -> None:
    layer = nn.GRU(2, 3).astype("float64")
    x = tg.tensor(sequence(5, 4, 2), requires_grad=True)
    found = []
    for layer.unroll in (True, False):
        outputs, _ = layer(x, lengths=[5, 1, 3, 0])
        (first,) = tg.grad((outputs**2).sum(), [x], create_graph=True)
        found.append(tg.grad((first**2).sum(), [layer.weight_hh_l0])[0].data)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9, atol=1e-12)


# Cells whose rows do not go their own ways


@tg.op
def stiff(x):
    """A user's op whose gradient is made short for the whole batch at once."""
    return np.tanh(x)


@stiff.vjp
def _(grad, out, x):
    grad = grad * (1.0 - out**2)
    return grad / (1.0 + np.sqrt(np.sum(grad**2)))


def row_offsets(cell, x, h):
    return tg.tanh(h + x @ cell.weight + cell.offsets[: x.shape[0]])


TOGETHER = {
    "mean": lambda cell, x, h: tg.tanh(h + x @ cell.weight - h.mean(axis=0)),
    "softmax": lambda cell, x, h: tg.softmax(h + x @ cell.weight, axis=0),
    "sum before": lambda cell, x, h: tg.tanh(tg.cumsum(h, axis=0) + x @ cell.weight),
    "neighbour": lambda cell, x, h: tg.tanh(tg.flip(h, axis=0) + x @ cell.weight),
    "largest": lambda cell, x, h: tg.tanh(h - np.max(h, axis=0, keepdims=True) + x @ cell.weight),
    "batch size": lambda cell, x, h: tg.tanh(h + x @ cell.weight / x.shape[0]),
    "seldom": lambda cell, x, h: tg.tanh(h + x @ cell.weight + tg.where(x.sum() > 1e3, 1.0, 0.0)),
    "rows between": lambda cell, x, h: tg.tanh(h @ (tg.swapaxes(h, 0, 1) @ h) + x @ cell.weight),
    "offsets": row_offsets,
    "gradient": lambda cell, x, h: stiff(h + x @ cell.weight),
    "noise": lambda cell, x, h: tg.tanh(h + x @ cell.weight + tg.rand_like(h)),
    "dropout": lambda cell, x, h: tg.tanh(h + nn.functional.dropout(x, 0.5) @ cell.weight),
}


@pytest.mark.parametrize("name", TOGETHER)
@pytest.mark.parametrize("reverse", [False, True])
def test_cells_that_need_the_whole_batch_get_it(scans, name, reverse) -> None:
    cell = scans.StepCell(TOGETHER[name], weight=(2, 3), offsets=(8, 3)).astype("float64")
    x = sequence(7, 8, 2)
    lengths = [7, 2, 5, 3, 2, 7, 2, 6]
    state = scans.some_state(cell, 8)
    scans.both_ways(cell, x, state, lengths, reverse=reverse)
    scans.both_ways(cell, x, None, lengths, reverse=reverse)
    assert batch_sizes(cell) == {8}
