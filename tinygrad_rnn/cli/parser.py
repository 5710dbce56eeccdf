"""What all commands share: a parser whose errors are one line, and an error of their own."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from ..errors import TinygradRnnError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]

__all__ = ["CommandError", "Parser", "add_command"]


class CommandError(TinygradRnnError):
    """A command that cannot do what it was asked for; the message is one line."""


class Parser(argparse.ArgumentParser):
    """argparse's, but what is wrong with the arguments is said on one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is; leave with exit status 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def add_command(commands: Commands, name: str, summary: str, details: str) -> Parser:
    """A parser for the command `name`: `summary` is its line in the list of commands.

    `details`, the text above and below its options, parted by a line `OPTIONS`, is shown as it is.
    """
    above, _, below = details.partition("OPTIONS\n")
    return commands.add_parser(
        name,
        help=summary,
        description=above,
        epilog=below,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
