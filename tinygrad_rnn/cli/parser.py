"""Shared by all commands: a parser with one-line errors, output files, suggestions."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Sequence
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import TinygradRnnError
from ..invocation import command
from ..language import LANGUAGES
from ..terminal import did_you_mean, printable

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]

__all__ = ["CommandError", "Parser", "add_command", "add_out", "out_file"]


class CommandError(TinygradRnnError):
    """A command that cannot do what was asked; the message is one line."""


class Parser(argparse.ArgumentParser):
    """argparse's parser, with errors of one line that suggest what may have been meant.

    In help texts a line that begins with `tinygrad-rnn` is a command. It is printed the way the
    user called the program.
    """

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and how to get help; exit with status 2."""
        wrong = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if wrong:
            message += did_you_mean(wrong[1], re.findall(r"[\w-]+", wrong[2]))
        help_command = f"{self.prog} --help"
        self.exit(2, printable(f"tinygrad-rnn: {message} (see {help_command})") + "\n")

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As in argparse, but unknown arguments are refused here, where similar names are known."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            option = next((word for word in rest if word.startswith("-")), "").partition("=")[0]
            guess = did_you_mean(option, self._option_string_actions)
            self.error(f"unrecognized arguments: {' '.join(rest)}{guess}")
        return found, rest

    def format_help(self) -> str:
        """As in argparse, with examples that can be pasted."""
        return re.sub(r"^( +)tinygrad-rnn\b", rf"\1{command()}", super().format_help(), flags=re.M)


def add_out(parser: Parser, default: str | None, what: str) -> None:
    """The options `--out` and `--force`, for `out_file`. `default`: shown, and used if given."""
    shown = f" (default: {default})" if default else ""
    parser.add_argument("--out", metavar="FILE", help=f"{what}{shown}")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")


def add_language(parser: Parser) -> None:
    """The option `--lang`; `main` applies it for every command that has it."""
    parser.add_argument(
        "--lang",
        dest="language",
        choices=LANGUAGES,
        help="language of the output: en, or ko for Korean (default: the environment variable "
        "TINYGRAD_RNN_LANGUAGE, or en)",
    )


def out_file(options: argparse.Namespace, default: str) -> Path:
    """The file to write:

    `--out`, which must not exist yet, or the next free name like `default`.
    """
    if options.out is None:
        base = Path(default)
        names = (base.with_stem(f"{base.stem}-{n}") if n > 1 else base for n in count(1))
        return base if options.force else next(path for path in names if not path.exists())
    path = Path(options.out)
    if path.exists() and not options.force:
        raise CommandError(
            f"{options.out!r} already exists: overwrite it with --force, or choose another --out"
        )
    return path


def _wrapped(text: str) -> str:
    """Join the lines of each paragraph; empty and indented lines separate paragraphs.

    >>> print(_wrapped("one line\\nand another\\n  a command\\n"))
    one line and another
      a command
    """
    kinds = groupby(
        text.split("\n"), lambda line: bool(line) and not line.startswith((" ", "OPTIONS"))
    )
    return "\n".join(
        textwrap.fill(" ".join(lines), 79, break_on_hyphens=False) if prose else "\n".join(lines)
        for prose, lines in kinds
    )


def add_command(commands: Commands, name: str, summary: str, details: str) -> Parser:
    """A parser for the command `name`: `summary` is its line in the list of commands.

    `details` is the text above and below its options, separated by a line `OPTIONS`. Its prose is
    wrapped to 79 columns; lines that begin with a space are printed unchanged.
    """
    above, _, below = _wrapped(details).partition("OPTIONS\n")
    return commands.add_parser(
        name,
        help=summary,
        description=above,
        epilog=below,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
