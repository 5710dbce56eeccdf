"""What `plan` says of a next state's Jacobian, against the Jacobian itself."""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.compilation import compile_step
from tinygrad_rnn.compiler.ir.structure import structure_of
from tinygrad_rnn.nn.recurrent.run import sequence

B, W = 2, 4

UNARY = {
    "tanh": tg.tanh,
    "scaled": lambda x: 0.5 * x - 1.0,
    "shrunk": lambda x: x / 3.0,
    "negative": lambda x: -x,
    "square": lambda x: x**2,
    "flip": lambda x: tg.flip(x, axis=-1),
    "picked": lambda x: x[:, [3, 0, 0, 1]],
    "halves": lambda x: tg.concatenate(tg.split(x, 2, axis=-1)[::-1], axis=-1),
    "there and back": lambda x: tg.concatenate(tg.split(x, 2, axis=-1), axis=-1),
    "folded": lambda x: tg.reshape(np.swapaxes(tg.reshape(x, (-1, 2, 2)), 1, 2), (-1, W)),
    "mean": lambda x: x - x.mean(axis=-1, keepdims=True),
    "softmax": lambda x: tg.softmax(x, axis=-1),
    "cumsum": lambda x: tg.cumsum(x, axis=-1),
    "pairs": lambda x: tg.reshape(tg.softmax(tg.reshape(x, (-1, 2, 2)), axis=-1), (-1, W)),
    "added": lambda x: tg.index_add(x, (slice(None), slice(1, 3)), x[:, :2]),
    "shifted": lambda x: tg.pad(x[:, :-1], ((0, 0), (1, 0))),
    "shifted in": lambda x: tg.pad(x[:, 1:], ((0, 0), (0, 1)), constant_values=2.0),
    "relu": tg.relu,
    "stopped": lambda x: tg.sign(x),
}
BINARY = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / (1.5 + tg.tanh(y)),
    "where": lambda x, y: tg.where(y > 0.1, x, y),
    "choice": lambda x, y: tg.where(np.arange(W) > 1, x, y),
    "first": lambda x, y: x * y[:, :1],
    "dot": lambda x, y: x * tg.einsum("bi,bi->b", x, y)[:, None],
}


class Random(nn.Cell):
    """Two leaves of state, from random lines on a growing list of values."""

    input_size = W

    def __init__(self, lines: list[tuple[str, int, int]], picks: list[int]) -> None:
        self.lines, self.picks = lines, picks
        rng = np.random.default_rng(len(lines))
        self.matrix = nn.Parameter(rng.standard_normal((W, W)), "float64")
        self.blocks = nn.Parameter(rng.standard_normal((2, 2, 2)), "float64")

    def initial_state(self, batch_size: int) -> Any:
        return tuple(self.zeros(batch_size, W) for _ in self.picks)

    def forward(self, x: Any, state: Any) -> Any:
        values = [x, *state]
        for name, *places in self.lines:
            one, other = (values[place % len(values)] for place in places)
            if name == "matrix":
                values.append(one @ self.matrix)
            elif name == "blocks":
                heads = tg.reshape(one, (-1, 2, 2))
                values.append(tg.reshape(tg.einsum("bhi,hij->bhj", heads, self.blocks), (-1, W)))
            else:
                values.append(UNARY[name](one) if name in UNARY else BINARY[name](one, other))
        return tuple(values[-1 - place % len(values)] for place in self.picks)


NAMES = st.sampled_from([*UNARY, *BINARY, "matrix", "blocks", *["scaled", "add", "multiply"] * 3])
LINES = st.lists(st.tuples(NAMES, st.integers(0, 9), st.integers(0, 9)), max_size=5)


@settings(max_examples=settings().max_examples * 60 // 100)
@given(LINES, st.lists(st.integers(0, 9), min_size=2, max_size=2), st.integers(0, 99))
def test_the_structure_is_that_of_the_jacobian(lines, picks, seed) -> None:
    cell = Random(lines, picks).astype("float64")
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1, B, W))
    compiled, _ = compile_step(sequence(cell, tg.tensor(x), cell.initial_state(B)))
    found = structure_of(compiled.step)
    here, there = (jacobians(cell, x[0], rng.standard_normal((2, B, W))) for _ in range(2))
    for k, new in enumerate(found):
        kinds = {part.carry: part.kind for part in new.dependences}
        for j in range(2):
            own_row, other_row = here[k][j]
            assert not other_row.any()
            if j not in kinds:
                assert not own_row.any()
            elif kinds[j] == "diagonal":
                assert not (own_row * (1 - np.eye(W))).any()
            elif kinds[j] == "permuted":
                assert ((own_row != 0).sum(axis=1) <= 1).all()
        if new.not_affine is None:
            np.testing.assert_allclose(here[k], there[k], rtol=1e-9, atol=1e-9)


