from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinygrad_rnn.cli.ctrl_c import between_steps
from tinygrad_rnn.invocation import command
from tinygrad_rnn.training.names import Trained

from .conftest import SMALL


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_stops_cleanly_with_the_last_complete_checkpoint(
    names_folder: Path, tmp_path: Path
) -> None:
    train = [sys.executable, "-m", "tinygrad_rnn", "train", "--data", str(names_folder)]
    options = ["--out", str(tmp_path), "--name", "run", *SMALL, "--epochs", "100000"]
    process = subprocess.Popen(
        [*train, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    folder = tmp_path / "run"
    while not (folder / "rnn" / "metrics.jsonl").exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)

    assert process.returncode == 130, error
    text = (folder / "rnn" / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    kept = f"kept in {folder}/: rnn after epoch {len(lines)}"
    advice = f"(to continue: {command('train', '--resume', folder)})"
    assert error.splitlines() == [f"tinygrad-rnn: stopped by Ctrl-C; {kept} {advice}"]
    assert Trained.load(folder).accuracies == {"rnn": lines[-1]["val_accuracy"]}
    assert sorted(f.name for f in folder.iterdir()) == ["rnn", "run.json"]
    left = sorted(f.name for f in (folder / "rnn").iterdir())
    assert left == ["checkpoint.safetensors", "metrics.jsonl"]


def test_ctrl_c_waits_for_the_end_of_a_step() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), between_steps() as check:
        signal.raise_signal(signal.SIGINT)
        done.append("step")
        check()
        done.append("next step")
    assert done == ["step"]


def test_second_ctrl_c_does_not_wait() -> None:
    with pytest.raises(KeyboardInterrupt), between_steps():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("still going on")


def test_ctrl_c_is_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with between_steps() as check:
        check()
    assert signal.getsignal(signal.SIGINT) is before
