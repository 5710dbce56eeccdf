"""Published cells against their papers in 50 digits; a change in any op of a step is noticed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import pytree
from tinygrad_rnn.engine.dtypes import is_floating
from tinygrad_rnn.engine.recording.mode import ModeChange
from tinygrad_rnn.nn.recurrent.run import run

from .examples import NAMES, STEPS, by_the_paper, example, expected
from .papers import PAPERS, exact, mpmath


def assert_the_papers(name: str) -> None:
    """That outputs and last states are those of the paper."""
    for found, wanted in zip(example(name).run(), expected(name), strict=True):
        np.testing.assert_allclose(found, wanted.astype(float), rtol=1e-12, atol=1e-13)


def test_every_cell_is_compared_with_its_paper() -> None:
    assert sorted(PAPERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_values_are_the_papers(name) -> None:
    assert_the_papers(name)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_the_papers(name) -> None:
    cell, x, state, further = example(name)
    arrays = example(name).arrays
    rng = np.random.default_rng(7)
    floating = [is_floating(a) for a in arrays]
    inputs = [tg.tensor(a, requires_grad=f) for a, f in zip([x, *pytree.leaves(state)], floating)]
    given = pytree.unflatten(state, inputs[1:]), pytree.map(tg.tensor, further)
    outputs, last = run(cell, inputs[0], *given, unrolled=True)
    results = [outputs, *pytree.leaves(last)]
    weights = [rng.standard_normal(result.shape) for result in results]
    loss = sum(((r * w).sum() for r, w in zip(results, weights)), start=tg.tensor(0.0))
    ways = [rng.standard_normal(a.shape) if f else 0 for a, f in zip(arrays, floating)]
    leaves = [t for t, f in zip([*inputs, *cell.parameters()], floating, strict=True) if f]
    grads = tg.grad(loss, leaves, allow_unused=True)  # a learned start is no part of a step
    ways_of_leaves = [way for way, f in zip(ways, floating) if f]
    found = sum(float((g.data * w).sum()) for g, w in zip(grads, ways_of_leaves) if g is not None)

    step = mpmath.mpf(10) ** -20

    def total(sign: int) -> Any:
        moved = [
            exact(a) + sign * step * exact(way) if np.ndim(way) else a
            for a, way in zip(arrays, ways, strict=True)
        ]
        ends = by_the_paper(name, moved)
        return sum((end * exact(w)).sum() for end, w in zip(ends, weights, strict=True))

    wanted = float((total(1) - total(-1)) / (2 * step))
    assert found == pytest.approx(wanted, rel=1e-10)


CANCELS = {"RWKV4Cell": ["add", "maximum"]}
"""Ops whose value cancels out: what exponents are made smaller by, above and below a fraction."""


class _Planted:
    """Changes what one op of each step gives, a little: the engine shows it every new value."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.ops = 0  # so far, in all steps

    def forward(self, op: Any, node: Any, inputs: Any, attributes: Any) -> None:
        value = node._data
        if isinstance(value, tuple) or value.dtype.kind not in "fc":
            return  # of several outputs, each is shown by itself
        if self.ops == self.place:
            rng = np.random.default_rng(0)
            node._data = value * (1 + 1e-4) + 1e-4 * rng.standard_normal(value.shape)
            self.name = op.name
        self.ops += 1

    def backward(self, node: Any, position: int, grad: Any) -> None:
        pass


def _run_with(name: str, planted: _Planted) -> None:
    with tg.no_grad(), ModeChange(watch=planted):
        assert_the_papers(name)


@pytest.mark.one_in(3, "cell with planted changes")
@pytest.mark.parametrize("name", NAMES)
def test_a_change_in_any_op_of_a_step_is_noticed(name) -> None:
    example(name)  # made once, by ops that are not the step's
    seen = _Planted(-1)
    _run_with(name, seen)
    assert seen.ops >= STEPS
    unnoticed = []
    # The last step: after it, what it gives to the next one is compared, too.
    for place in range(seen.ops - seen.ops // STEPS, seen.ops):
        planted = _Planted(place)
        try:
            _run_with(name, planted)
        except AssertionError:
            continue
        unnoticed.append(planted.name)
    assert unnoticed == CANCELS.get(name, [])
