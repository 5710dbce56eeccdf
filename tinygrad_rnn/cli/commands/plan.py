"""`tinygrad-rnn plan`: what a scan of a cell computes at each stage, and what each line costs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ...terminal import printable
from ..further import add_further_inputs, further_inputs
from ..parser import CommandError, add_command, add_out, out_file

if TYPE_CHECKING:
    from ...user_code import NamedCell
    from ..parser import Commands

__all__ = ["register"]

_DETAILS = """\
A cell runs over a sequence as a scan. Whatever does not depend on its state is
moved out of the loop over time and computed for all steps at once, forward and
backward. This command prints which instructions run once, before, in and after
the loop, then the cost of each line of the cell's source.
OPTIONS
examples:
  tinygrad-rnn plan lstm --batch-size 32
  tinygrad-rnn plan lstm --passes
  tinygrad-rnn plan my_file.py:MyCell --hidden-size 64 --out plan.svg
  tinygrad-rnn plan my_file.py:DecayCell --step-inputs dt=1 --constants memory=7x4
"""


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "plan", "show how a cell is compiled, and its costs", _DETAILS)
    parser.add_argument(
        "cell",
        metavar="CELL",
        help="lstm, mingru or any of tinygrad_rnn.cells, or your own cell: my_file.py:MyCell",
    )
    for name, default, meaning in (
        ("input-size", 32, "features of the input at each step"),
        ("hidden-size", 64, "elements of the state"),
        ("batch-size", 16, "sequences in a batch"),
        ("steps", 100, "length of the sequences"),
    ):
        parser.add_argument(
            f"--{name}",
            type=int,
            metavar="N",
            default=default,
            help=f"{meaning} (default: {default})",
        )
    add_further_inputs(parser)
    parser.add_argument("--padded", action="store_true", help="sequences of different lengths")
    parser.add_argument(
        "--passes", action="store_true", help="print the step after each pass of the compiler"
    )
    add_out(parser, None, "also draw the plan to this .svg file")
    parser.set_defaults(command=_plan)


def _plan(options: argparse.Namespace) -> int:
    from ...user_code import blame, find_cell

    if options.out is not None and not options.out.endswith(".svg"):
        raise CommandError(f"--out is {options.out!r}, but should end in .svg")
    for name in ("input_size", "hidden_size", "batch_size", "steps"):
        if getattr(options, name) < 1:
            option = f"--{name.replace('_', '-')}"
            raise CommandError(f"{option} is {getattr(options, name)}, but must be at least 1")
    out = None if options.out is None else out_file(options, options.out)
    cell = find_cell(options.cell)
    with blame(cell.file):
        plan = _planned(cell, options)
    print(printable(plan))
    if out is not None:
        from ... import viz

        print(f"\nDrawn in {viz.stages(plan).save(out)}")
    return 0


def _planned(cell: NamedCell, options: argparse.Namespace) -> Any:
    made = cell.cell(options.input_size, options.hidden_size)
    step_inputs, constants = further_inputs(made, options)
    return made.plan(
        options.batch_size,
        options.steps,
        input_size=options.input_size,
        step_inputs=step_inputs,
        constants=constants,
        lengths=options.padded,
        passes=options.passes,
    )
