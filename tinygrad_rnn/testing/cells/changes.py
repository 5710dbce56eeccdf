"""Reversible changes to what a step reads besides its arguments.

A compiled step must notice when an attribute, a global or an array has changed since the last call.
So a check changes all such values that a cell's code names, one at a time.
"""

from __future__ import annotations

import dis
import inspect
import types
from collections.abc import Callable, Iterator, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...engine.recording.scope import PACKAGE_FOLDER
from ...engine.tensor import Tensor
from ...nn import Module

__all__ = ["Change", "changes_of"]

_DEEPEST = 3  # containers in containers


class Change(NamedTuple):
    """`apply()` changes `what`, and returns the function that undoes the change.

    `line`: where the code reads it, "my_file.py:12", or "".
    """

    what: str
    line: str
    apply: Callable[[], Callable[[], Any]]


def changes_of(module: Module) -> Iterator[Change]:
    """Changes to everything that the code of a module and its submodules can read.

    These are numbers, booleans, arrays and parameters, in attributes of objects and classes, in
    containers, in globals and in closures. Arrays and parameters are also changed in place. Only
    values that the code names are changed, and nothing in this package.
    """
    for name, part in module.named_modules():
        label = f"{name}." if name else "self."
        codes = [*_codes(type(part))]
        yield from _in_namespace(vars(part), label, codes, setter=partial(setattr, part))
        for base in type(part).__mro__:
            if not _is_ours(inspect.getmodule(base)):
                yield from _in_namespace(
                    dict(vars(base)), f"{base.__name__}.", codes, setter=partial(setattr, base)
                )
        for function in _functions(type(part)):
            if not function.__code__.co_filename.startswith(PACKAGE_FOLDER):
                yield from _around(function)


def _around(function: types.FunctionType) -> Iterator[Change]:
    """The globals and closure variables that a function reads."""
    named = {k: v for k, v in function.__globals__.items() if k in function.__code__.co_names}
    of_globals = function.__globals__.__setitem__
    yield from _in_namespace(named, "the global ", [function.__code__], setter=of_globals)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if name == "__class__":
            continue

        def exchange(_: str, value: Any, cell: types.CellType = cell) -> None:
            cell.cell_contents = value

        found = {name: cell.cell_contents}
        yield from _in_namespace(found, "the closure's ", [function.__code__], setter=exchange)


def _in_namespace(
    held: MutableMapping[str, Any],
    label: str,
    codes: list[types.CodeType],
    setter: Callable[[str, Any], Any],
) -> Iterator[Change]:
    for name, value in list(held.items()):
        line = _line_of(name, codes)
        if line is not None and not isinstance(value, Module):
            yield from _of_value(value, label + name, line, partial(setter, name))


def _of_value(
    value: Any, what: str, line: str, put: Callable[[Any], Any], depth: int = 0
) -> Iterator[Change]:
    """The changes to one value; `put` replaces it where it was found."""

    def exchanged(other: Any) -> Callable[[], Callable[[], Any]]:
        def apply() -> Callable[[], Any]:
            put(other)
            return lambda: put(value)

        return apply

    if isinstance(value, bool | np.bool_):
        yield Change(what, line, exchanged(not value))
    elif isinstance(value, int | float | np.integer | np.floating):
        yield Change(what, line, exchanged(_other(value)))
    elif isinstance(value, Tensor | np.ndarray):
        yield from _of_array(value, what, line)
    elif depth < _DEEPEST:
        for label, part, put_part in _parts(value):
            yield from _of_value(part, what + label, line, put_part, depth + 1)


def _of_array(value: Any, what: str, line: str) -> Iterator[Change]:
    array = value._data if isinstance(value, Tensor) else value
    if array.dtype.kind != "f" or not array.flags.writeable:
        return

    def in_place() -> Callable[[], Any]:
        before = array.copy()
        array[...] = _other(before)
        return lambda: np.copyto(array, before)

    yield Change(f"{what}, in place,", line, in_place)
    if isinstance(value, Tensor):

        def exchanged() -> Callable[[], Any]:
            value.data = _other(array).astype(array.dtype)
            return lambda: setattr(value, "data", array)

        yield Change(f"{what}.data", line, exchanged)


def _parts(value: Any) -> Iterator[tuple[str, Any, Callable[[Any], Any]]]:
    """The contents of a container or of a user's object: label, part, and its setter."""
    if isinstance(value, list):
        for k, part in enumerate(value):
            yield f"[{k}]", part, partial(value.__setitem__, k)
    elif isinstance(value, dict):
        for key, part in list(value.items()):
            yield f"[{key!r}]", part, partial(value.__setitem__, key)
    elif hasattr(value, "__dict__") and not isinstance(value, type | types.FunctionType):
        if not _is_ours(inspect.getmodule(type(value))) and not isinstance(value, types.ModuleType):
            for name, part in list(vars(value).items()):
                yield f".{name}", part, partial(setattr, value, name)


def _other(number: Any) -> Any:
    """Another number of the same type, close by."""
    return number + 1 if isinstance(number, int | np.integer) else number * 1.25 + 0.125


def _functions(kind: type) -> Iterator[types.FunctionType]:
    """The functions in a class and its bases, down to `Module`."""
    for base in kind.__mro__:
        if base is Module:
            return
        for held in vars(base).values():
            function: Any = held.fget if isinstance(held, property) else held
            function = inspect.unwrap(getattr(function, "__func__", function))
            if isinstance(function, types.FunctionType) and function.__name__ != "__init__":
                yield function


def _codes(kind: type) -> Iterator[types.CodeType]:
    return (function.__code__ for function in _functions(kind))


def _line_of(name: str, codes: list[types.CodeType]) -> str | None:
    """Where one of the functions reads a name; None if none does."""
    for code in codes:
        for instruction in dis.get_instructions(code):
            if instruction.argval == name and instruction.opname.startswith("LOAD_"):
                line = instruction.positions.lineno if instruction.positions else None
                return f"{Path(code.co_filename).name}:{line or code.co_firstlineno}"
    return None


def _is_ours(module: types.ModuleType | None) -> bool:
    """Whether a module belongs to this package, or to no file."""
    file = getattr(module, "__file__", None)
    return file is None or file.startswith(PACKAGE_FOLDER)
