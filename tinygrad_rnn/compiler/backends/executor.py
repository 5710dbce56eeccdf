"""Executor: runs the loop of a scan, with NumPy step by step or as one compiled function."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec
from typing import Any

from ...invocation import install_command
from ..ir.instruction import Instruction
from ..notices import notify
from .numpy.executable import Executable

__all__ = ["build", "executing_on", "get_executor", "set_executor"]

_NEEDS = {"numpy": "numpy", "llvm": "llvmlite"}
_VARIABLE = "TINYGRAD_RNN_EXECUTOR"
_chosen: str | None = None


def set_executor(name: str) -> None:
    """Choose what runs the loops of recurrent layers from now on: "numpy" or "llvm".

    With "llvm", which needs the extra `llvm`, the loop over time of a cell is one compiled function
    of machine code. The first sequence of a new shape waits for LLVM. The code is cached on disk
    for later processes, in `~/.cache/tinygrad_rnn` or the directory named by the environment
    variable TINYGRAD_RNN_CACHE. A cell that uses an op without a compiled form runs on NumPy; one
    message names the op and its line. Values agree to rounding: in float32 a compiled `tanh`,
    `exp`, `log` or `sin` is within 3 units in the last place; in float64 they are the C library's.
    The environment variable TINYGRAD_RNN_EXECUTOR sets the executor for programs that do not choose
    one. ValueError for another name, ImportError if its package is missing.

    >>> import tinygrad_rnn as tg
    >>> tg.set_executor("numpy")
    >>> tg.get_executor()
    'numpy'
    """
    global _chosen
    _chosen = _checked(name, "set_executor")


def get_executor() -> str:
    """What runs the loops of recurrent layers: "numpy" or "llvm"; see `set_executor`.

    ValueError or ImportError if TINYGRAD_RNN_EXECUTOR names an executor that is not available.

    >>> import tinygrad_rnn as tg
    >>> tg.get_executor()
    'numpy'
    """
    global _chosen
    if (here := _here.get()) is not None:
        return here
    if _chosen is None:
        _chosen = _checked(os.environ.get(_VARIABLE) or "numpy", _VARIABLE)
    return _chosen


_here: ContextVar[str | None] = ContextVar("tinygrad_rnn.executor", default=None)


@contextmanager
def executing_on(name: str | None) -> Iterator[None]:
    """Within this context, this thread uses that executor (None: the usual one)."""
    token = _here.set(_here.get() if name is None else _checked(name, "executor"))
    try:
        yield
    finally:
        _here.reset(token)


@cache
def _checked(name: str, asked_by: str) -> str:
    if name not in _NEEDS:
        raise ValueError(f"{asked_by}: there is no executor {name!r}; choose from {[*_NEEDS]}")
    if find_spec(_NEEDS[name]) is None:
        raise ImportError(
            f"{asked_by}: the executor {name!r} needs {_NEEDS[name]}: {install_command('llvm')}"
        )
    return name


def build(cell: str, direction: str, *arguments: Any, **keywords: Any) -> Executable:
    """An `Executable` for the chosen executor; for NumPy if its loop cannot be compiled."""
    if get_executor() == "llvm":
        from .llvm.executable import CannotCompile, CompiledExecutable

        try:
            return CompiledExecutable(direction, *arguments, **keywords)
        except CannotCompile as reason:
            _notify(cell, direction, str(reason), reason.value)
    return Executable(direction, *arguments, **keywords)


def _notify(cell: str, direction: str, reason: str, value: Instruction | None) -> None:
    """Say once what is not compiled; `value`: the instruction, if it is a single one."""
    scope = None if value is None else value.origin
    op = getattr(scope, "op", None)
    found = reason.removeprefix("the op ")
    if op and (direction == "backward" or op != found):
        reason = f"the {'gradient of' if direction == 'backward' else 'op'} {op} ({found})"
    line = f", at {scope.line}" if scope is not None and scope.line else ""
    text = f"{cell} runs its {direction} loop on NumPy, not compiled, because of {reason}{line}"
    notify(f"{text}; the results are the same")
