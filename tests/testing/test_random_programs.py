"""Random programs give the same here and in the peers; and a difference would be noticed."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

programs = runpy.run_path(str(Path(__file__).with_name("random_programs.py")))


def mismatches(peer: str, count: int) -> list[str]:
    found: list[str] = []
    programs["compare"](count, 0, [peer], found.append)
    return found


def test_500_programs_in_pytorch() -> None:
    pytest.importorskip("torch", reason="needs PyTorch")
    assert mismatches("PyTorch", 500) == []


def test_500_programs_in_jax() -> None:
    pytest.importorskip("jax", reason="needs JAX")
    assert mismatches("JAX, compiled", 500) == []


def test_a_few_programs_in_jax_op_by_op() -> None:
    pytest.importorskip("jax", reason="needs JAX")
    assert mismatches("JAX", 5) == []


@pytest.mark.parametrize("wrong", ["value", "gradient"])
def test_a_wrong_answer_is_noticed_and_shown(wrong, monkeypatch) -> None:
    def peer(program, weights):
        values, gradients = programs["in_tinygrad_rnn"](program, weights)
        changed = values if wrong == "value" else gradients
        changed[0] = changed[0] * (1 + 1e-6) + 1e-6
        return values, gradients

    rng = np.random.default_rng(0)
    program = programs["random_program"](rng, 4)
    assert programs["difference"](program, programs["in_tinygrad_rnn"]) is None
    assert programs["difference"](program, peer).startswith(f"{wrong} 0: ")
    monkeypatch.setitem(programs["PEERS"], "PyTorch", ("torch", peer))
    (shown,) = mismatches("PyTorch", 1)
    assert shown.startswith("program 0 of seed 0 against PyTorch: ") and "v0 = array(" in shown


def test_every_op_occurs() -> None:
    rng = np.random.default_rng(0)
    used = {s.form.name for _ in range(150) for s in programs["random_program"](rng, 8).steps}
    assert used == {form.name for form in programs["FORMS"]}
