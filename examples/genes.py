"""Genes: where an exon ends and an intron begins, told from 60 bases of DNA.

The place in question is in the middle; what tells it is on both sides of it. A network that
reads from one side answers 30 bases later, and the gradient has to come back over them. A
bidirectional network is asked in the middle, where both its directions have just read what
matters.

Measured as published with the data (Towell, Noordewier & Shavlik 1991): ten-fold cross-validation
on 1,000 examples drawn from 3,190, the share of each class that is told wrong.

    python examples/genes.py [--quick] [--picture genes.svg]
"""

import argparse
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import PaddedBatches, stratified_folds
from tinygrad_rnn.training import fit, over_seeds

CLASSES = ("N", "EI", "IE")
BASES = {"A": "A", "C": "C", "G": "G", "T": "T", "D": "AGT", "N": "ACGT", "S": "CG", "R": "AG"}
PUBLISHED = {"KBANN (1991)": (4.62, 7.56, 8.47), "backpropagation (1991)": (5.29, 5.74, 10.75)}


def load() -> tuple[np.ndarray, np.ndarray]:
    """Bases (N, 60, 4), one-hot (a letter for several bases is shared out), and classes (N,)."""
    rows = (Path(__file__).parent / "data/genes.txt").read_text(encoding="ascii").split()
    code = {letter: [(base in s) / len(s) for base in "ACGT"] for letter, s in BASES.items()}
    bases = np.array([[code[letter] for letter in row] for row in rows[1::2]], np.float32)
    return bases, np.array([CLASSES.index(label) for label in rows[::2]])


def bag() -> nn.Module:
    """Feed-forward, each base by itself: the same bases in another order are the same to it."""
    mean = partial(tg.mean, axis=0)
    return nn.Sequential(nn.Linear(4, 24), tg.tanh, mean, nn.Linear(24, 3))


class Reader(nn.Module):
    """Recurrent: one direction is asked at the end, two are asked in the middle."""

    def __init__(self, layer: nn.Recurrent) -> None:
        self.layer = layer
        self.place = 30 if layer.bidirectional else -1
        self.readout = nn.Linear(24 * (1 + layer.bidirectional), 3)

    def forward(self, x):
        outputs, _ = self.layer(x)
        return self.readout(outputs[self.place])


MODELS = {
    "feed-forward, without order": bag,
    "RNN": lambda: Reader(nn.RNN(4, 24)),
    "LSTM": lambda: Reader(nn.LSTM(4, 24)),
    "RNN, both ways": lambda: Reader(nn.RNN(4, 24, bidirectional=True)),
    "LSTM, both ways": lambda: Reader(nn.LSTM(4, 24, bidirectional=True)),
}


def loss(model: nn.Module, batch):
    return nn.cross_entropy(model(batch.inputs), batch.labels)


def train(name: str, x: np.ndarray, y: np.ndarray, seed: int, epochs: int) -> nn.Module:
    model = MODELS[name]()
    data = PaddedBatches(x, y, batch_size=32, generator=seed)
    adam = optim.Adam(model.parameters(), lr=0.006)
    schedule = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=epochs * len(data))
    fit(model, loss, data, epochs=epochs, optimizer=adam, schedule=schedule, clip=1.0,
        progress=False)  # fmt: skip
    return model


def errors(name, models, folds: int, examples: int, epochs: int, seed: int) -> dict[str, float]:
    """Per cent told wrong of N, EI, IE and of all, over `folds` of ten folds."""
    x, y = load()
    chosen = np.random.default_rng(seed).permutation(len(y))[:examples]
    told, true = [], []
    for learnt, held_out in stratified_folds(y[chosen], folds=10, seed=seed)[:folds]:
        models[name] = train(name, x[chosen[learnt]], y[chosen[learnt]], seed, epochs)
        with tg.no_grad():
            scores = models[name](x[chosen[held_out]].swapaxes(0, 1))
        told.append(scores.numpy().argmax(axis=-1))
        true.append(y[chosen[held_out]])
    classes = np.concatenate(true)
    wrong = 100 * (np.concatenate(told) != classes)
    parts = {label: wrong[classes == c].mean() for c, label in enumerate(CLASSES)}
    return {**parts, "all": wrong.mean()}


def draw(models: dict[str, nn.Module], path: str) -> None:
    """The norm of the gradient of the loss with respect to each base, a mean over examples."""
    x, y = load()
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.4), sharey=True, layout="constrained")
    for ax, name in zip(axes, list(MODELS)[1:]):
        for label in (1, 2):
            chosen = np.flatnonzero(y == label)[::4]
            bases = tg.tensor(x[chosen].swapaxes(0, 1), requires_grad=True)
            nn.cross_entropy(models[name](bases), y[chosen], reduction="sum").backward()
            norms = np.linalg.norm(bases.grad.numpy(), axis=-1).mean(axis=-1)
            ax.plot(np.arange(-30, 30), norms / norms.sum(), label=CLASSES[label])
        ax.axvline(-0.5, color="grey", linewidth=0.8, linestyle=":")
        ax.set(title=name, xlabel="base, from the boundary")
    axes[0].set_ylabel("share of the gradient")
    axes[0].legend(frameon=False)
    figure.savefig(path)


def main(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, one fold, few epochs")
    parser.add_argument("--picture", default="genes.svg")
    options = parser.parse_args(arguments)
    seeds, folds, examples, epochs = (1, 1, 500, 7) if options.quick else (3, 10, 1000, 12)
    models = {}
    print(f"{'told wrong, per cent':30}{'N':14}{'EI':14}{'IE':14}all")
    for name in MODELS:
        found = over_seeds(partial(errors, name, models, folds, examples, epochs), seeds)
        print(f"{name:30}" + "".join(f"{f'{e:.1f}':14}" for e in found.values()), flush=True)
    for name, published in PUBLISHED.items():
        print(f"{name:30}" + "".join(f"{error:<14.1f}" for error in published))
    draw(models, options.picture)
    print(f"\nThe picture: {options.picture}")


if __name__ == "__main__":
    main()
