"""The file of results: a line of JSON for each finished run, flushed to disk at once.

So a comparison that is stopped, by Ctrl-C, a kill or a power cut, loses only the runs that were in
progress.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from ..files import lock_folder
from .jobs import Job, Key, Row
from .subjects import ComparisonError

__all__ = ["RESULTS_FILE", "Results"]

RESULTS_FILE = "results.jsonl"


class Results:
    """The rows in a folder or, without one, in memory.

    A `with` statement opens it and locks out other writers. An incomplete last line is removed;
    `dropped` says so.

    >>> with Results() as results:
    ...     results.add({"task": "adding", "cell": "lstm", "seed": 0, "setup": {}})
    ...     len(results.rows)
    1
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = None if folder is None else Path(folder)
        self.rows: dict[Key, Row] = {}
        self.dropped = ""
        self._lock: int | None = None

    @property
    def path(self) -> Path | None:
        """The file, if there is a folder."""
        return None if self.folder is None else self.folder / RESULTS_FILE

    def __enter__(self) -> Results:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock = lock_folder(self.folder)
            except BlockingIOError:
                raise ComparisonError(
                    f"another process is comparing in {str(self.folder)!r} right now"
                ) from None
            self._read()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def add(self, row: Row) -> None:
        """Store a row; when this returns it is on disk."""
        self.rows[_key(row)] = row
        if self.path is not None:
            line = (json.dumps(row, allow_nan=False) + "\n").encode()
            with open(self.path, "ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())

    def missing(self, jobs: Iterable[Job], again: bool = False) -> list[Job]:
        """The jobs whose rows are not there yet.

        ComparisonError for a row that was made with other settings; with `again` its job is
        repeated.
        """
        wanted = []
        for job in jobs:
            row = self.rows.get(job.key)
            if row is None:
                wanted.append(job)
            elif changed := _changes(row["setup"], job.setup):
                if not again:
                    raise ComparisonError(
                        f"{str(self.folder)!r} has a result of {job.cell.name} on {job.task.name} "
                        f"that was made with other settings: {changed}. Choose another folder, or "
                        "repeat such runs (--again, again=True)"
                    )
                wanted.append(job)
        return wanted

    def _read(self) -> None:
        assert self.path is not None
        if not self.path.exists():
            return
        content = self.path.read_bytes()
        whole, _, half = content.rpartition(b"\n")
        if half:
            self.dropped = (
                f"the last line of {str(self.path)!r} is incomplete: it is dropped, and its run "
                "is repeated"
            )
            with open(self.path, "r+b") as file:
                file.truncate(len(content) - len(half))
                os.fsync(file.fileno())
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = json.loads(line)
                self.rows[_key(row)] = row
            except (ValueError, TypeError, KeyError):
                raise ComparisonError(
                    f"{str(self.path)!r}, line {number}: not a result of a comparison"
                ) from None


def _key(row: Row) -> Key:
    row["setup"].items()  # a row without it is not ours
    return str(row["task"]), str(row["cell"]), int(row["seed"])


def _changes(before: Any, now: dict[str, Any]) -> str:
    """In words, what differs between two setups."""
    return "; ".join(_differences(before, now))


def _differences(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *now]):
        if before.get(name) != now.get(name):
            if name.startswith("code"):
                yield f"the {name} has changed"
            else:
                yield f"{name.replace('_', ' ')} was {before.get(name)}, is {now.get(name)}"
