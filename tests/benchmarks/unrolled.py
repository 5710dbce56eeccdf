"""`Recurrent(LSTMCell)` unrolled, every op recorded, against PyTorch loops over the same steps.

    python tests/benchmarks/unrolled.py --threads 1

One training step (forward, sum, backward to all parameters and the input) at (T, B, I, H) =
(100, 32, 64, 128), float32. The first PyTorch row is the cell composed from the same ops; the
second uses PyTorch's own fused `nn.LSTMCell`. "NumPy calls alone" are those that our run makes, in
its order and with its numbers to the bit: the floor of any run that records every op. The last row
is the same without the arrays that no gradient rule reads, which our graph keeps to be looked at.
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


def numpy_calls(problem: Problem, *, keep_all: bool) -> Callable[[], Any]:
    """What our run asks of NumPy, without a graph; `keep_all`: also what no gradient rule reads."""
    W, U, b, d = (problem.weights[k] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    parts = [slice(k * problem.H, (k + 1) * problem.H) for k in range(4)]

    def sigmoid(x: Any) -> Any:
        return 0.5 * np.tanh(0.5 * x) + 0.5

    def of_sigmoid(grad: Any, out: Any) -> Any:
        scaled = grad * out
        return scaled - scaled * out

    def added(total: Any, grad: Any) -> Any:
        return grad if total is None else np.add(total, grad)

    def run() -> list[Any]:
        h = c = np.zeros((problem.B, problem.H), problem.dtype)
        saved, outputs = [], []
        for x in problem.x:
            WT, UT = W.transpose(), U.transpose()
            of_x, of_h = np.dot(x, WT), np.dot(h, UT)
            from_x, from_h = of_x + b, of_h + d
            z = from_x + from_h
            z_i, z_f, z_g, z_o = (z[..., part] for part in parts)
            i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
            kept, written = f * c, i * g
            new = kept + written
            squashed = np.tanh(new)
            others = (of_x, of_h, from_x, from_h, z, kept, written, new) if keep_all else ()
            saved.append((x, h, c, i, f, g, o, squashed, WT, UT, others))
            c, h = new, o * squashed
            outputs.append(h)
        np.stack(outputs).sum()
        ones = np.ones_like(h)
        grad_h = grad_c = grad_W = grad_U = grad_b = grad_d = None
        inputs = []
        while saved:
            x, h, c, i, f, g, o, squashed, WT, UT, others = saved.pop()
            grad = added(grad_h, ones)
            grad_o, grad_s = grad * squashed, grad * o
            grad = added(grad_c, grad_s - grad_s * squashed * squashed)
            grad_i, grad_g, grad_f, grad_c = grad * g, grad * i, grad * c, grad * f
            gates = of_sigmoid(grad_i, i), of_sigmoid(grad_f, f), grad_g - grad_g * g * g
            grad = np.concatenate((*gates, of_sigmoid(grad_o, o)), -1)
            grad_d, grad_b = added(grad_d, grad.sum(axis=0)), added(grad_b, grad.sum(axis=0))
            grad_h = np.dot(grad, UT.T)
            grad_U = added(grad_U, np.dot(h.T, grad).transpose())
            inputs.append(np.dot(grad, WT.T))
            grad_W = added(grad_W, np.dot(x.T, grad).transpose())
        return [np.stack(inputs[::-1]), grad_W, grad_U, grad_b, grad_d]

    return run


def main() -> None:
    options = start(options_parser(__doc__, repeat=25), "numpy", "torch")
    problem = Problem("LSTM", 100, 32, 64, 128, np.float32)
    runs = {"tinygrad_rnn, unrolled": ours_unrolled(problem).train}
    if installed("torch"):
        runs["PyTorch, loop over ops"] = torch_loop(problem).train
        runs["PyTorch, loop over nn.LSTMCell"] = torch_fused_cell(problem)
    runs["NumPy calls alone"] = numpy_calls(problem, keep_all=True)
    runs["NumPy calls, less kept"] = numpy_calls(problem, keep_all=False)
    check_agreement({name: run() for name, run in runs.items()})
    times = interleaved(runs, options.repeat)
    base = times["tinygrad_rnn, unrolled"]
    rows = [[n, number(1000 * s), f"{base / s:.2f}"] for n, s in times.items()]
    print_table(["LSTM (100, 32, 64, 128)", "ms a step", "ours / this"], rows)


if __name__ == "__main__":
    main()
