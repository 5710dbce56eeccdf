"""The reader's text becomes a cell; what is wrong in it is said with its line."""

from __future__ import annotations

import ast
import linecache
import traceback
from importlib import resources
from typing import Any

from tinygrad_rnn import nn
from tinygrad_rnn.errors import StaleValueError

__all__ = ["FILE", "CellError", "blame", "cell_class", "starting_points"]

FILE = "cell.py"
NAME = "reader"


class CellError(Exception):
    """What is wrong with the reader's text: `line` (None: no single one) and `message`."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def starting_points() -> dict[str, str]:
    """The cells to start from: their texts by name, those of the lessons first."""
    folder = resources.files(__package__) / "cells"
    order = folder.joinpath("order.txt").read_text(encoding="utf-8").split()
    return {name: folder.joinpath(f"{name}.py").read_text(encoding="utf-8") for name in order}


def cell_class(text: str) -> type[nn.Cell]:
    """Run the text; the last subclass of `nn.Cell` that it defines is the cell."""
    linecache.cache[FILE] = (len(text), None, text.splitlines(keepends=True), FILE)
    names: dict[str, Any] = {"__name__": NAME}
    try:
        exec(compile(text, FILE, "exec"), names)
    except KeyboardInterrupt:  # it took too long, which the page says
        raise
    except BaseException as error:
        raise blame(error) from error
    own = [value for value in names.values() if _is_own_cell(value)]
    if not own:
        raise CellError(
            "There is no cell here. A cell is a class that begins like this:\n"
            "class MyCell(nn.Cell):\n"
            "    def __init__(self, input_size, hidden_size): ...\n"
            "    def forward(self, x, h): ..."
        )
    return own[-1]


def _is_own_cell(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Cell) and value.__module__ == NAME


def blame(error: BaseException) -> CellError:
    """The error as the reader needs it: the last of their own lines that it went through."""
    if isinstance(error, CellError):
        return error
    told = "".join(traceback.TracebackException.from_exception(error).format_exception_only())
    if isinstance(error, SyntaxError):
        return CellError(f"{type(error).__name__}: {error.msg}", error.lineno)
    lines: list[int] = []
    cause: BaseException | None = error
    while cause is not None and not lines:
        frames = traceback.extract_tb(cause.__traceback__)
        lines = [f.lineno for f in frames if f.filename == FILE and f.lineno is not None]
        cause = cause.__cause__ or cause.__context__
    if not lines and isinstance(error, StaleValueError) and "in place" in told:
        lines = _changed_in_place()
    return CellError(told.strip(), lines[-1] if lines else None)


def _changed_in_place() -> list[int]:
    """The line of the text that changes a value in place, as `c += 1` does, if it is the only one.

    The error of the backward pass does not know it: the forward pass was over by then.
    """
    tree = ast.parse("".join(linecache.getlines(FILE)))
    found = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.AugAssign)]
    return found if len(found) == 1 else []
