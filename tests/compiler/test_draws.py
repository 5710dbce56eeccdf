"""Random numbers in a step: those of the unrolled run, drawn before the loop where they can be."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.runtime import chunks
from tinygrad_rnn.compiler.specialization import compiled_steps

T, B, H = 7, 3, 4
X = np.random.default_rng(0).standard_normal((T, B, H))
ROOM = {"u": (H, H)}


@tg.op(pure=False)
def jitter(x):
    """A user's random op, whose numbers depend on what it is given."""
    return x + tg.generator().standard_normal(np.shape(x))


jitter.vjp(lambda grad, out, x: grad)


@tg.op(pure=False, differentiable=False)
def coin(x):
    """A user's random op that views at the form alone."""
    return tg.generator().integers(0, 2, x.shape[0]).astype(x.dtype)


def zoneout(cell, x, h):
    return tg.where(tg.rand_like(h) < 0.3, h, tg.tanh(x + h @ cell.u))


def recurrent_dropout(cell, x, h):
    return tg.tanh(nn.functional.dropout(x, 0.2) + nn.functional.dropout(h, 0.5) @ cell.u)


def interleaved(cell, x, h):
    h = tg.tanh(h @ cell.u + tg.rand_like(x[:, :1])) * coin(h)[:, None]
    return h + 0.1 * tg.rand_like(h.sum(axis=0)) + 0.1 * tg.rand_like(h[0, 0]) * x


def drawn_for_nothing(cell, x, h):
    tg.rand_like(h)
    return tg.tanh(x + h @ cell.u) * tg.rand_like(h[:, :2]).sum()


def of_the_input(cell, x, h):
    return tg.tanh(jitter(x) + h @ cell.u) * coin(h)[:, None]


def of_a_parameter(cell, x, h):
    return tg.tanh(x + h @ jitter(cell.u))


def of_the_state(cell, x, h):
    return tg.tanh(x * tg.rand_like(x) + jitter(h) @ cell.u)


AHEAD = [zoneout, recurrent_dropout, interleaved, drawn_for_nothing, of_the_input, of_a_parameter]


def drawn_in_the_loop(cell) -> bool:
    plans = [step.forward.schedule for step in compiled_steps(cell)]
    assert plans
    return any(not v.traits.pure for plan in plans for v in plan.stages["loop"])


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
@pytest.mark.parametrize("step", [*AHEAD, of_the_state])
@pytest.mark.filterwarnings("ignore:.*on NumPy, not compiled")
def test_the_numbers_of_the_unrolled_run(scans, step, executor) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    tg.set_executor(executor)
    try:
        cell = scans.StepCell(step, hidden_size=H, **ROOM).astype("float64")
        scans.both_ways(cell, X)
        scans.both_ways(cell, X, lengths=[4, 7, 0], reverse=True)
        scans.both_ways(cell, X, truncate=2, bidirectional=True)
    finally:
        tg.set_executor("numpy")
    assert drawn_in_the_loop(cell) == (step is of_the_state)


@pytest.fixture
def short_pieces(monkeypatch):
    """Sequences are computed in chunks of ten steps."""
    monkeypatch.setattr(chunks, "ROWS", 10 * B)
    monkeypatch.setattr(chunks, "ELEMENTS", 0)
    chunks.chunks.cache_clear()
    yield
    chunks.chunks.cache_clear()


@pytest.mark.parametrize("step", [*AHEAD, of_the_state])
@pytest.mark.parametrize("reverse", [False, True])
def test_in_pieces_and_from_checkpoints(scans, short_pieces, step, reverse) -> None:
    x = np.random.default_rng(0).standard_normal((45, B, H))
    cell = scans.StepCell(step, hidden_size=H, **ROOM).astype("float64")
    scans.both_ways(cell, x, reverse=reverse)
    scans.both_ways(cell, x, reverse=reverse, checkpoint="sqrt")


def test_other_numbers_in_each_run(scans) -> None:
    layer = nn.Recurrent(scans.StepCell(zoneout, hidden_size=H, **ROOM).astype("float64"))
    first, second = layer(X)[0], layer(X)[0]
    assert not np.array_equal(first.data, second.data)


def test_a_run_of_no_steps_draws_nothing() -> None:
    def step(h, x):
        h = h + tg.rand_like(x)
        return h, h

    tg.manual_seed(0)
    expected = tg.rand(3).tolist()
    for unroll in (True, False):
        tg.manual_seed(0)
        _, ys = tg.scan(step, tg.zeros(2), tg.zeros(0, 2), unroll=unroll)
        assert ys.shape == (0, 2) and tg.rand(3).tolist() == expected
