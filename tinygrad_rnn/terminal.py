"""What reaches the terminal: colours where one is there, nothing that would steer it, guesses."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterable
from typing import TextIO

__all__ = ["coloured", "did_you_mean", "printable"]

_COLOURS = {
    "holds": "32",  # green
    "BROKEN": "1;31",  # bold red
    "excepted": "33",  # yellow
    "not checked": "33",
    "does not apply": "2",  # faint
}


def coloured(table: str, stream: TextIO | None = None) -> str:
    """The table of `check_cell` with its verdicts in colours, if `stream` shows them.

    That is: it is a terminal, TERM is not "dumb", and NO_COLOR is empty (https://no-color.org).
    `stream`: where it is printed, stdout by default.

    >>> coloured("  holds           repeat")
    '  holds           repeat'
    """
    stream = sys.stdout if stream is None else stream
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return table
    verdict = re.compile(rf"^(  )({'|'.join(_COLOURS)})\b", re.MULTILINE)
    return verdict.sub(lambda m: f"{m[1]}\033[{_COLOURS[m[2]]}m{m[2]}\033[0m", table)


def printable(text: object) -> str:
    r"""The text with what is not printable escaped: a class or file may have any name.

    >>> print(printable("caf\xe9\x1b[31m"))
    café\x1b[31m
    """
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape", "surrogatepass").decode()
        for c in str(text)
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The question to put behind an error about `word`; nothing if nothing known is like it.

    >>> did_you_mean("ltsm", ["rnn", "lstm"])
    " (did you mean 'lstm'?)"
    >>> did_you_mean("transformer", ["rnn", "lstm"])
    ''
    """
    close = difflib.get_close_matches(word, list(known), 1, 0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
