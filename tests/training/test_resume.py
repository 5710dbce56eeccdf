from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import CheckpointError, nn, optim
from tinygrad_rnn.data import Batches, PaddedBatches
from tinygrad_rnn.training import (
    Callback,
    EarlyStopping,
    History,
    KeepBest,
    ResumeWarning,
    Run,
    RunError,
    environment,
    fit,
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_and_resumed_ends_with_the_same_bits() -> None:
    """A share of what `.ci/run` does: 50 kills, and one at every point of a training."""
    command = [sys.executable, "-W", "error", str(Path(__file__).with_name("killed.py"))]
    done = subprocess.run(
        [*command, "--kills", "8", "--every-point", "9"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["points"] >= 6


class Numbers(Batches[Any]):
    """Four numbers in an order of their own."""

    def __len__(self) -> int:
        return 4

    def order(self, rng: np.random.Generator | None) -> Any:
        return range(4) if rng is None else rng.permutation(4)

    def batch(self, key: Any) -> Any:
        return np.full((1, 1), key, "f4")


class Stop(Exception):
    pass


def stop_after(epoch: int) -> Any:
    def stop(training: Any) -> None:
        if training.epoch == epoch:
            raise Stop

    return stop


def train(
    run: Any,
    *,
    epochs: int = 4,
    lr: float = 0.1,
    data: Any = None,
    callbacks: Any = (),
    cosine: int = 0,
    clip: Any = None,
    size: int = 1,
    optimizer: Any = optim.Adam,
) -> tuple[nn.Module, History]:
    tg.manual_seed(0)
    model = nn.Linear(1, size)
    made = optimizer(model.parameters(), lr=lr)
    history = fit(
        model,
        lambda model, batch: tg.square(model(batch) + tg.randn(1, size) - 3.0).sum(),
        Numbers(generator=0) if data is None else data,
        epochs=epochs,
        optimizer=made,
        schedule=optim.lr_scheduler.CosineAnnealingLR(made, cosine) if cosine else None,
        clip=clip,
        callbacks=callbacks,
        run=run,
        progress=False,
    )
    return model, history


def test_what_a_run_folder_holds(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    model, history = train(Run(folder, about={"task": "numbers"}))
    assert sorted(f.name for f in folder.iterdir()) == ["checkpoint.safetensors", "metrics.jsonl"]
    saved = tg.load(folder / "checkpoint.safetensors")
    assert saved["about"] == {"task": "numbers"}
    np.testing.assert_array_equal(saved["model"]["weight"], model.weight.data)
    assert Run(folder).history() == history
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == history.rows


def test_an_interrupted_run_goes_on_and_a_done_one_is_done(tmp_path: Path) -> None:
    model, history = train(None)
    with pytest.raises(Stop):
        train(tmp_path, callbacks=[stop_after(3)])
    assert len(Run(tmp_path).history()) == 2  # the third was not committed
    for _ in range(2):
        resumed, found = train(Run(tmp_path, resume=True))
        assert resumed.weight.data.tobytes() == model.weight.data.tobytes()
        assert found["train_loss"] == history["train_loss"]
    longer, _ = train(Run(tmp_path, resume=True), epochs=5)
    assert longer.weight.data.tobytes() == train(None, epochs=5)[0].weight.data.tobytes()


def test_best_weights_and_patience_are_remembered(tmp_path: Path) -> None:
    def watching() -> tuple[KeepBest, list[Callback]]:
        best = KeepBest("train_loss")
        return best, [EarlyStopping("train_loss", patience=2), best]

    best, callbacks = watching()
    model, history = train(None, epochs=30, lr=1.0, callbacks=callbacks)
    assert 2 < len(history) < 30
    again, callbacks = watching()
    with pytest.raises(Stop):
        train(tmp_path, epochs=30, lr=1.0, callbacks=[*callbacks, stop_after(len(history) - 1)])
    again, callbacks = watching()
    resumed, found = train(Run(tmp_path, resume=True), epochs=30, lr=1.0, callbacks=callbacks)
    assert (again.epoch, again.value) == (best.epoch, best.value)
    assert resumed.weight.data.tobytes() == model.weight.data.tobytes()
    assert found["train_loss"] == history["train_loss"]
    again, callbacks = watching()  # a run that was stopped early stays so
    resumed, found = train(Run(tmp_path, resume=True), epochs=30, lr=1.0, callbacks=callbacks)
    assert len(found) == len(history)
    assert resumed.weight.data.tobytes() == model.weight.data.tobytes()


def test_a_callback_that_begins_to_remember_later(tmp_path: Path) -> None:
    class Later(Callback):
        seen: dict[str, int]

        def __init__(self) -> None:
            self.seen = {}

        def after_epoch(self, training: Any) -> None:
            self.seen[f"epoch {training.epoch}"] = training.step

        def state_dict(self) -> dict[str, Any]:
            return dict(self.seen)

        def load_state_dict(self, state: Any) -> None:
            self.seen = dict(state)

    train(tmp_path, epochs=1, callbacks=[Later()])
    later = Later()
    train(Run(tmp_path, resume=True), epochs=2, callbacks=[later, lambda training: None])
    assert later.seen == {"epoch 1": 4, "epoch 2": 8}


def test_no_run_writes_over_another(tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(RunError, match=r"holds a run already.*resume=True"):
        train(tmp_path, epochs=1)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lr": 0.2}, "optimizer groups lr is 0.2, was 0.1"),
        ({"cosine": 9}, "schedule T_max is 9, was 8"),
        ({"cosine": 0}, "schedule is None"),
        ({"clip": 1.0}, "clip is 1.0, was inf"),
        ({"size": 2}, r"model weight is 2, was 1"),
        ({"optimizer": optim.SGD}, "optimizer class is SGD, was Adam"),
        ({"callbacks": [KeepBest("train_loss")]}, r"callbacks is \['KeepBest'\], was \[\]"),
    ],
)
def test_another_setup_is_not_the_same_run(changed: Any, message: str, tmp_path: Path) -> None:
    train(tmp_path, epochs=1, cosine=8)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(RunError, match=message):
        train(Run(tmp_path, resume=True), **{"cosine": 8, **changed})
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_other_data_is_not_the_same_run(tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    other = PaddedBatches([[1.0]] * 3, batch_size=1)
    with pytest.raises(ValueError, match="4 batches an epoch, but this PaddedBatches has 3"):
        train(Run(tmp_path, resume=True), data=other)
    with pytest.raises(ValueError, match="has the generator PCG64, not None"):
        train(Run(tmp_path, resume=True), data=Numbers())


def test_data_that_cannot_find_its_place_is_refused_before_anything_is_trained(
    tmp_path: Path,
) -> None:
    with pytest.raises(TypeError, match="data is list, which has no state_dict"):
        train(tmp_path / "run", data=[np.ones((1, 1), "f4")])
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_other_conditions_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path, epochs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(Run(tmp_path, resume=True), epochs=2)
    monkeypatch.setattr(environment, "processor", lambda: "Z80")
    monkeypatch.setattr(environment, "blas_threads", lambda: 99)
    with pytest.warns(ResumeWarning, match=r"processor is Z80, was .*; BLAS threads is 99, was "):
        train(Run(tmp_path, resume=True), epochs=3)


def test_another_executor_is_said(tmp_path: Path) -> None:
    pytest.importorskip("llvmlite")
    before = tg.get_executor()
    tg.set_executor("numpy")
    try:
        train(tmp_path, epochs=1)
        tg.set_executor("llvm")
        with pytest.warns(ResumeWarning, match="executor is llvm, was numpy"):
            train(Run(tmp_path, resume=True), epochs=2)
    finally:
        tg.set_executor(before)


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_two_trainings_in_one_folder_are_refused(tmp_path: Path) -> None:
    def second(training: Any) -> None:
        train(Run(tmp_path, resume=True))

    with pytest.raises(RunError, match="another process is training in"):
        train(tmp_path, callbacks=[second])
    train(Run(tmp_path, resume=True))


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".checkpoint.safetensors.0123abcd.tmp").write_bytes(b"half")
    train(tmp_path, epochs=1)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["checkpoint.safetensors", "metrics.jsonl"]


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    train(tmp_path, epochs=1)
    content = bytearray((tmp_path / "checkpoint.safetensors").read_bytes())
    content[-1] ^= 1
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        train(Run(tmp_path, resume=True))
    tg.save(nn.Linear(1, 1), tmp_path / "checkpoint.safetensors")
    with pytest.raises(CheckpointError, match="no checkpoint of a run"):
        train(Run(tmp_path, resume=True))


def test_metrics_are_json_even_if_they_are_no_numbers(tmp_path: Path) -> None:
    tg.manual_seed(0)
    model = nn.Linear(1, 1)
    fit(
        model,
        lambda model, batch: (model(batch).sum(), {"odd": math.nan, "big": math.inf}),
        Numbers(),
        epochs=1,
        optimizer=optim.SGD(model.parameters()),
        run=tmp_path,
        progress=False,
    )

    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is not JSON")

    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    found = json.loads(line, parse_constant=refuse)
    assert found["train_odd"] is None and found["train_big"] is None
    (row,) = Run(tmp_path).history()
    assert math.isnan(row["train_odd"]) and row["train_big"] == math.inf
