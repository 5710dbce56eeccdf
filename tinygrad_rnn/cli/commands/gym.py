"""`tinygrad-rnn gym`: twenty bugs in backpropagation through time, to find and fix."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from ...invocation import command
from ...language import say
from ..parser import CommandError, add_command

if TYPE_CHECKING:
    from ...lessons.gym import Finding
    from ..parser import Commands

__all__ = ["register"]

_DETAILS = """\
Twenty files, each an RNN, LSTM or GRU with a backward pass written by hand in
NumPy, and one bug in it. Fix it: every value and every gradient is compared
with the engine's. Without a file, writes the missing files to the folder `gym`,
and lists which are fixed.
OPTIONS
examples:
  tinygrad-rnn gym
  tinygrad-rnn gym gym/01_transposed_weight.py
  tinygrad-rnn gym gym/01_transposed_weight.py --hint
"""


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "gym", "find bugs in backpropagation through time", _DETAILS)
    parser.add_argument(
        "path", metavar="PATH", nargs="?", type=Path, default=Path("gym"),
        help="a file, or the folder of all files (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--hint", action="store_true", help="print a question that leads to the bug"
    )
    parser.add_argument("--solution", action="store_true", help="print the line, wrong and right")
    parser.set_defaults(command=_gym)


def _gym(options: argparse.Namespace) -> int:
    from ...lessons import gym

    if options.path.suffix == ".py":
        if not options.path.is_file():
            raise CommandError(f"there is no file {options.path}; `{command()} gym` writes them")
        try:
            finding = gym.inspect_file(options.path)
        except ValueError as error:
            raise CommandError(str(error)) from error
        print("\n".join(_described(finding, options)))
        return 0 if finding.mended else 1
    findings = {path: gym.inspect_file(path) for path in gym.start(options.path)}
    for path, finding in findings.items():
        print(f"  {'fixed' if finding.mended else '-':7}{path}")
    fixed = sum(finding.mended for finding in findings.values())
    print(f"{fixed} of {len(findings)} are fixed.", end=" ")
    next_one = next((path for path, finding in findings.items() if not finding.mended), None)
    print(f"Next: {next_one}" if next_one else "All bugs are fixed.")
    return 0


def _described(finding: Finding, options: argparse.Namespace) -> list[str]:
    fault = finding.fault
    if finding.mended:
        return [say("Fixed: all values and gradients are right.")]
    over = {0: say("It does not run:"), 1: say("Wrong, already in a single step:")}
    later = say("A single step is right. Over {steps} steps, wrong:", steps=finding.steps)
    lines = [over.get(finding.steps, later)]
    for wrong in finding.wrong:
        lines += textwrap.wrap(wrong, 78, initial_indent="  ", subsequent_indent="    ")
    if options.hint or options.solution:
        lines += textwrap.wrap(
            say("Hint: {hint}", hint=say(fault.hint)), 78, subsequent_indent="  "
        )
    if options.solution:
        lines += [f"- {line.strip()}" for line in _line(fault.text(), fault.wrong)]
        lines += [f"+ {line.strip()}" for line in _line(fault.solution(), fault.right)]
    return lines


def _line(text: str, part: str) -> list[str]:
    """The first line that contains `part`."""
    at = text.index(part.rstrip("\n"))
    return [text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]]
