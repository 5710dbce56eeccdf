"""The peak memory of one training step: this scan, with and without checkpoints, and PyTorch's.

    python tests/benchmarks/memory.py
    python tests/benchmarks/memory.py --row 1000,8,32,64 --cell LSTM

Each contestant runs in a process of its own: first a step on a few time steps, so that libraries
are loaded and threads are up; then the step that is measured. What is shown is by how much the
process's largest resident set grew, in MB (10**6 bytes), the input, which is made before, apart;
a second step shows what keeping the arrays for further steps costs.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import installed, print_machine, print_table, run_with_threads

CONTESTANTS = ("scan", "scan, checkpoint=sqrt", "unrolled", "PyTorch nn.*", "PyTorch loop")
WARM_UP = 3  # time steps


def ours(cell: str, sizes: tuple[int, ...], **options: Any) -> Callable[[np.ndarray], Any]:
    """One training step of this package."""
    import tinygrad_rnn as tg

    layer = getattr(tg.nn, cell)(sizes[2], sizes[3], **options)

    def step(x: np.ndarray) -> None:
        layer.zero_grad()
        inputs = tg.from_numpy(x)
        inputs.requires_grad = True
        layer(inputs)[0].sum().backward()

    return step


def pytorch(cell: str, sizes: tuple[int, ...]) -> Callable[[np.ndarray], Any]:
    """One training step of PyTorch's built-in layer."""
    import torch

    torch.set_num_threads(1)
    layer = getattr(torch.nn, cell)(sizes[2], sizes[3])

    def step(x: np.ndarray) -> None:
        layer.zero_grad()
        layer(torch.from_numpy(x).requires_grad_())[0].sum().backward()

    return step


def pytorch_loop(cell: str, sizes: tuple[int, ...]) -> Callable[[np.ndarray], Any]:
    """One training step of a loop over the cell, composed from PyTorch's ops."""
    import torch
    from recurrent_peers import Problem, torch_loop

    torch.set_num_threads(1)
    lengths = WARM_UP, sizes[0]
    runs = {steps: torch_loop(Problem(cell, steps, *sizes[1:])).train for steps in lengths}
    return lambda x: runs[len(x)]()


def peak() -> float:
    """The largest resident set of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def measure(name: str, cell: str, sizes: tuple[int, ...]) -> tuple[float, float]:
    """How much the first and the second step raised the peak of this process."""
    if name.startswith("PyTorch"):
        step = (pytorch_loop if name == "PyTorch loop" else pytorch)(cell, sizes)
    elif name == "unrolled":
        step = ours(cell, sizes, unroll=True)
    else:
        step = ours(cell, sizes, **({"checkpoint": "sqrt"} if "checkpoint" in name else {}))
    steps, batch, inputs, _ = sizes
    step(np.ones((WARM_UP, batch, inputs), np.float32))
    x = np.ones((steps, batch, inputs), np.float32)
    before = peak()
    step(x)
    first = peak()
    step(x)
    return first - before, peak() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", default="1000,8,32,64", metavar="T,B,I,H")
    parser.add_argument("--cell", default="LSTM", choices=["RNN", "LSTM", "GRU"])
    parser.add_argument("--contestant", choices=CONTESTANTS, help="measure this one, here")
    options = parser.parse_args()
    run_with_threads(1)
    sizes = tuple(map(int, options.row.split(",")))
    if options.contestant:
        print(*measure(options.contestant, options.cell, sizes))
        return
    rows = []
    for name in CONTESTANTS:
        if name.startswith("PyTorch") and not installed("torch"):
            continue
        command = [sys.executable, os.path.abspath(__file__), "--row", options.row]
        command += ["--cell", options.cell, "--contestant", name]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        rows.append([name, *(f"{float(megabytes):.1f}" for megabytes in found)])
    print_machine(["numpy", "llvmlite", "torch"])
    print(f"\n{options.cell} at (T, B, I, H) = ({options.row}), float32: MB above the rest\n")
    print_table(["contestant", "first step", "two steps"], rows)


if __name__ == "__main__":
    main()
