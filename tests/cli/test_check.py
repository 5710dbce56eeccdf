from __future__ import annotations

from pathlib import Path

import pytest

from tinygrad_rnn.cli import main

from .conftest import Fails

CELLS = """
import numpy as np
import tinygrad_rnn as tg

@tg.op(elementwise=True)
def gate(x):
    return np.tanh(x)

@gate.vjp
def _(grad, out, x):
    return grad * (1.0 - out)

class Right(tg.nn.Cell):
    gate = staticmethod(tg.tanh)

    def __init__(self, input_size, hidden_size, scale=1.0):
        self.hidden_size, self.scale = hidden_size, scale
        self.linear = tg.nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        return self.scale * self.gate(self.linear(tg.concatenate([x, h], -1))).named("reset gate")

class Wrong(Right):
    gate = staticmethod(gate)

class Needy(Right):
    def __init__(self, input_size, hidden_size, mode):
        super().__init__(input_size, hidden_size)
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(CELLS)
    return str(path)


def test_exit_status_0_and_a_table(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{file}:Right", "--with", "hidden_size=1", "scale=0.5"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Right(hidden_size=1, scale=0.5, input_size=2): 16 laws hold")


def test_exit_status_1_and_the_place(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{file}:Wrong", "--with", "hidden_size=1"]) == 1
    printed = capsys.readouterr().out
    assert "BROKEN          parameters" in printed
    assert "gate (reset gate) [Wrong, step 0, " in printed and "mine.py:21]" in printed


def test_excepted_laws(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    laws = ["parameters", "inputs", "initial state", "far"]
    arguments = ["check", f"{file}:Wrong", "--with", "hidden_size=1", "--except", *laws]
    assert main(arguments) == 0
    assert capsys.readouterr().out.count("  excepted  ") == 4


def test_what_cannot_be_checked(file: str, fails: Fails) -> None:
    assert "needs a value for 'mode'" in fails("check", f"{file}:Needy")
    assert "TypeError" in fails("check", f"{file}:Right", "--with", "hidden=1")
    assert "NAME=VALUE" in fails("check", f"{file}:Right", "--with", "hidden_size")
    assert "no law rowz; they are state, " in fails("check", "rnn", "--except", "rowz")
    assert "no class 'Missing'" in fails("check", f"{file}:Missing")
