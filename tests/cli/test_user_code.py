from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.cli import main
from tinygrad_rnn.user_code import UserCodeError, find_cell, load_class

from .conftest import SMALL, Fails

LEAKY = """
import tinygrad_rnn as tg
from helper import RATE

class LeakyCell(tg.nn.Cell):
    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.linear = tg.nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        new = tg.tanh(self.linear(tg.concatenate([x, h], axis=-1)))
        return (1 - RATE) * h + RATE * new

class Broken(LeakyCell):
    def forward(self, x, h):
        return x @ h
"""

STILL = """
class Still(LeakyCell):
    def forward(self, x, h):
        return h
"""


@pytest.fixture
def leaky(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "helper.py").write_text("RATE = 0.5\n")
    (folder / "random.py").write_text(LEAKY)  # named like a module that Python has
    return folder / "random.py"


def test_cell_of_the_users_own_is_trained_and_asked(
    leaky: Path,
    names_folder: Path,
    tmp_path: Path,
    fails: Fails,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = f"{leaky}:LeakyCell"
    options = ["--data", str(names_folder), "--out", str(tmp_path), *SMALL]
    assert main(["train", *options, "--cell", spec]) == 0
    assert main(["predict", str(tmp_path / "names"), "Nowak", "--cell", spec]) == 0
    said = capsys.readouterr().out
    assert said.count("Polish") == 1
    # The command at the end of the training is complete, though the code is not in the run.
    (line,) = re.findall(r"^Now try: .* -m tinygrad_rnn (.*)$", said, re.MULTILINE)
    assert main(shlex.split(line)) == 0
    # A model file names code, but is no reason to run it.
    assert "--cell random.py:LeakyCell" in fails("predict", tmp_path / "names", "Nowak")


def test_names_of_our_own_cells() -> None:
    assert find_cell("LSTM").cell is nn.LSTMCell


def test_a_file_is_run_once(leaky: Path) -> None:
    assert load_class(f"{leaky}:LeakyCell", nn.Cell) is load_class(f"{leaky}:LeakyCell", nn.Module)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("missing.py:MyCell", "there is no such file"),
        ("cell.txt:MyCell", "not the name of a .py file"),
        ("random.py:Leaky", "no class 'Leaky' in"),
        ("random.py:RATE", "is not a subclass of tinygrad_rnn's Cell"),
        ("random.py:", "it has LeakyCell, Broken"),
    ],
)
def test_classes_that_cannot_be_found(spec: str, expected: str, leaky: Path) -> None:
    with pytest.raises(UserCodeError, match=expected):
        find_cell(str(leaky.parent / spec))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\ndef (:\n", "line 2: SyntaxError"),
        ("\n\nimport no_such_module\n", "line 3: ModuleNotFoundError"),
        ("1 / 0\n", "line 1: ZeroDivisionError"),
        ("\nimport sys\nsys.exit(0)\n", "line 3: SystemExit: 0 (sys.exit() would end this command"),
    ],
)
def test_files_that_cannot_be_run(source: str, expected: str, tmp_path: Path, fails: Fails) -> None:
    file = tmp_path / "bad.py"
    file.write_text(source)
    message = fails("train", "--cell", f"{file}:MyCell")
    assert f"bad.py, {expected}" in message


def test_a_cell_that_fails_says_where_before_anything_is_trained(
    leaky: Path, names_folder: Path, tmp_path: Path, fails: Fails
) -> None:
    message = fails(
        "train", "--data", names_folder, "--out", tmp_path / "runs", "--cell", f"{leaky}:Broken"
    )
    assert "random.py, line 16: ValueError" in message
    assert not (tmp_path / "runs").exists()


def test_a_cell_that_records_no_step_is_trained_and_the_missing_report_is_said(
    names_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "still.py"
    file.write_text(LEAKY.replace("from helper import RATE\n", "RATE = 0.5\n") + STILL)
    options = ["--data", str(names_folder), "--out", str(tmp_path), *SMALL]
    assert main(["train", *options, "--cell", f"{file}:Still"]) == 0
    assert "No report.html: the model records no time steps" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are any bytes")
def test_a_file_name_that_is_not_utf_8(
    leaky: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9.py")
    file.write_text(LEAKY.replace("from helper import RATE\n", "RATE = 0.5\n"))
    assert (
        main(["draw", f"{file}:LeakyCell", "--steps", "2", "--out", str(tmp_path / "a.svg")]) == 0
    )
    assert "caf\\udce9.py:LeakyCell" in capsys.readouterr().out
