"""What is compared: cells and tasks by name, each with a function that makes it."""

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
    """A comparison that is impossible, or results that do not belong to it; names the difference.

    >>> issubclass(ComparisonError, ValueError)
    True
    """


@dataclass(frozen=True)
class Subject:
    """A cell or a task: its name in the results, and what makes it.

    `code`: a short fingerprint of its source. `hidden_size`: the size given in its name. `found_by`
    and `spec`: the function that finds it in another process, and its argument; a subject without
    them is pickled as its class or function.
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
        raise ComparisonError(f"the code of {spec} changed during the comparison")
    return found


def _innermost(function: Any) -> Any:
    """The function or class of a `functools.partial`."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _code(made_by: Any, file: Path | None = None) -> str:
    """A fingerprint of the user's file, or of the source of a class or function.

    It ignores comments, docstrings and layout.
    """
    text = ""
    if file is not None:
        text = file.read_text(encoding="utf-8")
    else:
        with suppress(OSError, TypeError):
            text = textwrap.dedent(inspect.getsource(_innermost(made_by)))
    with suppress(SyntaxError):  # the source of a lambda may be half a statement
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
                del node.body[0]
        text = ast.dump(tree)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def cells_of(given: Any) -> list[Subject]:
    """Cells by name, class or function, or a mapping from names to these.

    >>> [cell.name for cell in cells_of(["lstm", "mogrifierlstm,rounds=3"])]
    ['lstm', 'mogrifierlstm,rounds=3']
    """
    return _all_of(given, "cell", _cell)


def tasks_of(given: Any) -> list[Subject]:
    """Tasks by name or function, or a mapping from names to these.

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
            f"there are two {kind}s {twice!r}: leave one out, or give your own names, "
            f"{{'first': ..., 'second': ...}}"
        )
    return found


def _renamed(subject: Subject, name: str) -> Subject:
    # It can only be found by its own name, so it is pickled.
    return replace(subject, name=name, found_by=None)


def _cell(given: Any) -> Subject:
    if isinstance(given, str):
        return _cell_by_name(given)
    if not callable(given):
        raise TypeError(f"{given!r} is not a cell: expected a name, a class or a function")
    names = {cell: name for name, cell in discover().items()}
    name = names.get(given, getattr(given, "__name__", type(given).__name__))
    return Subject(name, given, _code(given))


def _cell_by_name(spec: str) -> Subject:
    """`lstm` or `my_file.py:MyCell`, with arguments after a comma: `lstm,bias=False`."""
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
    """The settings after a cell's name, as in a call: `bias=False, rounds=3`."""
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
        raise TypeError(f"{given!r} is not a task: expected a name or a function")
    name = getattr(_innermost(given), "__name__", type(given).__name__)
    return Subject(name, NamedTask(name, given, None).make, _code(given))


def _task_by_name(spec: str) -> Subject:
    named = find_task(spec)
    code = _code(named.function, named.file)
    return Subject(named.name, named.make, code, named.file, None, _task_by_name, spec)
