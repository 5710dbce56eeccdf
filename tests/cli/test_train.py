from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.cli import main
from tinygrad_rnn.invocation import command

from .conftest import SMALL, Fails


def train(data: Path, out: Path, *options: str) -> int:
    return main(["train", "--data", str(data), "--out", str(out), *SMALL, *options])


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, np.ndarray]:
    return tg.load(folder / "checkpoint.safetensors")["model"]


def test_trains_the_plain_rnn_and_then_the_lstm(
    names_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(names_folder, tmp_path) == 0
    folder = tmp_path / "names"
    assert sorted(f.name for f in folder.iterdir()) == [
        "bptt.svg",
        "lstm",
        "report.html",
        "rnn",
        "run.json",
    ]
    lines = {cell: metrics(folder / cell) for cell in ("rnn", "lstm")}
    for found in lines.values():
        assert [line["epoch"] for line in found] == [1, 2]
        for line in found:
            assert 0 <= line["val_accuracy"] <= 1
            assert min(line["train_loss"], line["val_loss"], line["seconds"]) > 0
    assert ET.parse(folder / "bptt.svg").getroot().tag.endswith("svg")
    said = capsys.readouterr().out
    assert re.search(rf"^rnn .*{lines['rnn'][1]['val_accuracy']:.3f}", said, re.MULTILINE)
    assert re.search(rf"^lstm .*{lines['lstm'][1]['val_accuracy']:.3f}", said, re.MULTILINE)
    assert (
        max(
            map(
                len,
                said.replace(str(tmp_path), "runs").replace(command(), "tinygrad-rnn").splitlines(),
            )
        )
        <= 80
    )


def test_the_report_answers_measures_and_shows_what_happens_inside(
    names_folder: Path, tmp_path: Path
) -> None:
    assert train(names_folder, tmp_path) == 0
    page = (tmp_path / "names" / "report.html").read_text(encoding="utf-8")
    name = re.search(r"<h1>Which language is “(\w+)” from\?</h1>", page)
    assert name is not None
    (language,) = (
        path.stem
        for path in names_folder.glob("*.txt")
        if name[1] in path.read_text(encoding="utf-8").split()
    )
    assert f"“{name[1]}” is {language}. It is one of the names held out" in page
    for text in ("rnn h", "lstm c", "forget gate", "weight_hh_l0", *name[1]):
        assert f">{text}<" in page


def test_without_data_trains_on_the_packaged_surnames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--hidden-size", "4", "--embedding-size", "4", "--batch-size", "2000"]
    assert main(["train", "--cell", "rnn", "--epochs", "1", *options]) == 0
    assert len(metrics(tmp_path / "runs" / "surnames" / "rnn")) == 1


def test_model_file_has_all_that_rebuilds_the_models(names_folder: Path, tmp_path: Path) -> None:
    assert train(names_folder, tmp_path, "--cell", "lstm", "gru") == 0
    for cell, rows in {"lstm": 32, "gru": 24}.items():
        saved = tg.load(tmp_path / "names" / cell / "checkpoint.safetensors")
        assert saved["about"]["classes"] == ["Italian", "Japanese", "Polish"]
        assert saved["about"]["settings"]["hidden_size"] == 8
        assert saved["about"]["cell"] == cell
        assert saved["model"]["recurrent.weight_hh_l0"].shape == (rows, 8)


def test_learns(run_folder: Path) -> None:
    first, *_, last = metrics(run_folder / "lstm")
    assert last["train_loss"] < 0.5 * first["train_loss"]
    assert last["train_accuracy"] > 0.9


def test_same_seed_same_bits(names_folder: Path, tmp_path: Path) -> None:
    """In processes of their own, so that nothing is shared, not even the order of sets."""
    for run in ("a", "b"):
        command = [sys.executable, "-m", "tinygrad_rnn", "train", "--data", str(names_folder)]
        subprocess.run(
            [*command, "--out", str(tmp_path), "--name", run, *SMALL],
            env={**os.environ, "PYTHONHASHSEED": str(ord(run))},
            check=True,
            capture_output=True,
        )
    a, b = tmp_path / "a", tmp_path / "b"
    for file in ("bptt.svg", "report.html", "run.json"):
        assert (a / file).read_bytes() == (b / file).read_bytes()
    for cell in ("rnn", "lstm"):
        for name, array in weights(a / cell).items():
            assert weights(b / cell)[name].tobytes() == array.tobytes()

    def measured(folder: Path) -> list[dict[str, float]]:
        return [{k: v for k, v in m.items() if k != "seconds"} for m in metrics(folder)]

    for cell in ("rnn", "lstm"):
        assert measured(a / cell) == measured(b / cell)


def test_what_a_cell_learns_depends_on_the_seed_and_not_on_other_cells(
    names_folder: Path, tmp_path: Path
) -> None:
    runs = {"both": ["rnn", "gru"], "alone": ["gru"], "other": ["gru", "--seed", "1"]}
    for name, cells in runs.items():
        assert train(names_folder, tmp_path, "--name", name, "--cell", *cells) == 0
    read = {name: weights(tmp_path / name / "gru")["readout.weight"] for name in runs}
    assert np.array_equal(read["both"], read["alone"])
    assert not np.array_equal(read["other"], read["alone"])


def test_no_run_writes_over_another(names_folder: Path, tmp_path: Path, fails: Fails) -> None:
    for _ in range(2):
        assert train(names_folder, tmp_path, "--cell", "rnn", "--epochs", "1") == 0
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["names", "names-2"]
    before = (tmp_path / "names" / "rnn" / "checkpoint.safetensors").read_bytes()
    message = fails("train", "--data", names_folder, "--out", tmp_path, "--name", "names", *SMALL)
    assert "names' already exists" in message
    assert (tmp_path / "names" / "rnn" / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("Dutch.txt", b"", "Dutch.txt' has no item"),
        ("Dutch.txt", b"Jansen\n", "Dutch.txt' has one item only"),
        ("Dutch.txt", b"Jansen\nCo\xffnen\n", "Dutch.txt', line 2: byte 0xff"),
    ],
)
def test_unusable_data(
    file: str, content: bytes, expected: str, names_folder: Path, tmp_path: Path, fails: Fails
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for path in (*names_folder.iterdir(),):
        (data / path.name).write_bytes(path.read_bytes())
    (data / file).write_bytes(content)
    assert expected in fails("train", "--data", data, "--out", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--data", "no/such/folder"], "no folder 'no/such/folder'"),
        (["--cell", "transformer"], "no cell 'transformer': it is one of gru, lstm, rnn"),
        (["--cell", "lstm", "LSTM"], "twice"),
        (["--epochs", "0"], "epochs is 0, but must be at least 1"),
        (["--epochs", "many"], "--epochs: invalid int value: 'many'"),
        (["--learning-rate", "nan"], "learning_rate is nan"),
        (["--dropout", "1"], "dropout is 1.0"),
        (["--what"], "--what"),
    ],
)
def test_unusable_options(options: list[str], expected: str, tmp_path: Path, fails: Fails) -> None:
    assert expected in fails("train", "--out", tmp_path / "runs", *options)
    assert not (tmp_path / "runs").exists()


