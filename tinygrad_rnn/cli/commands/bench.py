"""`tinygrad-rnn bench`: a cell's training step here, and its export in JAX and PyTorch."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...invocation import install_command
from ...terminal import printable
from ..further import add_further_inputs, random_inputs
from ..parser import CommandError, add_command

if TYPE_CHECKING:
    from ...export.measurement import Measurement
    from ..parser import Commands

__all__ = ["register"]

_DETAILS = """\
Times a training step of a cell: a scan over sequences, forward and backward.
The same cell is then exported with tg.export, and its step is timed in JAX
(jit) and in PyTorch, if they are installed. Each library runs in its own
process. The results are checked to agree.
OPTIONS
examples:
  tinygrad-rnn bench my_file.py:MyCell
  tinygrad-rnn bench lstm --hidden-size 256 --batch-size 32
"""

_NAMES = {
    "numpy": "tinygrad_rnn",
    "llvm": "tinygrad_rnn, llvm",
    "jax": "JAX, jit",
    "torch": "PyTorch",
}
_SAME = 1e-3  # how far float32 results may differ, relative to their size
_WIDTH = 80
_SIZES = ("input_size", "hidden_size", "batch_size", "steps", "threads")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "bench", "time a cell against JAX and PyTorch", _DETAILS)
    parser.add_argument(
        "cell", metavar="CELL", help="rnn, lstm, gru, or your own cell: my_file.py:MyCell"
    )
    for name, default, meaning in (
        ("input-size", 32, "features of the input at each step"),
        ("hidden-size", 64, "elements of the state"),
        ("batch-size", 16, "sequences in a batch"),
        ("steps", 100, "length of the sequences"),
        ("threads", 1, "threads for each library"),
    ):
        parser.add_argument(
            f"--{name}",
            type=int,
            metavar="N",
            default=default,
            help=f"{meaning} (default: {default})",
        )
    add_further_inputs(parser)
    parser.add_argument("--only", choices=sorted(_NAMES), help="measure only this library")
    parser.add_argument("--json", action="store_true", help="in this process, as a line of JSON")
    parser.set_defaults(command=_bench)


def _bench(options: argparse.Namespace) -> int:
    from ...export.measurement import Measurement, available

    for name in _SIZES:
        if getattr(options, name) < 1:
            option = f"--{name.replace('_', '-')}"
            raise CommandError(f"{option} is {getattr(options, name)}, but must be at least 1")
    libraries = available() if options.only is None else [options.only]
    if missing := [name for name in libraries if name not in available()]:
        raise CommandError(f"{missing[0]} is not installed")
    if options.json:  # the option that the parent process passes: only measure
        print(json.dumps(_measured(libraries[0], options)))
        return 0
    found: dict[str, Measurement] = {}
    for library in libraries:
        found[library] = Measurement(*_in_a_process(library, options))
    print(printable(_report(found, options)))
    return 0 if _agreement(found) <= _SAME else 1


def _measured(library: str, options: argparse.Namespace) -> Measurement:
    import numpy as np

    from ... import pytree
    from ...export.measurement import measured
    from ...ops import manual_seed
    from ...user_code import blame, find_cell

    named = find_cell(options.cell)
    if hasattr(os, "sched_setaffinity"):  # for libraries that read no such variable
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[: options.threads])
    manual_seed(0)
    with blame(named.file):
        cell = named.cell(options.input_size, options.hidden_size)
        shape = (options.steps, options.batch_size, options.input_size)
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        given = pytree.map(lambda tensor: tensor.data, random_inputs(cell, options))
        return measured(library, cell, x, **given)


def _in_a_process(library: str, options: argparse.Namespace) -> Sequence[Any]:
    """A measurement from a process in which nothing else has run."""
    sizes = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in _SIZES]
    threads = dict.fromkeys(_THREADS, str(options.threads))
    call = [sys.executable, "-m", "tinygrad_rnn", "bench", options.cell]
    call += [*sizes, f"--only={library}", "--json"]
    for option in ("step-inputs", "constants"):
        given = getattr(options, option.replace("-", "_"))
        shapes = [f"{name}={'x'.join(map(str, shape))}" for name, shape in given]
        call += [f"--{option}", *shapes] if shapes else []
    ended = subprocess.run(call, capture_output=True, encoding="utf-8", env=os.environ | threads)
    lines = ended.stdout.splitlines()
    if ended.returncode or not lines:
        said = ended.stderr.strip().splitlines() or ["it ended without a message"]
        raise CommandError(said[-1].removeprefix("tinygrad-rnn: "))
    found: Sequence[Any] = json.loads(lines[-1])
    return found


def _report(found: dict[str, Measurement], options: argparse.Namespace) -> str:
    from ...tables import text_table
    from ...training.environment import environment

    rows = [("", "first step", "step", "memory")]
    for library, one in found.items():
        memory = "-" if one.memory is None else f"{one.memory / 2**20:.0f} MiB"
        rows.append((_NAMES[library], f"{one.first:.2f} s", f"{one.step * 1e3:.2f} ms", memory))
    here = environment()
    agree = f"They agree to {_agreement(found):.0e}." if len(found) > 1 else ""
    if _agreement(found) > _SAME:
        agree = f"They do NOT agree: results differ by {_agreement(found):.0e} of their size."
    processor = f"Processor: {here['processor']}, {here['machine'].split()[0]}"
    return "\n".join(
        [
            f"{options.cell}: a training step of {options.steps} steps of time, "
            f"batch {options.batch_size},",
            f"{options.input_size} inputs, {options.hidden_size} hidden, float32, "
            f"threads: {options.threads}",
            "",
            text_table(rows, right=[1, 2, 3]),
            "",
            *filter(None, [agree, "" if options.only else _missing(found)]),
            "The first step compiles; memory is how much the process grew.",
            processor if len(processor) <= _WIDTH else f"{processor[: _WIDTH - 3]}...",
        ]
    )


def _missing(found: dict[str, Measurement]) -> str:
    """What was not measured, and how to have it measured, too."""
    names = [name for library, name in _NAMES.items() if library not in found]
    if not names:
        return ""
    command = install_command("peers" if {"jax", "torch"} - found.keys() else "llvm")
    return f"Not installed: {'; '.join(names)}. To compare with them:\n  {command}"


def _agreement(found: dict[str, Measurement]) -> float:
    """The largest relative difference of losses and gradients between libraries."""
    first, *others = found.values()
    pairs = [(first.loss, o.loss) for o in others] + [(first.slope, o.slope) for o in others]
    return max((abs(a - b) / max(abs(a), 1e-30) for a, b in pairs), default=0.0)
