"""Tasks by name: those of `tinygrad_rnn.data.tasks`, and your own as `my_file.py:my_task`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import nn
from ..data.tasks import Task, discover
from .parser import did_you_mean
from .user_code import NamedCell, UserCodeError, blame, run_file

__all__ = ["make_task"]


def make_task(spec: str, **settings: Any) -> Task:
    """The task that `spec` names, `adding` or `path/to/my_file.py:my_task`, made with `settings`.

    A setting that the task does not have, such as `steps` of digits that have 64, is left out.
    UserCodeError if there is none of that name, its file cannot be run, or what its function
    returns is no `Task`.

    >>> make_task("parity", steps=20, batch_size=4).output_size
    2
    """
    function, file = _found(spec)
    takes = inspect.signature(function).parameters
    settings = {name: value for name, value in settings.items() if name in takes}
    with blame(NamedCell(spec, nn.Cell, file)):
        task = function(**settings)
    if not isinstance(task, Task):
        raise UserCodeError(
            f"{spec} returned {type(task).__name__}, not a tinygrad_rnn.data.tasks.Task"
        )
    return task


def _found(spec: str) -> tuple[Callable[..., Any], Path | None]:
    known = discover()
    if ":" not in spec:
        if spec not in known:
            raise UserCodeError(
                f"no task {spec!r}{did_you_mean(spec, known)}: it is one of {', '.join(known)}, "
                "or a function of your own, written my_file.py:my_task"
            )
        return known[spec], None
    file, _, name = spec.rpartition(":")
    module = run_file(Path(file), spec)
    own = [
        key
        for key, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    if name not in own:
        there = f"it has {', '.join(own)}" if own else "it has no function"
        raise UserCodeError(f"no function {name!r} in {file!r}{did_you_mean(name, own)}; {there}")
    return vars(module)[name], Path(file)
