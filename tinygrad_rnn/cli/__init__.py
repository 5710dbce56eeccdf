"""The command `tinygrad-rnn`: its subcommands are in `commands/`, what they share is here."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import TinygradRnnError
from ..invocation import command
from ..language import get_language, use_language
from ..terminal import printable
from .commands import NAMES
from .parser import Parser

__all__ = ["main"]

_DESCRIPTION = """\
Recurrent networks composed from differentiable NumPy ops.
"""
_EPILOG = """\
train on the bundled surnames, query the network, see what LSTMs are for:
  tinygrad-rnn train
  tinygrad-rnn predict runs/surnames Kowalski
  tinygrad-rnn show vanishing
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 2 after an error, 130 after Ctrl-C.

    `arguments`: those after the program's name; from the command line if None.

    >>> main(["predict", "no/such/run", "Kowalski"])
    2
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Unicode
    try:
        options = _parser().parse_args(arguments)
        with use_language(getattr(options, "language", None) or get_language()):
            status: int = options.command(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return _fail("stopped by Ctrl-C", 130)
    except BrokenPipeError:  # as with `| head`: the reader has stopped, which is not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f"{error.filename!r}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}")
    except MemoryError as error:
        return _fail(f"not enough memory ({error or 'the sizes are too large'})")
    except TinygradRnnError as error:
        return _fail(str(error))


def _fail(message: str, status: int = 2) -> int:
    print("tinygrad-rnn:", printable(" ".join(message.split())), file=sys.stderr)
    return status


def _parser() -> Parser:
    parser = Parser(
        prog=command(),
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-rnn {__version__}")

    def show_help(_: argparse.Namespace) -> int:
        parser.print_help()
        return 0

    parser.set_defaults(command=show_help)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in NAMES:
        importlib.import_module(f".commands.{name}", __name__).register(commands)
    return parser
