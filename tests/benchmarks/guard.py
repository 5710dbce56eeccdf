"""What it costs to notice that an array was changed before the backward pass that needs it.

    python tests/benchmarks/guard.py

The same computation with the guard and with the guard taken out, taking turns. It has work to do
only for arrays that someone outside holds; the rows differ in which arrays those are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from recurrent_peers import unrolled
from timing import interleaved, number, options_parser, print_table, start

import tinygrad_rnn as tg
from tinygrad_rnn.engine import autograd, op, tensor

GUARDED = [  # where the engine calls the guard
    (op, "note_shared_inputs"),
    (autograd, "check_unchanged"),
    (tensor, "note_hand_out"),
]


def unguarded(run: Callable[[], Any]) -> Callable[[], Any]:
    """`run` with the guard's calls doing nothing."""

    def run_without() -> Any:
        held = [(module, name, getattr(module, name)) for module, name in GUARDED]
        for module, name, _ in held:
            setattr(module, name, lambda *_: None)
        try:
            return run()
        finally:
            for module, name, function in held:
                setattr(module, name, function)

    return run_without


def chain(size: int, shared: bool) -> Callable[[], Any]:
    """1,000 ops, tanh(x) * w, on square matrices; `shared`: they are the caller's own ndarrays."""
    draw = np.random.default_rng(0)
    ranges = [(0.5, 1), (0.995, 1.005)]  # so that nothing becomes denormal, which is slow
    arrays = [draw.uniform(*ends, (size, size)).astype(np.float32) for ends in ranges]

    def run() -> None:
        x, w = map(tg.from_numpy if shared else tg.tensor, arrays)
        x.requires_grad_()
        for _ in range(500):
            x = tg.tanh(x) * w
        x.sum().backward()

    return run


def training_step(shared_input: bool, write_parameters: bool) -> Callable[[], Any]:
    """The unrolled LSTM at (T, B, I, H) = (100, 32, 64, 128), forward and backward.

    `write_parameters`: a plain gradient step through `parameter.data`, as users write it.
    """
    layer = unrolled(tg.nn.LSTMCell(64, 128))
    x = np.random.default_rng(0).standard_normal((100, 32, 64)).astype(np.float32)

    def run() -> None:
        given = (tg.from_numpy if shared_input else tg.tensor)(x)
        layer(given)[0].sum().backward()
        for parameter in layer.parameters():
            if write_parameters:
                parameter.data[...] -= 1e-6 * parameter.grad.data
            else:
                with tg.no_grad():
                    parameter -= 1e-6 * parameter.grad
            parameter.grad = None

    return run


def cases() -> dict[str, Callable[[], Any]]:
    return {
        "1,000 ops on 2x2, own arrays": chain(2, shared=False),
        "1,000 ops on 2x2, the caller's ndarrays": chain(2, shared=True),
        "1,000 ops on 128x128, own arrays": chain(128, shared=False),
        "1,000 ops on 128x128, the caller's ndarrays": chain(128, shared=True),
        "unrolled LSTM, own arrays": training_step(False, False),
        "unrolled LSTM, input is an ndarray": training_step(True, False),
        "unrolled LSTM, parameters written through .data": training_step(True, True),
    }


def main() -> None:
    options = start(options_parser(__doc__, repeat=15), "numpy")
    rows = []
    for name, run in cases().items():
        times = interleaved({"with": run, "without": unguarded(run)}, options.repeat)
        cost = times["with"] / times["without"] - 1
        rows.append([name, *(number(1000 * s) for s in times.values()), f"{100 * cost:+.0f} %"])
    print_table(["milliseconds", "with the guard", "without", "cost"], rows)


if __name__ == "__main__":
    main()
