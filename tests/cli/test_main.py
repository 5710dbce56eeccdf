from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_rnn
from tinygrad_rnn.cli import main
from tinygrad_rnn.cli.commands import NAMES
from tinygrad_rnn.invocation import command

from .conftest import Fails


@pytest.mark.parametrize("arguments", [[], *([name] for name in NAMES)])
def test_help_fits_80_columns(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--help"])
    assert stop.value.code == 0
    usage, *text = capsys.readouterr().out.split("\n\n")
    assert usage.startswith(f"usage: {command()}")
    lines = [line for line in "\n".join(text).splitlines() if command() not in line]
    assert [line for line in lines if len(line) > 80] == []


def test_without_a_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "train" in out
    assert "predict" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"tinygrad-rnn {tinygrad_rnn.__version__}\n"


def test_unknown_command(fails: Fails) -> None:
    assert "invalid choice: 'fly'" in fails("fly")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["trian"], "train"),
        (["train", "--epohcs", "3"], "--epochs"),
        (["draw", "ltsm"], "lstm"),
        (["draw", "lstm", "--level", "gate"], "gates"),
        (["show", "vanish"], "vanishing"),
        (["check", "lstm", "--except", "rowz"], "rows"),
    ],
)
def test_what_was_meant(arguments: list[str], meant: str, fails: Fails) -> None:
    assert f"(did you mean '{meant}'?)" in fails(*arguments)


def test_help_loads_neither_progress_bars_nor_safetensors() -> None:
    code = (
        "import sys\nfrom tinygrad_rnn.cli import main\n"
        "try: main(['train', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('tqdm', 'safetensors', 'graphviz') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_terminal_that_knows_ascii_only(run_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_rnn", "predict", str(run_folder), "Wójcik"],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "W\\xf3jcik" in done.stdout


def test_reader_that_goes_away(run_folder: Path) -> None:
    predict = [sys.executable, "-m", "tinygrad_rnn", "predict", str(run_folder)]
    with subprocess.Popen(
        [*predict, *["Nowak"] * 20], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 0
