"""Cells by name: those that `cells.discover` finds, and your own as `my_file.py:MyCell`.

What every command shares that takes a cell: `train`, `predict`, and those that draw or check one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from .. import nn
from ..cells import discover
from ..errors import TinygradRnnError
from .parser import did_you_mean
from .terminal import printable

__all__ = [
    "NamedCell",
    "UserCodeError",
    "blame",
    "find_cell",
    "load_class",
    "run_file",
]


class UserCodeError(TinygradRnnError):
    """A class of the user's own that cannot be found, loaded or run; says in which line.

    >>> find_cell("no_file.py:MyCell")
    Traceback (most recent call last):
        ...
    tinygrad_rnn.cli.user_code.UserCodeError: 'no_file.py': there is no such file \
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
        with blame(NamedCell(spec, nn.Cell, file)):
            found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


@contextmanager
def blame(cell: NamedCell) -> Iterator[None]:
    """Turn what the user's code raises inside into a UserCodeError that names their line.

    Errors of cells that are ours pass unchanged.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        if cell.file is None:
            raise
        what = " ".join(str(error).split())
        if isinstance(error, SystemExit):
            what += " (sys.exit() would end this command: what only a program should do belongs "
            what += "under `if __name__ == '__main__':`)"
        raise UserCodeError(
            f"{cell.file}{_line_in(cell.file, error)}: {type(error).__name__}: {what}"
        ) from error


def _line_in(file: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f", line {error.lineno}"
    path = str(file.resolve())
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return f", line {lines[-1]}" if lines else ""
