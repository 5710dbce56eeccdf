"""`tinygrad-rnn show`: a lesson as a page, two networks side by side with knobs to turn."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..parser import CommandError, add_command, add_language, add_out, out_file

if TYPE_CHECKING:
    from ..parser import Commands

__all__ = ["register"]

_LESSONS = {
    "vanishing": "where the gradient goes in 100 steps",
    "exploding": "when it grows instead",
    "gates": "how long an LSTM remembers",
    "no-future": "which inputs an output depends on",
    "truncation": "what is lost where the gradient is cut",
}
_KNOBS = {  # option: what it is, and the lessons that have it
    "forget-bias": "bias of the LSTM's forget gate (vanishing, gates)",
    "spectral-radius": "of the recurrent weights (vanishing, exploding)",
    "steps": "length of the sequence (vanishing, exploding, gates)",
    "step": "step of the output to look at (no-future)",
    "truncate": "steps after which the gradient is cut (truncation)",
}
_DETAILS = f"""\
Runs two networks over the same sequence and writes a page that shows them side
by side, with sliders for the values that make the difference. Each position of
a slider is a real run.

{chr(10).join(f"  {name:<12}{what}" for name, what in _LESSONS.items())}
OPTIONS
examples:
  tinygrad-rnn show vanishing
  tinygrad-rnn show vanishing --forget-bias 0 --steps 50
  tinygrad-rnn show exploding --out exploding.svg
"""


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "show", "write a lesson about the gradient", _DETAILS)
    parser.add_argument("lesson", metavar="LESSON", choices=_LESSONS, help=", ".join(_LESSONS))
    for name, what in _KNOBS.items():
        parser.add_argument(f"--{name}", type=float, metavar="X", help=what)
    add_language(parser)
    add_out(parser, "LESSON.html", "file to write, .html, .svg, .png or .pdf")
    parser.set_defaults(command=_show)


def _show(options: argparse.Namespace) -> int:
    from ... import viz

    names = (name.replace("-", "_") for name in _KNOBS)
    knobs = {name: value for name in names if (value := getattr(options, name)) is not None}
    out = out_file(options, f"{options.lesson}.html")
    try:
        lesson = viz.show(options.lesson, **knobs)
        path = lesson.save(out)
    except (ValueError, ImportError) as error:
        raise CommandError(str(error).replace("_", "-")) from error
    print(lesson.lesson.said.question)
    print(f"Open {Path(path).resolve().as_uri()}")
    return 0
