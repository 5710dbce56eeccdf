from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tinygrad_rnn.cli import main

NAMES = {
    "Polish": "Kowalski Nowak Wiśniewski Wójcik Kamiński Lewandowski Zieliński Szymański "
    "Dąbrowski Kozłowski Jankowski Mazurski",
    "Italian": "Rossi Esposito Bianchi Romano Ricci Marino Greco Gallo Conti Costa Bruno Moretti",
    "Japanese": "Sato Suzuki Takahashi Tanaka Watanabe Yamamoto Nakamura Kobayashi Kato Yoshida",
}
SMALL = ["--hidden-size", "8", "--embedding-size", "4", "--batch-size", "8", "--epochs", "2"]


@pytest.fixture(scope="session")
def names_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three languages of a dozen names."""
    folder = tmp_path_factory.mktemp("data") / "names"
    folder.mkdir()
    for language, names in NAMES.items():
        (folder / f"{language}.txt").write_text("\n".join(names.split()), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def run_folder(names_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two cells, small but trained for long enough to know its three languages."""
    out = tmp_path_factory.mktemp("runs")
    options = ["--data", str(names_folder), "--out", str(out), "--dropout", "0"]
    sizes = ["--hidden-size", "16", "--batch-size", "8", "--epochs", "30"]
    assert main(["train", *options, *sizes, "--cell", "gru", "lstm"]) == 0
    return out / "names"


Fails = Callable[..., str]


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Fails:
    """Run a command that must fail as promised; returns its one line of explanation."""

    def run(*arguments: str | Path, status: int = 2) -> str:
        capsys.readouterr()
        try:
            found = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse's way of leaving
            found = int(stop.code or 0)
        error = capsys.readouterr().err
        assert found == status
        assert re.fullmatch(r"tinygrad-rnn[^\n]*: [^\n]+\n", error), error
        return error

    return run
