"""Each example runs by itself and ends with the table or picture that it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def run(tmp_path: Path):
    """Run an example in an empty folder; what it prints."""

    def run(name: str) -> str:
        finished = subprocess.run(
            [sys.executable, "-W", "error", str(ROOT / "examples" / name)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            timeout=180,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    return run


def number(pattern: str, text: str) -> float:
    """The number that the group of `pattern` matches in `text`."""
    found = re.search(pattern, text, re.MULTILINE)
    assert found, f"no {pattern!r} in:\n{text}"
    return float(found[1])


def test_backprop_by_hand_agrees_with_the_engine(run) -> None:
    printed = run("backprop_by_hand.py")
    assert re.search(r"d_u .* -0\.61976660 +-0\.61976660", printed)
    assert number(r"Largest difference.*: (.*)$", printed) < 1e-15


def test_lstm_keeps_the_gradient_that_the_rnn_loses(run) -> None:
    printed = run("adding_problem.py")
    errors = {name: number(rf"^{name} +(\S+)", printed) for name in ("RNN", "LSTM")}
    left = {name: number(rf"^{name} .* (\S+)$", printed) for name in ("RNN", "LSTM")}
    assert errors["LSTM"] < 0.05 < 0.1 < errors["RNN"]
    assert left["RNN"] < 1e-4 < 1e-1 < left["LSTM"]


def test_own_cell_is_checked_trained_and_drawn(run, tmp_path: Path) -> None:
    printed = run("peephole_lstm.py")
    assert "16 laws hold, 0 broken" in printed
    accuracy = number(r"PeepholeLSTMCell +3 +\S+ +(\S+)", printed)
    assert accuracy > 0.4
    picture = ElementTree.parse(tmp_path / "peephole_lstm.svg").getroot()
    assert picture.tag.endswith("svg")
    assert "forget gate" in "".join(picture.itertext())


def test_own_op_is_checked_and_learns(run) -> None:
    printed = run("own_op.py")
    assert "7 derivatives right" in printed
    assert number(r"^  isru +(\S+)", printed) < 0.05


def test_wrong_cell_is_caught_at_its_gate_time_step_and_line(run) -> None:
    printed = re.sub(r"\s+", " ", run("wrong_cell.py"))  # lines are wrapped
    source = (ROOT / "examples" / "wrong_cell.py").read_text(encoding="utf-8").splitlines()
    line = 1 + next(i for i, text in enumerate(source) if "forget = gate(" in text)
    place = rf"gate \(forget gate\) \[WrongCell, step 0, \S*wrong_cell\.py:{line}\]"
    assert re.search(rf"first wrong on the way back: the gradient of {place}", printed)
    assert re.search(r"BROKEN +parameters", printed) and re.search(r"holds +padding", printed)
    assert "RightCell(input_size=2, hidden_size=3): 16 laws hold, 0 broken" in printed


def test_every_example_is_tested() -> None:
    names = {path.name for path in (ROOT / "examples").glob("*.py")}
    tested = set(re.findall(r'run\("(\w+\.py)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert names == tested
