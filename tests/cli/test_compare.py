"""`tinygrad-rnn compare`: a table, a page, lines of JSON; and going on."""

from __future__ import annotations

import re

import pytest

from tinygrad_rnn import comparison
from tinygrad_rnn.cli import main

SMALL = [
    "--hidden-size",
    "4",
    "--epochs",
    "1",
    "--batches",
    "2",
    "--batch-size",
    "4",
    "--steps",
    "5",
    "--seeds",
    "2",
]
OWN = "import tinygrad_rnn as tg\nclass MyCell(tg.nn.RNNCell):\n    pass\n"


def test_compare_writes_a_table_a_page_and_results(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(OWN)
    command = ["compare", "lstm", "my.py:MyCell", "--tasks", "adding", "copy", *SMALL]
    assert main(command) == 0
    told = capsys.readouterr()
    assert len(re.findall(r"seed \d", told.err)) == 8
    assert "copy_memory: cross entropy" in told.out
    assert re.search(r"my.py:MyCell +\d+ +\d+ +[+-]\d+\.\d%", told.out)
    assert all(len(line) <= 80 for line in told.out.splitlines() if "file:" not in line)
    assert (tmp_path / "runs/compare/report.html").exists()
    assert len((tmp_path / "runs/compare/results.jsonl").read_text().splitlines()) == 8
    assert main(command) == 0
    assert "seed" not in capsys.readouterr().err, "all runs were there"


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("compare lstm --tasks nothing", "no task 'nothing'"),
        ("compare lstm --workers 2 --dask tcp://x:1", "--workers cannot be combined with --dask"),
        ("compare lstm --epochs 0", "epochs is 0"),
        ("compare my.py", "no_file|is a file"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(command, wrong, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    told = capsys.readouterr().err
    assert re.search(wrong, told)
    assert len(told.splitlines()) == 1


def test_ctrl_c_says_how_to_go_on(tmp_path, monkeypatch, capsys) -> None:
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "compare", stopped)
    assert main(["compare", "lstm", "--out", str(tmp_path)]) == 130
    assert "0 finished runs are kept" in capsys.readouterr().err
