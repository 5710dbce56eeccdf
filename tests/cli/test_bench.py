"""`tinygrad-rnn bench`: a cell of one's own against its own export, in 80 columns."""

from __future__ import annotations

import json

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.cli.commands import bench
from tinygrad_rnn.export import measurement

CELL = """
import tinygrad_rnn as tg

class MyCell(tg.nn.Cell):
    def __init__(self, input_size, hidden_size):
        self.hidden_size = hidden_size
        self.linear = tg.nn.Linear(input_size, hidden_size)

    def forward(self, x, h):
        return tg.tanh(self.linear(x) + h)
"""
SMALL = ("--input-size=3", "--hidden-size=4", "--batch-size=2", "--steps=5")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps, and in this process."""
    monkeypatch.setattr(measurement, "_SECONDS", 0.0)
    monkeypatch.setattr(bench, "_in_a_process", bench._measured)
    monkeypatch.setattr(bench.os, "sched_setaffinity", lambda pid, cores: None, raising=False)


def test_libraries_are_compared_and_agree(tmp_path, capsys) -> None:
    file = tmp_path / "my_file.py"
    file.write_text(CELL, encoding="utf-8")
    assert main(["bench", f"{file}:MyCell", *SMALL]) == 0
    said = capsys.readouterr().out
    assert f"{file}:MyCell" in said and "Processor: " in said
    assert all(len(line) <= 80 for line in said.splitlines() if str(file) not in line)
    for library in measurement.available():
        assert bench._NAMES[library] in said
    if len(measurement.available()) > 1:
        assert "They agree to" in said


def test_one_library_alone_as_json(capsys) -> None:
    assert main(["bench", "lstm", *SMALL, "--only=numpy", "--json"]) == 0
    first, step, _, loss, slope = json.loads(capsys.readouterr().out)
    assert 0 < step < first + step and loss > 0 and slope > 0


def test_what_is_not_installed_is_said(monkeypatch, capsys) -> None:
    def measured(library, options):
        return measurement.Measurement(1.0, 0.1, None, 1.0, 1.0)

    monkeypatch.setattr(bench, "_in_a_process", measured)
    monkeypatch.setattr(measurement, "available", lambda: ["numpy", "jax"])
    assert main(["bench", "lstm", *SMALL]) == 0
    said = capsys.readouterr().out
    assert "Not installed: tinygrad_rnn, llvm; PyTorch. To compare" in said and "[peers]" in said
    assert main(["bench", "lstm", *SMALL, "--only=numpy"]) == 0
    assert "Not installed" not in capsys.readouterr().out


def test_results_that_differ_are_said(monkeypatch, capsys) -> None:
    made = iter([1.0, 2.0, 2.0, 2.0])

    def measured(library, options):
        return measurement.Measurement(1.0, 0.1, None, next(made), 1.0)

    monkeypatch.setattr(bench, "_in_a_process", measured)
    monkeypatch.setattr(measurement, "available", lambda: ["numpy", "jax"])
    assert main(["bench", "lstm", *SMALL]) == 1
    assert "do NOT agree: results differ by 1e+00" in capsys.readouterr().out


def test_what_is_wrong_is_said(fails) -> None:
    assert "--threads is 0" in fails("bench", "lstm", "--threads", "0")
    assert "invalid choice: 'keras'" in fails("bench", "lstm", "--only", "keras")
