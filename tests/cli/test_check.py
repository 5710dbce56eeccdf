from __future__ import annotations

import io
from pathlib import Path

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.terminal import coloured

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

class Letters(Right):
    def __init__(self, hidden_size=2):
        super().__init__(hidden_size, hidden_size)
        self.letter = tg.nn.Embedding(4, hidden_size)

    def forward(self, x, h):
        return super().forward(self.letter(x[:, 0]), h)

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
    assert printed.startswith("Right(hidden_size=1, scale=0.5, input_size=2): 21 laws hold")


def test_exit_status_1_and_the_place(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{file}:Wrong", "--with", "hidden_size=1"]) == 1
    printed = capsys.readouterr().out
    assert "BROKEN          parameters" in printed
    printed = " ".join(printed.split())  # its lines are wrapped
    assert "gate (reset gate) [Wrong, step 0, " in printed and "mine.py:21]" in printed


def test_a_cell_of_indices(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{file}:Letters", "--indices", "4"]) == 0
    assert "there are none with a gradient" in capsys.readouterr().out


def test_a_layer_of_the_cell(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    layer = ["--layer", "bidirectional=True", "--with", "hidden_size=1"]
    assert main(["check", f"{file}:Right", *layer]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Recurrent(Right(hidden_size=1, input_size=2), bidirectional=True):")
    assert "bidirectional: an output depends on later steps, too" in printed
    assert main(["check", "rnn", "--layer", "--with", "hidden_size=1"]) == 0
    assert capsys.readouterr().out.startswith("Recurrent(RNNCell(hidden_size=1, input_size=2)): ")


def test_excepted_laws(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    laws = ["parameters", "inputs", "initial state", "far"]
    arguments = ["check", f"{file}:Wrong", "--with", "hidden_size=1", "--except", *laws]
    assert main(arguments) == 0
    assert capsys.readouterr().out.count("  excepted  ") == 4


def test_what_cannot_be_checked(file: str, fails: Fails) -> None:
    assert "needs a value for 'mode'" in fails("check", f"{file}:Needy")
    assert "TypeError" in fails("check", f"{file}:Right", "--with", "hidden=1")
    for word, wrong in (("hidden_size=x", "whole number, not 'x'"), ("hidden=1", "'hidden'")):
        assert wrong in fails("check", "lstm", "--with", word)
        assert wrong in fails("card", "lstm", "--with", word)
    assert "NAME=VALUE" in fails("check", f"{file}:Right", "--with", "hidden_size")
    assert "no law 'rowz' (did you mean 'rows'?); they are state, " in fails(
        "check", "rnn", "--except", "rowz"
    )
    assert "--indices: at least 1, not 0" in fails("check", "rnn", "--indices", "0")
    assert "--layer: Recurrent" in fails("check", "rnn", "--layer", "layers=2")
    assert "--layer: num_layers must be at least" in fails(
        "check", "rnn", "--layer", "num_layers=0"
    )
    assert "no class 'Missing'" in fails("check", f"{file}:Missing")


def test_verdicts_are_coloured_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    table = "Cell: 1 laws hold\n  holds           state\n  BROKEN          rows\n      holds"
    assert coloured(table, Terminal()) == table.replace(
        "  holds           s", "  \033[32mholds\033[0m           s"
    ).replace("BROKEN", "\033[1;31mBROKEN\033[0m")
    assert coloured(table, io.StringIO()) == table
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured(table, Terminal()) == table


def test_a_class_may_have_any_name_but_does_not_steer_the_terminal(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(file).read_text() + "\nRight.__name__ = 'Red\\x1b[31m'\n"
    Path(file).write_text(source)
    assert main(["check", f"{file}:Right", "--with", "hidden_size=1"]) == 0
    printed = capsys.readouterr().out
    assert "Red\\x1b[31m" in printed and "\x1b" not in printed


def test_what_is_too_long_is_said(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match="not enough"):
        assert main(["check", f"{file}:Right", "--seconds", "1e-9"]) == 0
    assert "not checked" in capsys.readouterr().out
    assert main(["check", f"{file}:Right", "--input-shape", "2", "--with", "hidden_size=1"]) == 0
