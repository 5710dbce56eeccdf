"""A training that is killed again and again, resumed, and compared with one that never was.

    python tests/training/killed.py --kills 50

Prints one line of JSON. Each process of the training is a fork, so that a kill costs the time that
it trained and not the time to import. Kills by the clock (`--kills`) come at random moments. Kills
by count (`--every-point`) come just before, and in the middle of, each write, fsync, rename and
removal that a whole training makes, and inside a callback.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import files, nn, optim
from tinygrad_rnn.data import PaddedBatches
from tinygrad_rnn.training import (
    Callback,
    EachEpoch,
    EarlyStopping,
    History,
    KeepBest,
    Run,
    fit,
)

SEQUENCES = [np.random.default_rng(n).integers(1, 5, 2 + n % 2) for n in range(14)]
EPOCHS = 4
LABELS = [int(sequence[0] == sequence[-1]) for sequence in SEQUENCES]


class Model(nn.Module):
    """Embedding, recurrent layer, dropout: small, but something of all that draws."""

    def __init__(self) -> None:
        self.embedding = nn.Embedding(5, 3)
        self.recurrent = nn.RNN(3, 4)
        self.dropout = nn.Dropout(0.2)
        self.readout = nn.Linear(4, 2)

    def forward(self, batch: Any) -> Any:
        _, h = self.recurrent(self.embedding(batch.inputs), lengths=batch.lengths)
        return self.readout(self.dropout(h[-1]))


class Noise(Callback):
    """Weights that are shaken by all global generators, twice, with a pause in between."""

    def after_epoch(self, training: Any) -> None:
        for draw in (np.random.standard_normal, lambda: random.gauss(0, 1)):
            training.model.readout.bias.data[...] += 0.01 * draw()
            point("callback")


def loss(model: Any, batch: Any) -> Any:
    scores = model(batch)
    right = scores.data.argmax(-1) == batch.labels
    return nn.cross_entropy(scores, batch.labels), {"accuracy": right.mean()}


def train(folder: Path) -> tuple[dict[str, Any], History, Any]:
    """The script of a run, as its user would start it again and again."""
    tg.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    model = Model()
    data = PaddedBatches(SEQUENCES, LABELS, batch_size=4, generator=1, by_length=False)
    optimizer = optim.AdamW(model.parameters(), lr=0.02)
    cosine = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS * len(data))
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    best = KeepBest("train_accuracy", mode="max")
    history = fit(
        model,
        loss,
        data,
        validation=lambda model: {"size": abs(model.readout.weight.data).sum()},
        epochs=EPOCHS,
        optimizer=optimizer,
        schedule=cosine,
        clip=1.0,
        callbacks=[Noise(), best, EachEpoch(plateau, "val_size"), EarlyStopping("train_loss")],
        run=Run(folder, resume=True, every=3),
        progress=False,
    )
    return model.state_dict(), history, best.state


# Kills


points = 0  # where a kill can be aimed at; how many were passed
aim = 0  # the one to die at; 0: none


def point(name: str) -> None:
    """A place in the program to die at."""
    global points
    points += 1
    if points == aim:
        os.kill(os.getpid(), signal.SIGKILL)


class HalfWritten:
    """A file that can die when half of the content is written."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> HalfWritten:
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes) -> None:
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        point("half written")
        self._file.write(data[len(data) // 2 :])


def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapper(*arguments: Any, **keywords: Any) -> Any:
        point(name)
        return function(*arguments, **keywords)

    return wrapper


def aim_at(number: int) -> None:
    """Die at the place of this number, counted from the beginning of the process."""
    global points, aim
    points, aim = 0, number
    os.fsync, os.replace = watched("fsync", os.fsync), watched("replace", os.replace)
    os.unlink = watched("unlink", os.unlink)
    files.open = lambda *a: HalfWritten(open(*a))  # type: ignore[attr-defined]  # noqa: SIM115


def in_fork(work: Callable[[], None]) -> int:
    """The process that does `work` and ends."""
    process = os.fork()
    if process:
        return process
    try:
        work()
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        os._exit(1)
    os._exit(0)


def died(process: int) -> bool:
    """Wait for it; whether it was killed (True) or came to its end."""
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the training failed"
    return False


def check_folder(folder: Path) -> None:
    """What a killed process leaves can be read, and says the same everywhere."""
    if (folder / "checkpoint.safetensors").exists():
        saved = tg.load(folder / "checkpoint.safetensors")
        assert len(saved["history"]) == saved["training"]["epoch"]
        Model().load_state_dict(saved["model"])
        if (folder / "metrics.jsonl").exists():
            lines = (folder / "metrics.jsonl").read_text().splitlines()
            assert [json.loads(line)["epoch"] for line in lines] == [
                row["epoch"] for row in saved["history"]
            ]


def finish(folder: Path, expected: Any) -> None:
    """Resume what is there to its end, and compare it with the run that was never killed."""
    check_folder(folder)
    state, history, best = train(folder)
    assert_same(expected, (state, history, best))
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["checkpoint.safetensors", "metrics.jsonl"], left


def assert_same(expected: Any, found: Any) -> None:
    for then, now in ((expected[0], found[0]), (expected[2], found[2])):
        for name, array in then.items():
            assert now[name].tobytes() == array.tobytes(), name
    without_time = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in history]
        for history in (expected[1], found[1])
    ]
    assert without_time[0] == without_time[1]


def random_kills(kills: int, seed: int, expected: Any, duration: float, parent: Path) -> int:
    """Kill at random moments, a run several times, until there were so many kills."""
    moments = random.Random(seed)
    done = runs = 0
    while done < kills:
        folder = parent / f"random-{runs}"
        runs += 1
        while done < kills:
            process = in_fork(lambda folder=folder: train(folder))
            time.sleep(moments.uniform(0, duration))
            os.kill(process, signal.SIGKILL)
            if not died(process):
                break
            done += 1
            check_folder(folder)
        ended = in_fork(lambda folder=folder: finish(folder, expected))
        assert not died(ended)
    return runs


def kills_at_every_point(step: int, expected: Any, parent: Path) -> int:
    """Kill once at every `step`-th point of a whole training."""
    number = 1
    while True:
        folder = parent / f"point-{number}"

        def work(folder: Path = folder, number: int = number) -> None:
            aim_at(number)
            train(folder)

        if not died(in_fork(work)):
            return (number - 1) // step
        assert not died(in_fork(lambda folder=folder: finish(folder, expected)))
        number += step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--every-point", type=int, default=1, metavar="STEP", help="0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--executor", choices=["numpy", "llvm"], default="numpy")
    options = parser.parse_args()
    tg.set_executor(options.executor)
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        expected = train(parent / "never-killed")
        begin = time.perf_counter()
        assert_same(expected, train(parent / "again"))
        duration = time.perf_counter() - begin
        runs = random_kills(options.kills, options.seed, expected, duration, parent)
        step = options.every_point
        at_points = kills_at_every_point(step, expected, parent) if step else 0
    print(json.dumps({"kills": options.kills, "runs": runs, "points": at_points}))


if __name__ == "__main__":
    main()
