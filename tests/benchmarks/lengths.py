"""Padded batches: every step masked, the rows that go on alone, and PyTorch's packed sequences.

    python tests/benchmarks/lengths.py

One training step of an LSTM. "Divided" changes the rows at every chance, "as chosen" is what the
rule of `compiler/runtime/ragged.py` makes of the lengths. Lengths are
uniform from 1 to T, close (from T - 2 to T, as in batches sorted by length), or one of T and the
others of T / 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from timing import installed, interleaved, number, options_parser, print_table, start

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.runtime import ragged

ROWS = [(20, 128, 64, 128), (100, 32, 64, 128), (50, 16, 32, 64)]


def ours(sizes: tuple[int, ...], lengths: Any, executor: str, change: float) -> Callable[[], Any]:
    """With that price for a change of rows."""
    steps, batch, inputs, hidden = sizes
    layer = nn.LSTM(inputs, hidden)
    x = tg.from_numpy(np.ones((steps, batch, inputs), np.float32))

    def train() -> None:
        tg.set_executor(executor)
        usual, ragged.CHANGE = ragged.CHANGE, change
        layer(x, lengths=lengths)[0].sum().backward()
        layer.zero_grad()
        ragged.CHANGE = usual

    return train


def pytorch(sizes: tuple[int, ...], lengths: Any) -> Callable[[], Any]:
    """With `pack_padded_sequence`."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    steps, batch, inputs, hidden = sizes
    layer = torch.nn.LSTM(inputs, hidden)
    x = torch.ones(steps, batch, inputs)

    def train() -> None:
        packed = pack_padded_sequence(x, torch.from_numpy(lengths), enforce_sorted=False)
        pad_packed_sequence(layer(packed)[0])[0].sum().backward()
        layer.zero_grad()

    return train


def cases(steps: int, batch: int) -> dict[str, Any]:
    """Lengths (B,) by what they are like."""
    draw = np.random.default_rng(0)
    return {
        "uniform": draw.integers(1, steps + 1, batch),
        "close": draw.integers(steps - 2, steps + 1, batch),
        "one long": np.where(np.arange(batch) == 0, steps, steps // 4),
    }


def main() -> None:
    parser = options_parser(__doc__, repeat=7)
    parser.add_argument("--executor", choices=["numpy", "llvm"], default="numpy")
    options = start(parser, "numpy", "llvmlite", "torch")
    print(f"Milliseconds for one training step of an LSTM, executor {options.executor}.\n")
    rows = []
    for sizes in ROWS:
        for kind, lengths in cases(*sizes[:2]).items():
            contestants = {
                "masked": ours(sizes, lengths, options.executor, float("inf")),
                "divided": ours(sizes, lengths, options.executor, 0.0),
                "as chosen": ours(sizes, lengths, options.executor, ragged.CHANGE),
            }
            if installed("torch"):
                contestants["PyTorch, packed"] = pytorch(sizes, lengths)
            times = interleaved(contestants, options.repeat)
            real = lengths.sum() / (sizes[0] * sizes[1])
            shown = [number(1000 * seconds) for seconds in times.values()]
            rows.append([",".join(map(str, sizes)), kind, f"{100 * real:.0f} %", *shown])
    print_table(["T,B,I,H", "lengths", "real steps", *contestants], rows, left=2)


if __name__ == "__main__":
    main()
