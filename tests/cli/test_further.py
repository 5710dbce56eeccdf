"""Cells with further inputs on the command line: their shapes, or what is assumed of them."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tinygrad_rnn import testing
from tinygrad_rnn.cli import main

CELL = """
import tinygrad_rnn as tg

class DecayCell(tg.nn.Cell):
    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.inner = tg.nn.RNNCell(input_size, hidden_size)
        self.topic = tg.nn.Linear(6, hidden_size)

    def forward(self, x, h, dt, about=None):
        h = tg.exp(-dt) * h
        if about is not None:
            h = h + self.topic(about.reshape(-1, 6))
        return self.inner(x, h)
"""
SIZES = ["--input-size", "2", "--hidden-size", "3", "--steps", "5", "--batch-size", "2"]


@pytest.fixture
def cell(tmp_path) -> str:
    file = tmp_path / "my_file.py"
    file.write_text(CELL, encoding="utf-8")
    return f"{file}:DecayCell"


@pytest.mark.parametrize("given", [[], ["--step-inputs", "dt=3", "--constants", "about=2x3"]])
def test_plan_draw_and_bench_make_them_up(cell, given, tmp_path, capsys) -> None:
    assert main(["plan", cell, *SIZES, *given]) == 0
    said = capsys.readouterr().out
    assert "dt" in said and ("about" in said) == bool(given)
    picture = tmp_path / "picture.svg"
    assert main(["draw", cell, *SIZES, *given, "--level", "ops", "--out", str(picture)]) == 0
    assert ("about" in picture.read_text(encoding="utf-8")) == bool(given)
    capsys.readouterr()
    assert main(["bench", cell, *SIZES, *given, "--only", "numpy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] > 0


def test_check_draws_them(cell, capsys, monkeypatch) -> None:
    few = partial(testing.check_cell, only=["state", "rows"])
    monkeypatch.setattr(testing, "check_cell", few)
    assert main(["check", cell, "--constants", "about=6"]) == 0
    assert "2 laws hold, 0 broken" in capsys.readouterr().out


def test_what_is_wrong_with_them_is_said(cell, fails) -> None:
    wrong = fails("plan", cell, "--step-inputs", "dtt=1")
    assert "DecayCell takes no input 'dtt'; did you mean 'dt'? its inputs: dt, about" in wrong
    assert "'dt=big' is not of the form NAME=SHAPE, such as dt=1" in fails(
        "draw", cell, "--step-inputs", "dt=big"
    )
