"""Handwriting: the digit that a pen has drawn, point by point; and a pen that draws digits.

Learnt from are 7,494 digits by 30 people, each 8 points (x, y); 3,498 by 14 others are held out:
UCI's split, for which 1-nearest-neighbour is published as 97.74 %. The drawing network is told a
digit and predicts each point as a mixture of Gaussians, as Graves did (arXiv:1308.0850).

    python examples/handwriting.py [--quick] [--picture handwriting.svg]
"""

import argparse
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import PaddedBatches, stratified_split
from tinygrad_rnn.training import KeepBest, evaluate, fit, over_seeds

MIXTURE = 10


def load(is_held_out: bool) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 8, 2) from -1 to 1, and digits (N,), of the 14 writers or of the 30."""
    data = np.load(Path(__file__).parent / "data/handwriting.npz")
    chosen = data["held_out"] == is_held_out
    return data["strokes"][chosen].astype(np.float32) / 50 - 1, data["digits"][chosen].astype(int)


class Reader(nn.Module):
    """Which digit, from the last state of each direction."""

    def __init__(self, layer: nn.Recurrent) -> None:
        self.layer, self.readout = layer, nn.Linear(64 * (1 + layer.bidirectional), 10)

    def forward(self, x):
        _, final = self.layer(x)
        h = final[0] if isinstance(final, tuple) else final
        return self.readout(tg.concatenate([*h], axis=-1))


class Writer(nn.Module):
    """An LSTM that is given the digit and the point before, and tells where the next may be."""

    def __init__(self) -> None:
        self.lstm, self.readout = nn.LSTM(12, 96), nn.Linear(96, 5 * MIXTURE)

    def forward(self, points, digits, state=None):
        """Of each part: the logarithm of its weight, its centre (x, y) and log-widths."""
        digit = np.broadcast_to(np.eye(10, dtype=np.float32)[digits], (*points.shape[:2], 10))
        outputs, state = self.lstm(np.concatenate([points, digit], axis=-1), state)
        weight, *parts = tg.split(self.readout(outputs), 5, axis=-1)
        return (tg.log_softmax(weight), *parts), state

    def write(self, digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Points (8, N, 2), each drawn from the mixture that those before it lead to."""
        count, state, points = len(digits), None, [np.zeros((1, len(digits), 2), "f4")]
        for _ in range(8):
            (weight, *parts), state = self(points[-1], digits, state)
            chosen = (weight.data[0] + rng.gumbel(size=(count, MIXTURE))).argmax(axis=-1)
            x, y, sx, sy = (part.data[0, np.arange(count), chosen] for part in parts)
            a, b = 0.7 * rng.standard_normal((2, count))  # below 1: a steady hand
            points.append(np.stack([x + a * np.exp(sx), y + b * np.exp(sy)], -1)[None].astype("f4"))
        return np.concatenate(points[1:])


def reading_loss(model: nn.Module, batch):
    scores = model(batch.inputs)
    is_right = scores.data.argmax(axis=-1) == batch.labels
    return nn.cross_entropy(scores, batch.labels), {"accuracy": is_right.mean()}


def writing_loss(model: Writer, batch):
    """Minus the logarithm of the density of a point (x, y), given those before it."""
    before = np.concatenate([np.zeros_like(batch.inputs[:1]), batch.inputs[:-1]])
    (weight, x, y, sx, sy), _ = model(before, batch.labels)
    dx, dy = (batch.inputs[..., :1] - x) * tg.exp(-sx), (batch.inputs[..., 1:] - y) * tg.exp(-sy)
    log_density = -0.5 * (dx * dx + dy * dy) - sx - sy - np.log(2 * np.pi)
    return -tg.mean(tg.logsumexp(weight + log_density, axis=-1))


def train(name: str, models: dict, epochs: int, most: int | None, seed: int) -> dict[str, float]:
    """What is measured on the 14 writers, after learning from `most` digits, or all."""
    make, loss = MODELS[name]
    models[name] = model = make()
    x, y = (array[:most] for array in load(is_held_out=False))
    train_on, chosen_on = stratified_split(y, held_out=0.1, seed=seed)
    data = PaddedBatches(x[train_on], y[train_on], batch_size=64, generator=seed)
    validation = PaddedBatches(x[chosen_on], y[chosen_on], batch_size=500)
    adam = optim.Adam(model.parameters(), lr=0.01)
    schedule = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=epochs * len(data))
    fit(model, loss, data, validation=validation, epochs=epochs, optimizer=adam,
        schedule=schedule, clip=1.0, callbacks=[KeepBest("val_loss")])  # fmt: skip
    return evaluate(model, loss, PaddedBatches(*load(True), batch_size=500))


def draw(reader: Reader, writer: Writer, path: str) -> None:
    """Digits of the 14 writers, points as large as the loss's gradient; below, drawn digits."""
    x, y = load(True)
    points = tg.tensor(x[[list(y).index(d) for d in range(10)]].swapaxes(0, 1), requires_grad=True)
    nn.cross_entropy(reader(points), np.arange(10), reduction="sum").backward()
    norm = np.linalg.norm(points.grad.numpy(), axis=-1)
    rows = [points.data, *(writer.write(np.arange(10), np.random.default_rng(s)) for s in range(3))]
    figure, axes = plt.subplots(4, 10, figsize=(8, 3.6), sharex=True, sharey=True)
    for (row, digit), ax in np.ndenumerate(axes):
        ax.plot(*rows[row][:, digit].T, color="black" if row else "tab:grey", linewidth=1)
        if row == 0:
            size = 150 * norm[:, digit] / norm[:, digit].sum()
            ax.scatter(*rows[0][:, digit].T, size, color="tab:red")
        ax.set_aspect("equal")
        ax.axis("off")
    figure.savefig(path)


def bag() -> nn.Module:
    """Feed-forward, each point by itself: where the pen was, not in what order."""
    mean = partial(tg.mean, axis=0)
    return nn.Sequential(nn.Linear(2, 64), tg.tanh, mean, nn.Linear(64, 10))


MODELS = {
    "feed-forward, without order": (bag, reading_loss),
    "RNN": (lambda: Reader(nn.RNN(2, 64)), reading_loss),
    "LSTM": (lambda: Reader(nn.LSTM(2, 64)), reading_loss),
    "LSTM, both ways": (lambda: Reader(nn.LSTM(2, 64, bidirectional=True)), reading_loss),
    "LSTM that draws": (Writer, writing_loss),
}


def main(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, few digits and epochs")
    parser.add_argument("--picture", default="handwriting.svg")
    options = parser.parse_args(arguments)
    seeds, epochs, most = (1, 3, 1500) if options.quick else (3, 12, None)
    models = {}
    print(f"{'14 writers held out':30}{'accuracy, per cent':20}-log density of a point, nats")
    for name in MODELS:
        found = over_seeds(partial(train, name, models, epochs, most), seeds)
        accuracy, density = found.get("accuracy", ""), f"{found['loss']:.3f}"
        print(f"{name:30}" + (f"{accuracy:.2%}" if accuracy else f"{'':20}{density}"), flush=True)
    draw(models["LSTM"], models["LSTM that draws"], options.picture)
    print(f"\nThe picture: {options.picture}")


if __name__ == "__main__":
    main()
