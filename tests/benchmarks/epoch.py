"""A training epoch of the main job, names to languages, here and in PyTorch with packed sequences.

    python tests/benchmarks/epoch.py
    python tests/benchmarks/epoch.py --data ../shared/data/names --epochs 20 --seeds 0 1 2

The same names, split, batches and order of batches; the same network (embedding, LSTM, its last
state, a linear layer, dropout between), starting from the same weights; AdamW, clipping and a
cosine with the same settings; each epoch measured on the held-out names. PyTorch runs `nn.LSTM` on
`pack_padded_sequence(..., enforce_sorted=False)` and its fused AdamW. The contestants take turns,
an epoch each; the first epoch, in which programs are compiled, is shown apart.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from timing import clock, installed, number, options_parser, print_table, start

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.data import load_names
from tinygrad_rnn.training import Training
from tinygrad_rnn.training.names import Corpus, Part, Settings, batches_of, build, task

Accuracies = Iterator[float]


def ours(executor: str) -> Callable[[str, Corpus, Settings], Accuracies]:
    """This package, as `tinygrad-rnn train` does it."""

    def train(cell: str, corpus: Corpus, settings: Settings) -> Accuracies:
        model = build(getattr(nn, f"{cell}Cell"), corpus, settings)
        training = Training(model, **task(model, corpus, settings))
        for _ in range(settings.epochs):
            tg.set_executor(executor)
            training.train_epoch()
            yield training.metrics["val_accuracy"]

    return train


def pytorch(cell: str, corpus: Corpus, settings: Settings) -> Accuracies:
    """The same in PyTorch."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = settings.embedding_size, settings.hidden_size
            self.embedding = torch.nn.Embedding(len(corpus.vocabulary), sizes[0], padding_idx=0)
            self.recurrent = getattr(torch.nn, cell)(*sizes, settings.layers)
            self.dropout = torch.nn.Dropout(settings.dropout)
            self.readout = torch.nn.Linear(sizes[1], len(corpus.classes))

        def forward(self, symbols: Any, lengths: Any) -> Any:
            letters = self.dropout(self.embedding(torch.from_numpy(symbols)))
            packed = pack_padded_sequence(letters, torch.from_numpy(lengths), enforce_sorted=False)
            _, state = self.recurrent(packed)
            h = state[0] if cell == "LSTM" else state
            return self.readout(self.dropout(h[-1]))

    def measured(part: Part) -> float:
        model.eval()
        with torch.no_grad():
            right = sum(
                _right(model(b.inputs, b.lengths).numpy(), b.labels) for b in batches_of(part)
            )
        model.train()
        return right / len(part)

    torch.manual_seed(settings.seed)
    model = Classifier()
    start = build(getattr(nn, f"{cell}Cell"), corpus, settings).state_dict()
    model.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in start.items()})
    data = batches_of(corpus.train, settings.batch_size, settings.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    steps = settings.epochs * len(data)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(settings.epochs):
        for batch in data:
            optimizer.zero_grad()
            scores = model(batch.inputs, batch.lengths)
            loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(batch.labels))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm).item()
            optimizer.step()
            schedule.step()
            loss.item()  # what the loop of this package looks at, too
            _right(scores.detach().numpy(), batch.labels)
        yield measured(corpus.held_out)


def _right(scores: Any, labels: Any) -> int:
    return int(np.sum(scores.argmax(axis=-1) == labels))


CONTESTANTS: dict[str, tuple[str, Callable[[str, Corpus, Settings], Accuracies]]] = {
    "ours, NumPy": ("tinygrad_rnn", ours("numpy")),
    "ours, LLVM": ("llvmlite", ours("llvm")),
    "PyTorch, packed": ("torch", pytorch),
}


def train(options: argparse.Namespace) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of every epoch, and accuracies after the last one of each seed."""
    found = {n: make for n, (package, make) in CONTESTANTS.items() if installed(package)}
    seconds: dict[str, list[float]] = {name: [] for name in found}
    accuracies: dict[str, list[float]] = {name: [] for name in found}
    for seed in options.seeds:
        settings = Settings(
            hidden_size=options.hidden_size, epochs=options.epochs, batch_size=128, seed=seed
        )
        corpus = Corpus.of(load_names(options.data), seed)
        running = {name: make(options.cell, corpus, settings) for name, make in found.items()}
        last: dict[str, float] = {}
        for _ in range(options.epochs):
            for name, epochs in running.items():
                begin = clock()
                last[name] = next(epochs)
                seconds[name].append(clock() - begin)
        for name, accuracy in last.items():
            accuracies[name].append(accuracy)
    return seconds, accuracies


def main() -> None:
    parser = options_parser(__doc__, repeat=1)
    parser.add_argument("--data", metavar="DIR", help="as of `tinygrad-rnn train`")
    parser.add_argument("--cell", choices=["RNN", "LSTM", "GRU"], default="LSTM")
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = start(parser, "numpy", "llvmlite", "torch")
    corpus = Corpus.of(load_names(options.data))
    print(
        f"{options.cell}, {options.hidden_size} units: {len(corpus.train)} names of "
        f"{len(corpus.classes)} languages, {len(corpus.held_out)} held out; {options.epochs} "
        f"epochs, seeds {options.seeds}.\n"
    )
    seconds, accuracies = train(options)
    rows = []
    for name, times in seconds.items():
        later = [t for k, t in enumerate(times) if k]
        shown = ", ".join(f"{100 * a:.1f}" for a in accuracies[name])
        rows.append([name, number(times[0]), number(statistics.median(later or times)), shown])
    print_table(["", "first epoch, s", "an epoch, s", "held-out accuracy, %"], rows)


if __name__ == "__main__":
    main()
