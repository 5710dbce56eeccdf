"""`Recurrent(LSTMCell)` unrolled, every op recorded, against PyTorch loops over the same steps.

    python tests/benchmarks/unrolled.py --threads 1

One training step (forward, sum, backward to all parameters and the input) at (T, B, I, H) =
(100, 32, 64, 128), float32. The first PyTorch column is the cell composed from the same ops; the
second uses PyTorch's own fused `nn.LSTMCell`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from recurrent_peers import Problem, check_agreement, ours_unrolled, torch_loop
from timing import installed, interleaved, number, options_parser, print_table, start


def torch_fused_cell(problem: Problem) -> Callable[[], Any]:
    """A loop over `torch.nn.LSTMCell`."""
    import torch

    cell = torch.nn.LSTMCell(problem.I, problem.H)
    for name, value in problem.weights.items():
        getattr(cell, name).data[...] = torch.from_numpy(value)
    x = torch.from_numpy(problem.x.copy()).requires_grad_()
    leaves = [x, *(getattr(cell, name) for name in problem.weights)]

    def run() -> list[Any]:
        state = (torch.zeros(problem.B, problem.H), torch.zeros(problem.B, problem.H))
        outputs = []
        for step in x:
            state = cell(step, state)
            outputs.append(state[0])
        torch.stack(outputs).sum().backward()
        gradients = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.grad = None
        return gradients

    return run


def main() -> None:
    options = start(options_parser(__doc__, repeat=25), "numpy", "torch")
    problem = Problem("LSTM", 100, 32, 64, 128, np.float32)
    runs = {"tinygrad_rnn, unrolled": ours_unrolled(problem).train}
    if installed("torch"):
        runs["PyTorch, loop over ops"] = torch_loop(problem).train
        runs["PyTorch, loop over nn.LSTMCell"] = torch_fused_cell(problem)
    check_agreement({name: run() for name, run in runs.items()})
    times = interleaved(runs, options.repeat)
    base = times["tinygrad_rnn, unrolled"]
    rows = [[n, number(1000 * s), f"{base / s:.2f}"] for n, s in times.items()]
    print_table(["LSTM (100, 32, 64, 128)", "ms a step", "ours / this"], rows)


if __name__ == "__main__":
    main()
