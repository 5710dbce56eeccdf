"""Gradients against 50 digits, and the oracle against difference quotients of its own."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

mp = pytest.importorskip("mpmath", reason="needs mpmath")
oracle = runpy.run_path(str(Path(__file__).with_name("oracle.py")))


@pytest.mark.parametrize("steps", [1, 10, 100])
@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_gradients_are_the_true_ones_but_for_rounding(kind, steps) -> None:
    ways = {}
    for way, errors, in_contributions in oracle["measured"](kind, steps):
        ways[way] = in_contributions
        assert in_contributions < 8, way  # gradcheck allows 64
        assert max(beside for _, beside in errors.values()) < 1000, way
    assert {"scan", "unrolled"} < ways.keys()


def test_a_factor_is_seen_however_small_the_gradient() -> None:
    p = oracle["point"]("RNN", 100)
    with mp.workdps(50):
        true = oracle["gradients"]("RNN", oracle["exactly"](p))
    here = oracle["program"]("RNN", p, oracle["WAYS"]["scan"])
    found = dict(zip(here.names, here.gradient(here.point), strict=True))
    assert abs(found["x"][0]).max() < 1e-12
    sizes = dict(zip(here.names, oracle["_contributions"](here), strict=True))
    assert oracle["_errors"](found, true, sizes)[1] < 8
    found["x"][0] *= 1 + 1e-7
    assert oracle["_errors"](found, true, sizes)[1] > 1e4


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
