"""The folders of runs: each run has a new one, so that no run overwrites another."""

from __future__ import annotations

import argparse
import shutil
from itertools import count
from pathlib import Path

from .parser import CommandError

__all__ = ["new_folder", "remove_if_nothing_was_learnt"]

_RUNS = "runs"


def new_folder(options: argparse.Namespace, base: str) -> Path:
    """Create a new folder: `--name` in `--out`, or the next free name from `base`."""
    out, name = Path(options.out or _RUNS), options.name
    folder: Path
    if name is not None:
        folder = out / name
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise CommandError(
                f"{str(folder)!r} already exists: choose another --name, or remove it"
            ) from None
        return folder
    for number in count(1):
        folder = out / (base if number == 1 else f"{base}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if out.exists() and not out.is_dir():
                raise
            continue
        return folder
    raise AssertionError("there are enough numbers")


def remove_if_nothing_was_learnt(folder: Path) -> None:
    """Remove the folder of a run that committed nothing, unless something else is in it."""
    from ..training.run import checkpoints_in

    ours = {"run.json"}
    if folder.is_dir() and not checkpoints_in(folder):
        if all(path.is_dir() or path.name in ours for path in folder.rglob("*")):
            shutil.rmtree(folder)
