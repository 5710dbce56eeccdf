"""Where runs happen: here, in other processes, or on a Dask cluster. All give the same rows."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Any, TypeAlias

from ..errors import TinygradRnnError
from ..invocation import install_command
from ..training import Callback, Training
from .jobs import Job, Row
from .subjects import ComparisonError, Subject

__all__ = ["here", "in_processes", "on_dask"]

Progress: TypeAlias = Callable[[float], object]
"""Called with the share of a run that was completed since the last call."""

Rows: TypeAlias = Generator[Row, None, None]


def here(jobs: Iterable[Job], progress: Progress) -> Rows:
    """One after the other, in this process."""
    for job in jobs:
        yield job.run((_Share(progress),))


class _Share(Callback):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def after_epoch(self, training: Training) -> None:
        self._progress(1 / training.epochs)


def in_processes(jobs: Sequence[Job], progress: Progress, workers: int) -> Rows:
    """In `workers` new processes, which end when this one ends, in whatever way.

    ComparisonError for a cell or task that another process cannot find again.
    """
    _check_found_elsewhere(jobs)
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)
    try:
        for future in as_completed([pool.submit(job.run) for job in jobs]):
            row = future.result()
            progress(1.0)
            yield row
    except BrokenProcessPool:
        raise ComparisonError(
            "a worker process ended unexpectedly: it was killed, ran out of memory, or your "
            "script has no `if __name__ == '__main__':` around its code, which every new process "
            "imports"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        pool.shutdown()


def _begin() -> None:
    """In a new process: end silently on Ctrl-C and when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_it() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_it, daemon=True).start()


def _check_found_elsewhere(jobs: Iterable[Job]) -> None:
    main = sys.modules["__main__"]
    for subject in {id(s): s for job in jobs for s in (job.cell, job.task)}.values():
        made_by = subject.make if subject.found_by is None else None
        for part in (made_by, getattr(made_by, "func", None), getattr(made_by, "__self__", None)):
            here_only = getattr(part, "__module__", "") == "__main__" and not hasattr(
                main, "__file__"
            )
            nested = "<" in getattr(part, "__qualname__", "")
            if here_only or nested:
                where = "inside a function" if nested else "in a notebook or a prompt"
                raise ComparisonError(
                    f"{subject.name} is defined {where}, where another process cannot find it: "
                    f"put it into a file and pass 'my_file.py:{subject.name}', or use workers=1"
                )


def on_dask(jobs: Sequence[Job], progress: Progress, address: str) -> Rows:
    """On the workers of a Dask cluster, which need this package but none of the user's files.

    ComparisonError without the extra `cluster`, or if there is no cluster at the address.
    """
    try:
        import cloudpickle
        import distributed
    except ImportError:
        raise ComparisonError(
            f"a cluster needs Dask, which comes with the extra `cluster`: "
            f"{install_command('cluster')}"
        ) from None
    try:
        client = distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ComparisonError(f"there is no Dask scheduler at {address!r}: {error}") from error
    with client, _by_value(jobs, cloudpickle) as sent:
        futures = [client.submit(job.run, pure=False, retries=0) for job in sent]
        with client.as_current():
            completed = distributed.as_completed(futures)
        try:
            for future in completed:
                row: Row = _result(future)
                progress(1.0)
                yield row
        finally:
            with suppress(Exception):  # the cluster may be gone
                client.cancel(futures)


def _result(future: Any) -> Row:
    try:
        row: Row = future.result()
        return row
    except TinygradRnnError:
        raise
    except Exception as error:
        raise ComparisonError(f"on the cluster: {type(error).__name__}: {error}") from error


@contextmanager
def _by_value(jobs: Iterable[Job], cloudpickle: Any) -> Iterator[list[Job]]:
    """The jobs with the code of the user's files, which the other machines do not have."""
    modules = {
        id(module): module
        for job in jobs
        for subject in (job.cell, job.task)
        if subject.file is not None and (module := _module_of(subject)) is not None
    }
    for module in modules.values():
        cloudpickle.register_pickle_by_value(module)
    try:
        yield [replace(job, cell=_as_it_is(job.cell), task=_as_it_is(job.task)) for job in jobs]
    finally:
        for module in modules.values():
            cloudpickle.unregister_pickle_by_value(module)


def _module_of(subject: Subject) -> Any:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if subject.file is not None and file == str(subject.file.resolve()):
            return module
    return None


def _as_it_is(subject: Subject) -> Subject:
    return subject if subject.file is None else replace(subject, found_by=None)
