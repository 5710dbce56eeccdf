"""Each example runs by itself and ends with the table or picture that it promises."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run an example in an empty folder, as `python` does; what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: str) -> str:
        path = str(ROOT / "examples" / name)
        monkeypatch.setattr(sys, "argv", [path, *arguments])
        runpy.run_path(path, run_name="__main__")
        return capsys.readouterr().out

    yield run
    plt.close("all")


def test_an_example_runs_by_itself(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / "backprop_by_hand.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=180,
    )
    assert finished.returncode == 0 and "Largest difference" in finished.stdout, finished.stderr


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
    assert "21 laws hold, 0 broken" in printed
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
    printed = run("wrong_cell.py")
    source = (ROOT / "examples" / "wrong_cell.py").read_text(encoding="utf-8").splitlines()
    line = 1 + next(i for i, text in enumerate(source) if "forget = gate(" in text)
    place = rf"gate \(forget gate\) \[WrongCell, step 0, \S*wrong_cell\.py:{line}\]"
    words = " ".join(printed.split())  # a long line of the table is wrapped
    assert re.search(rf"first wrong on the way back: the gradient of {place}", words)
    assert re.search(r"BROKEN +parameters", printed) and re.search(r"holds +padding", printed)
    assert "RightCell(input_size=2, hidden_size=3): 21 laws hold, 0 broken" in printed


def column(printed: str, which: int) -> dict[str, float]:
    """A column of the table that an example prints: by the row's name, the mean."""
    rows = re.findall(r"^ *(\S[^\n]*?)  +(\d+\.\d.*)$", printed, re.MULTILINE)
    cells = {name: re.findall(r"(\S+?)%?(?: ± \S+)?(?:  +|$)", rest) for name, rest in rows}
    return {name: float(found[which]) for name, found in cells.items() if len(found) > which}


def is_picture(path: Path) -> bool:
    """An SVG in which something is drawn."""
    return len(list(ElementTree.parse(path).getroot().iter())) > 50


@pytest.mark.one_in(3, "example of a use")
def test_sentences_are_learnt_and_counting_is_hard_to_beat(run, tmp_path: Path) -> None:
    printed = run("sentences.py", "--quick")
    alone, mixed = column(printed, 0), column(printed, 1)
    assert alone["6-gram"] < alone["RNN"] < alone["feed-forward, without order"] < 6.5
    assert mixed["RNN"] < alone["RNN"] - 0.3
    assert len(printed.split("The LSTM writes:")[1]) > 300
    assert is_picture(tmp_path / "sentences.svg")


@pytest.mark.one_in(3, "example of a use")
def test_genes_need_both_sides_of_the_boundary(run, tmp_path: Path) -> None:
    wrong = column(run("genes.py", "--quick"), 3)
    assert wrong["RNN, both ways"] < 15 < 40 < wrong["feed-forward, without order"]
    assert wrong["LSTM, both ways"] < 25 < wrong["RNN"]
    assert is_picture(tmp_path / "genes.svg")


@pytest.mark.one_in(3, "example of a use")
def test_handwriting_is_read_in_its_order(run, tmp_path: Path) -> None:
    printed = run("handwriting.py", "--quick")
    right = column(printed, 0)
    for name in ("RNN", "LSTM", "LSTM, both ways"):
        assert right["feed-forward, without order"] < 45 < 60 < right[name]
    assert right["LSTM that draws"] < 1.5  # nats; a uniform density over the tablet has 1.39
    assert is_picture(tmp_path / "handwriting.svg")


@pytest.mark.one_in(3, "example of a use")
def test_speech_of_strangers_is_told_apart(run, tmp_path: Path) -> None:
    right = column(run("speech.py", "--quick"), 0)
    assert right["LSTM, both ways"] > 25 and len(right) == 4  # by chance 10
    assert is_picture(tmp_path / "speech.svg")


@pytest.mark.one_in(3, "example of a use")
def test_sensor_is_forecast_better_than_by_the_year_before(run, tmp_path: Path) -> None:
    co2, weather = run("sensor.py", "--quick").split("highest")
    for part in (co2, weather):
        errors = column(part, 0)
        assert errors["LSTM"] < errors["as a year ago"] and errors["RNN"] < errors["as now"]
        assert errors["linear autoregression"] < errors["as now"]
    assert column(co2, 0)["LSTM"] < 0.8 * column(co2, 0)["feed-forward, without order"]
    assert is_picture(tmp_path / "sensor.svg")


@pytest.mark.one_in(3, "example of a use")
def test_stocks_have_a_volatility_and_no_direction(run, tmp_path: Path) -> None:
    printed = run("stocks.py", "--quick")
    surprise, direction = column(printed, 0), column(printed, 1)
    assert surprise["LSTM"] < surprise["random walk, always up"] - 0.1
    assert all(45 < share < 55 for share in direction.values())
    assert is_picture(tmp_path / "stocks.svg")


@pytest.mark.one_in(3, "example of a use")
def test_captions_are_composed_from_what_is_seen(run, tmp_path: Path) -> None:
    printed = run("captions.py", "--quick")
    whole, words = column(printed, 0), column(printed, 1)
    for name in ("feed-forward, without order", "RNN", "LSTM", "LSTM with attention"):
        assert words[name] > 40 and whole[name] <= words[name], printed
    assert is_picture(tmp_path / "captions.svg")


def test_the_seven_uses_are_short_enough_to_copy() -> None:
    for path in (ROOT / "examples").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 150, path.name


def test_data_is_small_and_its_source_and_licence_stand_beside_it() -> None:
    folder = ROOT / "examples/data"
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for path in folder.iterdir():
        assert path.stat().st_size < 300_000, path.name
        if path.suffix in (".npz", ".csv", ".txt"):
            section = readme.split(f"## {path.name}\n")[1].split("\n## ")[0]
            assert re.search("licen[cs]e|public.domain", section, re.IGNORECASE), path.name


def test_every_example_is_tested() -> None:
    names = {path.name for path in (ROOT / "examples").glob("*.py")}
    text = Path(__file__).read_text(encoding="utf-8")
    assert names == set(re.findall(r'run\("(\w+\.py)"', text))
