"""Every fault of the gym is found, and the network without it is not blamed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.lessons import gym


@pytest.mark.parametrize("fault", gym.FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_found_and_its_solution_is_right(fault: gym.Fault, tmp_path: Path) -> None:
    path = tmp_path / fault.file
    path.write_text(fault.text(), encoding="utf-8")
    assert not gym.inspect_file(path).mended
    path.write_text(fault.solution(), encoding="utf-8")
    finding = gym.inspect_file(path)
    assert finding.mended, finding


def test_there_are_twenty_and_their_lines_are_not_long() -> None:
    assert len({fault.file for fault in gym.FAULTS}) == 20
    assert max(len(line) for f in gym.FAULTS for line in f.text().splitlines()) <= 110


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("forget gate looks ahead", "the gradient of W, in the rows of f alone"),
        ("off-by-one state", "the gradient of W_hh"),
        ("padding read", "the outputs, from step 1 on (only of sequences that end before the"),
        ("stale gate", "the gradient of x, from step 3 back"),
    ],
)
def test_it_is_said_where(name: str, wrong: str, tmp_path: Path) -> None:
    (fault,) = (fault for fault in gym.FAULTS if fault.name == name)
    path = tmp_path / fault.file
    path.write_text(fault.text(), encoding="utf-8")
    assert any(found.startswith(wrong) for found in gym.inspect_file(path).wrong)


def test_what_the_reader_wrote_stays(tmp_path: Path) -> None:
    first, *_ = gym.start(tmp_path)
    first.write_text("x = 1\n", encoding="utf-8")
    gym.start(tmp_path)
    assert first.read_text(encoding="utf-8") == "x = 1\n"
    assert gym.inspect_file(first).wrong == ("KeyError: 'forward'",)
    first.write_text("def forward(x, state, weights, lengths):\n    return x[99]\n", "utf-8")
    assert gym.inspect_file(first).wrong[0].startswith("IndexError, line 2: ")


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["gym"]) == 0
    printed = capsys.readouterr().out
    assert "0 of 20 are fixed. Next: gym/01_transposed_weight.py" in printed.replace("\\", "/")
    file = "gym/13_forget_gate_looks_ahead.py"
    assert main(["gym", file, "--solution"]) == 1
    printed = capsys.readouterr().out
    assert "in the rows of f alone" in printed
    assert "- d_f = d_new_c * new_c\n+ d_f = d_new_c * c\n" in printed
    assert max(map(len, printed.splitlines())) <= 80
    path = tmp_path / file
    path.write_text(path.read_text("utf-8").replace("d_new_c * new_c", "d_new_c * c"), "utf-8")
    assert main(["gym", file]) == 0
    assert main(["gym"]) == 0
    assert "1 of 20 are fixed" in capsys.readouterr().out


def test_a_file_that_is_none_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text("", encoding="utf-8")
    for name in ("mine.py", "none.py"):
        assert main(["gym", str(tmp_path / name)]) == 2
    printed = capsys.readouterr().err
    assert "mine.py is not a file of the gym" in printed
    assert "there is no file" in printed


def test_the_networks_are_packaged() -> None:
    code = "from tinygrad_rnn.lessons import gym; print(len(gym.FAULTS[0].solution()))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    assert int(printed) > 500
