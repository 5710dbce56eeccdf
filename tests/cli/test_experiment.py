from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.cli import main
from tinygrad_rnn.invocation import command

from .conftest import Fails

EXPERIMENT = """
import sys

import numpy as np
import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.data import Windows, time_split
from tinygrad_rnn.training import fit, over_seeds

WAVE = np.sin(np.arange(60) / 3)


class Model(nn.Module):
    def __init__(self):
        self.gru = nn.GRU(1, 4)
        self.readout = nn.Linear(4, 1)

    def forward(self, x):
        return self.readout(self.gru(x)[0][-1])


def loss(model, batch):
    return nn.mse_loss(model(batch.inputs), batch.targets[0])


def train(run, seed=0):
    tg.manual_seed(seed)
    past, future = time_split(len(WAVE))
    model = Model()
    return fit(
        model, loss, Windows(WAVE[past], 5, batch_size=16, generator=seed),
        validation=Windows(WAVE[future], 5, batch_size=16), epochs=3,
        optimizer=tg.optim.Adam(model.parameters(), lr=0.01), run=run,
    )


def main(run):
    BODY
"""


def experiment(folder: Path, body: str) -> Path:
    file = folder / "my_experiment.py"
    file.write_text(EXPERIMENT.replace("BODY", body), encoding="utf-8")
    return file


def test_a_training_of_ones_own_has_a_folder_and_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = experiment(tmp_path, "train(run)")
    for _ in range(2):
        assert main(["train", str(file), "--out", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr()
    assert said.out.count("3 epochs  train_loss") == 2
    assert "epoch  train_loss" in said.err
    folder = tmp_path / "runs" / "my_experiment"
    assert sorted(f.name for f in folder.iterdir()) == [
        "checkpoint.safetensors",
        "metrics.jsonl",
        "report.html",
    ]
    page = (folder / "report.html").read_text(encoding="utf-8")
    for text in ("History", "validation", "reset gate", "Gradient flow"):
        assert text in page
    assert (tmp_path / "runs" / "my_experiment-2" / "report.html").exists()


def test_several_seeds_are_parts_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = """return over_seeds(
        lambda seed: {"loss": train(run.part(f"seed-{seed}"), seed)["val_loss"][-1]}, 2
    )"""
    file = experiment(tmp_path, body)
    assert main(["train", str(file), "--out", str(tmp_path), "--name", "run"]) == 0
    said = capsys.readouterr().out
    assert "seed-0: 3 epochs" in said and "seed-1: 3 epochs" in said
    last = [
        tg.load(tmp_path / "run" / f"seed-{seed}" / "checkpoint.safetensors")["history"][-1]
        for seed in (0, 1)
    ]
    mean = sum(row["val_loss"] for row in last) / 2
    assert f"loss: {mean:.3f} ± " in said


def test_an_interrupted_experiment_goes_on(tmp_path: Path) -> None:
    stopping = """def stop(training):
        if training.epoch == 2:
            raise KeyboardInterrupt
    fit_with = tg.training.fit
    globals()["fit"] = lambda *a, **k: fit_with(*a, **k, callbacks=[stop])
    train(run)"""
    file = experiment(tmp_path, stopping)
    train = [sys.executable, "-m", "tinygrad_rnn", "train", str(file), "--out", str(tmp_path)]
    done = subprocess.run(train, capture_output=True, text=True)
    assert done.returncode == 130
    folder = tmp_path / "my_experiment"
    assert f"to continue: {command('train', file, '--resume', folder)}" in done.stderr
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 1
    experiment(tmp_path, "train(run)")
    assert subprocess.run([*train[:-2], "--resume", str(folder)]).returncode == 0
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("pass", "trained nothing in the run: pass it on, fit(..., run=run)"),
        ("1 / 0", "line 38: ZeroDivisionError: division by zero"),
        ("run.nothing", "AttributeError"),
        (
            "fit(Model(), loss, [1], epochs=1, optimizer=None, run=run)",
            "optimizer is NoneType, not an Optimizer",
        ),
        ("model = Model(); fit(model, loss, [1], epochs=1, run=run,"
         " optimizer=tg.optim.SGD(model.parameters()))", "has no state_dict"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_leave_no_folder(
    body: str, message: str, tmp_path: Path, fails: Fails
) -> None:
    file = experiment(tmp_path, body)
    assert message in fails("train", file, "--out", tmp_path / "runs")
    assert not list((tmp_path / "runs").iterdir())


def test_what_is_no_experiment(tmp_path: Path, fails: Fails) -> None:
    assert "there is no such file" in fails("train", tmp_path / "none.py")
    file = tmp_path / "a.py"
    file.write_text("def train(): pass")
    assert "has no function main(run)" in fails("train", file)
    file = tmp_path / "b.py"
    file.write_text("def main(): pass")
    assert "main() should be main(run)" in fails("train", file)
    assert "--epochs: not with an experiment" in fails("train", file, "--epochs", "3")
    assert "no folder" in fails("train", experiment(tmp_path, "pass"), "--resume", tmp_path / "no")


def test_a_run_of_an_experiment_is_not_resumed_without_its_file(
    tmp_path: Path, fails: Fails
) -> None:
    (tmp_path / "checkpoint.safetensors").touch()
    assert f"train my_experiment.py --resume {tmp_path}" in fails("train", "--resume", tmp_path)
