"""`tinygrad-rnn card`: the page is written, and what is wrong is said in one line."""

from __future__ import annotations

from tinygrad_rnn.cli import main

CELL = """
import tinygrad_rnn as tg

class MyCell(tg.nn.Cell):
    def __init__(self, input_size, hidden_size):
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.linear = tg.nn.Linear(input_size, hidden_size)

    def step(self, x, h, dt):
        decay = tg.exp(-tg.softplus(dt))
        return h, tg.tanh(self.linear(x) + decay * h)
"""


def test_the_card_of_ones_own_cell(tmp_path, capsys) -> None:
    file, page = tmp_path / "my_file.py", tmp_path / "card.html"
    file.write_text(CELL, encoding="utf-8")
    arguments = ["card", f"{file}:MyCell", "--with", "input_size=2", "hidden_size=3"]
    arguments += ["--only", "equations", "structure"]
    assert main([*arguments, "--out", str(page)]) == 0
    said = capsys.readouterr().out
    assert "1 equation" in said
    assert "Written in" in said and page.as_uri() in said
    written = page.read_text(encoding="utf-8")
    assert "MyCell" in written and r"\operatorname{softplus} (\mathrm{dt}_{t})" in written
    assert main([*arguments, "--out", str(page)]) == 2
    assert "already exists" in capsys.readouterr().err


def test_what_is_wrong_is_said(tmp_path, fails) -> None:
    file = tmp_path / "broken.py"
    file.write_text(CELL.replace("decay * h", "decay @ h"), encoding="utf-8")
    assert "broken.py, line 12" in fails("card", f"{file}:MyCell")
    assert "no cell 'ltsm' (did you mean 'lstm'?)" in fails("card", "ltsm")
    assert "no task 'adding2'" in fails("card", "lstm", "--task", "adding2")
    assert "--with: " in fails("card", "lstm", "--with", "heads=2")
    assert "no part 'speeed' (did you mean 'speed'?)" in fails("card", "lstm", "--only", "speeed")
    assert "end in .html" in fails("card", "lstm", "--out", "card.pdf")
    assert "NAME=VALUE" in fails("card", "lstm", "--with", "4")
