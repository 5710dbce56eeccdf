"""What is compared: cells and tasks by name, each with how it is made."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import textwrap
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..cells import discover
from ..errors import TinygradRnnError
from ..user_code import NamedTask, blame, find_cell, find_task

__all__ = ["ComparisonError", "Subject", "cells_of", "tasks_of"]

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


class ComparisonError(TinygradRnnError, ValueError):
    """A comparison that cannot be made, or results that do not belong to it; says what differs.

    >>> issubclass(ComparisonError, ValueError)
    True
    """


@dataclass(frozen=True)
class Subject:
    """A cell or a task: its name in the results, and what makes it.

    `code`: a short fingerprint of the text that makes it. `hidden_size`: the one that is asked for
    in its name. `found_by` and `spec`: the function that finds it again in another process, and
    what that is given; a subject without them travels as the class or function that it is.
    """

    name: str
    make: Callable[..., Any]
    code: str
    file: Path | None = None
    hidden_size: int | None = None
    found_by: Callable[[str], Subject] | None = field(default=None, repr=False)
    spec: str = field(default="", repr=False)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        if self.found_by is not None:
            return _found_again, (self.found_by, self.spec, self.code)
        return Subject, (self.name, self.make, self.code, self.file, self.hidden_size)


def _found_again(found_by: Callable[[str], Subject], spec: str, code: str) -> Subject:
    found = found_by(spec)
    if found.code != code:
        raise ComparisonError(f"the code of {spec} was changed while it was compared")
    return found


def _innermost(function: Any) -> Any:
    """The function or class of a `functools.partial`."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _code(made_by: Any, file: Path | None = None) -> str:
    """A fingerprint of the user's file, or of what can be read of a class or function.

    Of what it does: comments, docstrings and the layout do not count.
    """
    text = ""
    if file is not None:
        text = file.read_text(encoding="utf-8")
    else:
        with suppress(OSError, TypeError):
            text = textwrap.dedent(inspect.getsource(_innermost(made_by)))
    with suppress(SyntaxError):  # of a lambda there may be half a statement
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
                del node.body[0]
        text = ast.dump(tree)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def cells_of(given: Any) -> list[Subject]:
    """Cells by name, class or function, or a mapping from names of one's own to these.

    >>> [cell.name for cell in cells_of(["lstm", "mogrifierlstm,rounds=3"])]
    ['lstm', 'mogrifierlstm,rounds=3']
    """
    return _all_of(given, "cell", _cell)


def tasks_of(given: Any) -> list[Subject]:
    """Tasks by name or function, or a mapping from names of one's own to these.

    >>> [task.name for task in tasks_of(["adding", "copy"])]
    ['adding', 'copy_memory']
    """
    return _all_of(given, "task", _task)


def _all_of(given: Any, kind: str, one: Callable[[Any], Subject]) -> list[Subject]:
    if isinstance(given, str) or callable(given):
        raise TypeError(f"the {kind}s are {given!r}, but must be a list of them: write [...]")
    if isinstance(given, Mapping):
        found = [_renamed(one(each), name) for name, each in given.items()]
    else:
        found = [one(each) for each in given]
    if not found:
        raise ComparisonError(f"there is no {kind} to compare")
    names = [subject.name for subject in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ComparisonError(
            f"there are two {kind}s {twice!r}: leave one out, or give names of your own, "
            f"{{'first': ..., 'second': ...}}"
        )
    return found


def _renamed(subject: Subject, name: str) -> Subject:
    # Found by its own name only, so it travels as what it is.
    return replace(subject, name=name, found_by=None)


def _cell(given: Any) -> Subject:
    if isinstance(given, str):
        return _cell_by_name(given)
    if not callable(given):
        raise TypeError(f"{given!r} is no cell: neither a name, nor a class, nor a function")
    names = {cell: name for name, cell in discover().items()}
    name = names.get(given, getattr(given, "__name__", type(given).__name__))
    return Subject(name, given, _code(given))


def _cell_by_name(spec: str) -> Subject:
    """`lstm` or `my_file.py:MyCell`, and after a comma what it is made with: `lstm,bias=False`."""
    path, colon, rest = spec.rpartition(":")
    name, _, settings = rest.partition(",")
    named = find_cell(f"{path}{colon}{name}")
    made_with = _settings(settings, spec)
    hidden_size = made_with.pop("hidden_size", None)
    if not (hidden_size is None or (isinstance(hidden_size, int) and hidden_size > 0)):
        raise ComparisonError(f"{spec!r}: hidden_size must be a whole number, at least 1")

    def make(input_size: int, hidden_size: int) -> Any:
        with blame(named.file):
            return named.cell(input_size, hidden_size, **made_with)

    shown = f"{named.name},{settings}" if settings else named.name
    code = _code(named.cell, named.file)
    return Subject(shown, make, code, named.file, hidden_size, _cell_by_name, spec)


def _settings(text: str, spec: str) -> dict[str, Any]:
    """What stands behind a cell's name, as it would in a call: `bias=False, rounds=3`."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        assert isinstance(call, ast.Call) and not call.args
        return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
    except (SyntaxError, ValueError, AssertionError):
        raise ComparisonError(
            f"{spec!r}: after the comma come settings, such as {spec.partition(',')[0]},bias=False"
        ) from None


def _task(given: Any) -> Subject:
    if isinstance(given, str):
        return _task_by_name(given)
    if not callable(given):
        raise TypeError(f"{given!r} is no task: neither a name nor a function")
    name = getattr(_innermost(given), "__name__", type(given).__name__)
    return Subject(name, NamedTask(name, given, None).make, _code(given))


def _task_by_name(spec: str) -> Subject:
    named = find_task(spec)
    code = _code(named.function, named.file)
    return Subject(named.name, named.make, code, named.file, None, _task_by_name, spec)