def test_divergence_is_an_error_and_leaves_no_empty_folder(
    names_folder: Path, tmp_path: Path, fails: Fails
) -> None:
    options = ["--learning-rate", "1e30", "--weight-decay", "1e30", "--epochs", "50"]
    message = fails(
        "train", "--data", names_folder, "--out", tmp_path, "--cell", "rnn", *SMALL, *options
    )
    assert "the loss is nan in epoch 1" in message or "the loss is inf in epoch 1" in message
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written_to(names_folder: Path, tmp_path: Path, fails: Fails) -> None:
    (tmp_path / "runs").write_text("a file")
    message = fails("train", "--data", names_folder, "--out", tmp_path / "runs", *SMALL)
    assert "runs" in message


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX terminal")
def test_progress_bar_in_a_terminal_only(names_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tinygrad_rnn", "train", "--data", str(names_folder)]
    command += ["--out", str(tmp_path), "--cell", "rnn", *SMALL]
    ours, theirs = os.openpty()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert re.search(r"rnn: +\d+%.*/8 ", shown)
    assert max(map(len, re.split(r"[\r\n]+", shown))) < 80
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""


# Resuming


def killed(names_folder: Path, out: Path, *options: str) -> Path:
    """The folder of a run that was killed after the first epoch of its second cell."""
    command = [sys.executable, "-m", "tinygrad_rnn", "train", "--data", str(names_folder)]
    command += ["--out", str(out), *SMALL, "--epochs", "4", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        rows = (line for line in process.stdout or () if re.match(r" +\d+ +\d+\.", line))
        for _ in range(6):
            next(rows)
        process.kill()
    return out / "names"


def test_a_killed_run_goes_on_by_its_folder_alone(
    names_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(names_folder, tmp_path / "whole", "--epochs", "4") == 0
    folder = killed(names_folder, tmp_path / "killed")
    capsys.readouterr()
    assert main(["train", "--resume", str(folder)]) == 0
    said = capsys.readouterr().out
    assert len(re.findall(r"^ +\d+ +\d+\.", said, re.MULTILINE)) == 8
    for cell in ("rnn", "lstm"):
        expected = weights(tmp_path / "whole" / "names" / cell)
        for name, array in weights(folder / cell).items():
            assert expected[name].tobytes() == array.tobytes(), name
    assert (folder / "report.html").exists()
    assert len(metrics(folder / "lstm")) == 4


def test_what_cannot_be_resumed(names_folder: Path, tmp_path: Path, fails: Fails) -> None:
    assert "no run to go on with" in fails("train", "--resume", tmp_path)
    assert "no run to go on with" in fails("train", "--resume", tmp_path / "none")
    assert train(names_folder, tmp_path, "--cell", "gru", "--epochs", "1") == 0
    run = tmp_path / "names"
    assert "--epochs: not with --resume" in fails("train", "--resume", run, "--epochs", "3")
    assert "has gru" in fails("train", "--resume", run, "--cell", "lstm")
    data = tmp_path / "data"
    data.mkdir()
    for path in names_folder.iterdir():
        (data / path.name).write_bytes(path.read_bytes())
    assert train(data, tmp_path, "--cell", "gru", "--epochs", "1") == 0
    (data / "Polish.txt").write_text("Kowalczyk\n" + (data / "Polish.txt").read_text())
    assert "about names is" in fails("train", "--resume", tmp_path / "data-2")


def test_a_cell_of_ones_own_is_named_again(
    names_folder: Path, tmp_path: Path, fails: Fails
) -> None:
    file = tmp_path / "my_file.py"
    file.write_text("from tinygrad_rnn.nn import GRUCell\nclass Mine(GRUCell): pass\n")
    assert train(names_folder, tmp_path, "--cell", f"{file}:Mine", "--epochs", "1") == 0
    run = tmp_path / "names"
    assert "whose code is not in it" in fails("train", "--resume", run)
    assert main(["train", "--resume", str(run), "--cell", f"{file}:Mine"]) == 0
