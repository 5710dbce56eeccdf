from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tinygrad_rnn.cli import main

from .conftest import Fails

CELL = """
import tinygrad_rnn as tg

class LeakyCell(tg.nn.Cell):
    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear = tg.nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x, h):
        candidate = tg.tanh(self.linear(tg.concatenate([x, h], axis=-1))).named("candidate")
        return (0.5 * h + 0.5 * candidate).named("leaky state")
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(CELL)
    return f"{tmp_path / 'mine.py'}:LeakyCell"


def test_a_cell_of_the_users_own_becomes_a_page(
    spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "map.html"
    assert main(["draw", spec, "--steps", "30", "--out", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["mine.py:LeakyCell over 30 steps", f"Open {out.as_uri()}"]
    data = json.loads(
        re.search(r'id="data">(.*?)</script>', out.read_text(encoding="utf-8"), re.S)[1]  # type: ignore[index]
    )
    steps = data["steps"].values()  # those that are drawn: the middle is folded
    assert (min(steps), max(steps)) == (0, 29)
    names = {box["name"] for box in data["levels"]["gates"]["boxes"]}
    assert {"candidate", "leaky state"} <= names


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_our_own_cells_become_an_svg_the_same_every_time(cell: str, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.svg", "b.svg")]
    for file in files:
        assert main(["draw", cell, "--steps", "4", "--out", str(file), "--layers", "2"]) == 0
    assert ET.parse(files[0]).getroot().tag.endswith("svg")
    assert files[0].read_bytes() == files[1].read_bytes()


def test_options_reach_the_picture(tmp_path: Path) -> None:
    out = tmp_path / "a.svg"
    common = ["draw", "gru", "--steps", "9", "--out", str(out)]
    assert main([*common, "--fold", "0", "--bidirectional"]) == 0
    text = out.read_text(encoding="utf-8")
    assert all(f">t = {t}<" in text for t in range(9))
    assert "against time" in text
    assert main([*common, "--fold", "4", "--level", "modules", "--force"]) == 0
    assert "t = 2 … 6" in out.read_text(encoding="utf-8")


def test_an_lstm_that_vanishes_says_why_and_with_an_open_forget_gate_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.svg"
    common = ["draw", "lstm", "--steps", "100", "--out", str(out)]
    assert main(common) == 0
    assert "because the forget gate is 0.48 on average" in capsys.readouterr().out
    assert "vanishes here" in out.read_text(encoding="utf-8")
    assert main([*common, "--forget-bias", "3", "--force"]) == 0
    assert "because" not in capsys.readouterr().out
    assert "vanishes here" not in out.read_text(encoding="utf-8")


def test_a_run_is_drawn_with_its_trained_weights_and_the_letters_of_the_name(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.svg"
    options = ["--name", "Nowak", "--trained", "gru", "--out", str(out)]
    assert main(["draw", str(run_folder), *options]) == 0
    assert capsys.readouterr().out.startswith("gru reading “Nowak”\n")
    text = out.read_text(encoding="utf-8")
    assert all(f">t = {t} · {letter}<" in text for t, letter in enumerate("Nowak"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["gru", "--forget-bias", "3"], "--forget-bias is for lstm"),
        (["gru", "--name", "Nowak"], "are for the folder of a run"),
        (["transformer"], "no cell 'transformer'"),
        (["lstm", "--steps", "0"], "--steps is 0, but must be at least 1"),
        (["lstm", "--out", "a.gif"], "'a.gif' should end in .svg or .png"),
        (["lstm", "--level", "atoms"], "--level"),
        (["lstm", "--out", "no/such/folder/a.svg"], "no/such/folder/a.svg"),
    ],
)
def test_what_cannot_be_drawn(options: list[str], expected: str, fails: Fails) -> None:
    assert expected in fails("draw", *options)


def test_no_file_is_written_over_without_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: Fails
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.svg").write_text("mine")
    assert "'a.svg' already exists: overwrite it" in fails("draw", "rnn", "--out", "a.svg")
    assert "'a.svg' already exists: overwrite it" in fails("plan", "rnn", "--out", "a.svg")
    assert "'a.svg' already exists: overwrite it" in fails("show", "vanishing", "--out", "a.svg")
    assert (tmp_path / "a.svg").read_text() == "mine"
    for _ in range(2):
        assert main(["draw", "rnn", "--steps", "2"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a.svg", "bptt.html", "bptt-2.html"}
    assert main(["draw", "rnn", "--steps", "2", "--out", "a.svg", "--force"]) == 0
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<")


def test_an_error_in_the_users_cell_names_its_line(spec: str, tmp_path: Path, fails: Fails) -> None:
    path = Path(spec.rpartition(":")[0])
    path.write_text(CELL.replace("0.5 * candidate", "0.5 * kandidat"))
    assert "mine.py, line 11: NameError" in fails("draw", spec, "--out", tmp_path / "a.svg")
