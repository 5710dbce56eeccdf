"""How long the first training step waits: for a plan, and for a compiler.

    python tests/benchmarks/compile_time.py

Each number is the first training step less a later one, in a process of its own: of the NumPy
executor (a plan), of the LLVM executor with an empty cache on disk, of LLVM again with what the
process before has left there, and of `jax.jit`. What a process does once for all cells (importing
a compiler, starting it) is done before, on another cell.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from recurrent_peers import CONTESTANTS, GATES, Problem
from timing import clock, installed, number, options_parser, print_table, start

SIZES = (50, 16, 32, 64)
COLUMNS = {
    "ours, NumPy": "ours, NumPy",
    "ours, LLVM": "ours, LLVM",
    "ours, LLVM, second process": "ours, LLVM",
    "JAX jit scan": "JAX jit scan",
}


def measure(contestant: str, cell: str) -> float:
    """Milliseconds, in this process."""
    make = CONTESTANTS[contestant][1]
    other = make(Problem("RNN", 3, 1, 2, 3))
    assert other is not None
    other.train()
    made = make(Problem(cell, *SIZES))
    assert made is not None
    times = []
    for _ in range(4):
        begin = clock()
        made.train()
        times.append(clock() - begin)
    return 1000 * (times[0] - min(times[1:]))


def in_a_process(contestant: str, cell: str, cache: str, cpu_time: bool) -> float:
    command = [sys.executable, __file__, "--measure", contestant, "--cell", cell]
    command += ["--cpu-time"] if cpu_time else []
    environment = os.environ | {"TINYGRAD_RNN_CACHE": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def table_row(cell: str, columns: list[str], repeat: int, cpu_time: bool) -> list[str]:
    found: dict[str, list[float]] = {name: [] for name in columns}
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as cache:
            for name in columns:
                found[name].append(in_a_process(COLUMNS[name], cell, cache, cpu_time))
    return [cell, *(number(sorted(found[name])[repeat // 2]) for name in columns)]


def main() -> None:
    parser = options_parser(__doc__, repeat=3)
    parser.add_argument("--measure", help="measure this one here, and print the number alone")
    parser.add_argument("--cell", choices=list(GATES), default="LSTM")
    options = start(parser, "numpy", "llvmlite", "jax")
    if options.measure:
        print(measure(options.measure, options.cell))
        return
    columns = [name for name, of in COLUMNS.items() if installed(CONTESTANTS[of][0])]
    print(f"Milliseconds that the first training step waits, at {SIZES}.\n")
    rows = (table_row(cell, columns, options.repeat, options.cpu_time) for cell in GATES)
    print_table(["cell", *columns], rows)


if __name__ == "__main__":
    main()
