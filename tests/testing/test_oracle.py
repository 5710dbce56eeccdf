"""Gradients against 50 digits, and the oracle against difference quotients of its own."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

mp = pytest.importorskip("mpmath", reason="the oracle computes with mpmath (pip install mpmath)")
oracle = runpy.run_path(str(Path(__file__).with_name("oracle.py")))


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("steps", [1, 10, 100])
@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_gradients_are_the_true_ones_but_for_rounding(kind, steps, unroll) -> None:
    for name, (_, beside) in oracle["measured"](kind, steps, unroll).items():
        assert beside < 1000, name  # a factor of 1 + 1e-7 would be 4e8


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_the_oracle_is_right(kind) -> None:
    with mp.workdps(100):
        p = oracle["exactly"](oracle["point"](kind, 3))
        h = mp.mpf(10) ** -40
        for name, gradient in oracle["gradients"](kind, p).items():
            values, place = gradient, p[name]
            while isinstance(values[-1], list):
                values, place = values[-1], place[-1]
            before = place[-1]
            place[-1] = before + h
            ahead = oracle["last_output"](kind, p)
            place[-1] = before - h
            slope = (ahead - oracle["last_output"](kind, p)) / (2 * h)
            place[-1] = before
            assert abs(slope - values[-1]) <= mp.mpf(10) ** -55 * abs(slope), name


def test_an_error_of_one_ulp_is_seen() -> None:
    found = np.array([1.0, 2.0**-10])
    true = [mp.mpf(1), mp.mpf(2) ** -10 * (1 + mp.mpf(2) ** -52)]
    own, beside = oracle["errors"](found, true, False)
    assert own == 1.0 and beside == 2.0**-10
