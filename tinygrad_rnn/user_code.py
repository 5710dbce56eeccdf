"""Cells and tasks by name: those that there are, and your own as `my_file.py:MyCell`.

What every command shares that takes a cell or a task: `train`, `compare`, and those that draw or
check one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from . import nn
from .cells import discover
from .data import tasks
from .errors import TinygradRnnError
from .terminal import did_you_mean, printable

__all__ = [
    "NamedCell",
    "NamedTask",
    "UserCodeError",
    "blame",
    "find_cell",
    "find_task",
    "load_class",
    "make_cell",
    "run_file",
]


class UserCodeError(TinygradRnnError):
    """A class of the user's own that cannot be found, loaded or run; says in which line.

    >>> find_cell("no_file.py:MyCell")
    Traceback (most recent call last):
        ...
    tinygrad_rnn.user_code.UserCodeError: 'no_file.py': there is no such file \
(a class of your own: my_file.py:MyClass)
    """


class NamedCell(NamedTuple):
    """A cell class, the short name it goes by, and the user's file if it is from one."""

    name: str
    cell: type[nn.Cell]
    file: Path | None

    @property
    def spec(self) -> str:
        """What names it on the command line."""
        return self.name if self.file is None else f"{self.file}:{self.cell.__name__}"


def find_cell(spec: str) -> NamedCell:
    """The cell that `spec` names: `lstm`, `mingru`, or `path/to/my_file.py:MyCell`.

    UserCodeError if there is none, or its file cannot be run. The name of a cell from a file has
    no folder: `my_file.py:MyCell`.

    >>> find_cell("lstm").cell.__name__
    'LSTMCell'
    """
    if ":" not in spec:
        known = discover()
        if spec.endswith(".py"):
            raise UserCodeError(f"{spec!r} is a file: say which class of it, {spec}:MyCell")
        if spec.lower() not in known:
            raise UserCodeError(
                f"no cell {spec!r}{did_you_mean(spec.lower(), known)}: it is one of "
                f"{', '.join(known)}, or a class of your own, written my_file.py:MyCell"
            )
        return NamedCell(spec.lower(), known[spec.lower()], None)
    file, _, name = spec.rpartition(":")
    cell = load_class(spec, nn.Cell)
    return NamedCell(printable(f"{Path(file).name}:{name}"), cell, Path(file))


class NamedTask(NamedTuple):
    """The function that makes a task, the name it goes by, and the user's file if it is from one.

    >>> find_task("parity").make(steps=20, batch_size=4).output_size
    2
    """

    name: str
    function: Callable[..., Any]
    file: Path | None

    def make(self, **settings: Any) -> tasks.Task:
        """The task made with `settings`, without those that it does not have.

        Such as `steps` of digits that have 64. UserCodeError if the user's function fails, or what
        it returns is no `Task`.
        """
        takes = inspect.signature(self.function).parameters
        settings = {name: value for name, value in settings.items() if name in takes}
        with blame(self.file):
            task = self.function(**settings)
        if not isinstance(task, tasks.Task):
            raise UserCodeError(
                f"{self.name} returned {type(task).__name__}, not a tinygrad_rnn.data.tasks.Task"
            )
        return task


def find_task(spec: str) -> NamedTask:
    """The task that `spec` names: `adding`, or `path/to/my_file.py:my_task`.

    The beginning of a name will do where no other begins so: `copy` for `copy_memory`.
    UserCodeError if there is none, or its file cannot be run.

    >>> find_task("copy").name
    'copy_memory'
    """
    known = tasks.discover()
    if ":" not in spec:
        if spec.endswith(".py"):
            raise UserCodeError(f"{spec!r} is a file: say which function of it, {spec}:my_task")
        begin_so = [name for name in known if spec and name.startswith(spec.lower())]
        if len(begin_so) != 1:
            raise UserCodeError(
                f"no task {spec!r}{did_you_mean(spec, known)}: it is one of {', '.join(known)}, "
                "or a function of your own, written my_file.py:my_task"
            )
        return NamedTask(begin_so[0], known[begin_so[0]], None)
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
    return NamedTask(printable(f"{Path(file).name}:{name}"), vars(module)[name], Path(file))


def load_class(spec: str, base: type) -> type[Any]:
    """The class that `spec`, `path/to/my_file.py:MyClass`, names: a subclass of `base`.

    The file is run, as `python path/to/my_file.py` would, but its `__name__` is not `__main__`.
    UserCodeError if the file or the class is missing, the file raises, or the class is of another
    kind.
    """
    file, _, name = spec.rpartition(":")
    module = run_file(Path(file), spec)
    own = [
        key
        for key, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
    ]
    kind = f"a subclass of {base.__module__.split('.')[0]}'s {base.__name__}"
    if not hasattr(module, name):
        there = f"it has {', '.join(own)}" if own else f"it has no class that is {kind}"
        raise UserCodeError(f"no class {name!r} in {file!r}{did_you_mean(name, own)}; {there}")
    found = getattr(module, name)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise UserCodeError(f"{name!r} in {file!r} is not {kind}")
    return found


def run_file(file: Path, spec: str) -> ModuleType:
    """The user's file as a module; UserCodeError if it is missing or raises."""
    if file.suffix != ".py" or not file.is_file():
        problem = "there is no such file" if file.suffix == ".py" else "not the name of a .py file"
        raise UserCodeError(f"{str(file)!r}: {problem} (a class of your own: my_file.py:MyClass)")
    path = file.resolve()
    # A name that no other module can have, so that `random.py:MyCell` replaces nothing.
    name = f"{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None and found.loader is not None, "it is a .py file"
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses look their module up while it runs
    sys.path.insert(0, str(path.parent))  # for what the file imports from beside it
    try:
        with blame(file):
            found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


def make_cell(named: NamedCell, sizes: Mapping[str, Any]) -> nn.Cell:
    """The cell of these sizes. UserCodeError if they do not suit it, or its own code fails."""
    with blame(named.file):
        try:
            return named.cell(**sizes)
        except (TypeError, ValueError) as error:
            if named.file is not None:
                raise
            raise UserCodeError(f"--with: {error}") from error


@contextmanager
def blame(file: Path | None) -> Iterator[None]:
    """Turn what the user's code raises inside into a UserCodeError that names their line.

    Errors of cells that are ours pass unchanged.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if file is None:
            raise
        what = " ".join(str(error).split())
        if isinstance(error, SystemExit):
            what += " (sys.exit() would end this command: what only a program should do belongs "
            what += "under `if __name__ == '__main__':`)"
        raise UserCodeError(
            f"{file}{_line_in(file, error)}: {type(error).__name__}: {what}"
        ) from error


def _line_in(file: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f", line {error.lineno}"
    path = str(file.resolve())
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return f", line {lines[-1]}" if lines else ""
