"""`tinygrad-rnn plan`: the table, the picture, and what is wrong in one line."""

from __future__ import annotations

from tinygrad_rnn.cli import main

CELL = """
import tinygrad_rnn as tg

class MyCell(tg.nn.Cell):
    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.linear = tg.nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        return tg.tanh(self.linear(x) + h).named("my state")
"""


def test_the_plan_of_ones_own_cell(tmp_path, capsys) -> None:
    file, picture = tmp_path / "my_file.py", tmp_path / "plan.svg"
    file.write_text(CELL, encoding="utf-8")
    assert main(["plan", f"{file}:MyCell", "--hidden-size", "5", "--out", str(picture)]) == 0
    said = capsys.readouterr().out
    assert "my state = tanh" in said and "my_file.py:10" in said and str(picture) in said
    assert "my state" in picture.read_text(encoding="utf-8")


def test_what_is_wrong_is_said(tmp_path, fails) -> None:
    file = tmp_path / "my_file.py"
    file.write_text(CELL.replace("self.linear(x)", "float(x.sum())"), encoding="utf-8")
    assert "my_file.py:10" in fails("plan", f"{file}:MyCell")
    assert "--steps is 0" in fails("plan", "lstm", "--steps", "0")
    assert "end in .svg" in fails("plan", "lstm", "--out", "plan.png")