def scan_and_unrolled(scans, lines, picks, seed, padded, reverse) -> None:
    steps = 140 if seed % 8 == 0 else 5  # on both sides of where blocks begin
    x = 0.5 * np.random.default_rng(seed).standard_normal((steps, B, W))
    cell = Random([(name, *places) for name, *places in lines], picks).astype("float64")
    with np.errstate(all="ignore"):
        layer = nn.Recurrent(cell, reverse=reverse, unroll=True)
        expected = scans.results(layer, x, scans.some_state(cell, B))
        assume(all(np.isfinite(array).all() and np.abs(array).max() < 1e6 for array in expected))
        lengths = [steps, 3] if padded else None
        scans.both_ways(cell, x, scans.some_state(cell, B), lengths, reverse=reverse)


RUNS = (LINES, st.lists(st.integers(0, 9), min_size=2, max_size=3), st.integers(0, 99))
quick = settings(
    max_examples=settings().max_examples * 60 // 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
)


@quick
@given(*RUNS, st.booleans(), st.booleans())
def test_what_leaves_the_loop_changes_no_number(scans, lines, picks, seed, padded, reverse) -> None:
    scan_and_unrolled(scans, lines, picks, seed, padded, reverse)


@settings(quick, max_examples=settings().max_examples * 20 // 100)
@given(*RUNS, st.booleans(), st.booleans())
def test_what_leaves_a_compiled_loop_changes_no_number(
    scans, compiled, lines, picks, seed, padded, reverse
) -> None:
    scan_and_unrolled(scans, lines, picks, seed, padded, reverse)


def jacobians(cell, x, state):
    """Of row 0 of each next leaf with respect to each row of each leaf: (2, 2, B, W, W)."""
    leaves = [tg.tensor(leaf, requires_grad=True) for leaf in state]
    found = np.zeros((2, 2, B, W, W))
    for k, new in enumerate(cell(tg.tensor(x), tuple(leaves))):
        for i in range(W if new.requires_grad else 0):
            grads = tg.grad(new[0, i], leaves, allow_unused=True, retain_graph=True)
            for j, grad in enumerate(grads):
                found[k, j, :, i] = 0 if grad is None else grad.data
    return found


def state_of(step, *sizes):
    """What is said of a step `step(x, *state)`."""

    class Stepping(nn.Cell):
        input_size = W

        def __init__(self) -> None:
            self.w = nn.Parameter(np.ones((W, W)))
            self.heads = nn.Parameter(np.ones((2, 3, 3)))
            self.a = nn.Parameter(np.ones(W))

        def initial_state(self, batch_size):
            return tuple(self.zeros(batch_size, *size) for size in sizes)

        def forward(self, x, state):
            new = step(self, x, *state)
            return tuple(s.named(f"s{k}") for k, s in enumerate(new))

    plan = Stepping().plan(batch_size=B, steps=3)
    return [f"{line.name}: {line.property}" for line in plan.state]


@pytest.mark.parametrize(
    ("step", "sizes", "expected"),
    [
        (lambda c, x, h: [tg.tanh(h @ c.w + x)], [(W,)], "s0: dense in s0; s0: not affine"),
        (lambda c, x, h: [h @ c.w + x], [(W,)], "s0: dense in s0; s0: affine"),
        (lambda c, x, h: [tg.tanh(c.a * h + x)], [(W,)], "s0: diagonal in s0; s0: not affine"),
        (lambda c, x, h: [tg.sigmoid(x) * h + x], [(W,)], "s0: diagonal in s0; s0: affine"),
        (lambda c, x, h: [tg.flip(h, axis=-1) + x], [(W,)], "s0: permuted in s0; s0: affine"),
        (lambda c, x, h: [x * 2.0], [(W,)], "s0: delayed input"),
        (
            lambda c, x, h: [tg.einsum("bhi,hij->bhj", h, c.heads)],
            [(2, 3)],
            "s0: block in s0, along axis 1; s0: affine",
        ),
        (
            lambda c, x, re, im: [c.a * re - im * x, c.a * im + re * x],
            [(W,), (W,)],
            "s0: diagonal in s0; s0: diagonal in s1; s0: affine; "
            "s1: diagonal in s0; s1: diagonal in s1; s1: affine",
        ),
        (
            lambda c, x, h, m: [tg.tanh(h @ c.w + x), m * tg.sigmoid(x) + h],
            [(W,), (W,)],
            "s0: dense in s0; s0: not affine; s1: diagonal in s0; s1: diagonal in s1; s1: affine",
        ),
        (
            lambda c, x, m: [m * 0.9 + x[:, :, None] * x[:, None, :]],
            [(W, W)],
            "s0: diagonal in s0; s0: affine",
        ),
    ],
)
def test_what_is_said_of_a_state(step, sizes, expected) -> None:
    assert "; ".join(state_of(step, *sizes)) == expected


def test_the_reason_and_its_line_are_said() -> None:
    plan = nn.RNNCell(3, 4).plan(batch_size=2, steps=5)
    dense, not_affine = plan.state
    assert (dense.because, not_affine.because) == ("matmul", "tanh")
    (source,) = not_affine.sources
    file, _, line = source.rpartition(":")
    assert "activation(" in linecache.getline(file, int(line))
    assert "h           dense in h  matmul      rnn.py:" in str(plan)
    assert "dense in h" in plan._repr_html_()
