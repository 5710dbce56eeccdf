"""Stock prices: what of tomorrow can be told from the last forty days, and what cannot.

Five shares, 2000 to 2013, walk-forward: learn from the past, forecast the stretch that follows,
move on. Whether a price goes up is a coin toss to every model here, as a random walk would have
it. How far it goes is not: calm and storm last. RiskMetrics (J.P. Morgan 1996) forecasts the
variance by an exponentially weighted mean of squared returns, 0.94 a day; a network has to find
such a memory by itself. Tomorrow must not be read, so nothing here is bidirectional.

    python examples/stocks.py [--quick] [--picture stocks.svg]
"""

import argparse
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import PaddedBatches, walk_forward
from tinygrad_rnn.training import evaluate, fit, over_seeds

DAYS, DECAY = 40, 0.94


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Windows (N, 40) of returns in per cent, the return after each, when, and its EWMA."""
    prices = np.genfromtxt(Path(__file__).parent / "data/stocks.csv", delimiter=",",
                           skip_header=1)[:, 1:]  # fmt: skip
    returns = 100 * np.diff(np.log(prices), axis=0)
    windows, after, when, variance = [], [], [], []
    for share in returns.T:
        first = np.flatnonzero(np.isfinite(share))[0]
        ewma = np.var(share[first : first + DAYS])
        for day in range(first, len(share)):
            if day >= first + DAYS:
                windows.append(share[day - DAYS : day])
                after.append(share[day])
                when.append(day)
                variance.append(ewma)
            ewma = DECAY * ewma + (1 - DECAY) * share[day] ** 2
    return np.float32(windows), np.float32(after), np.array(when), np.array(variance)


class Bag(nn.Linear):
    """Feed-forward: the mean of what each day is by itself, in whatever order they come."""

    def forward(self, x):
        return tg.mean(tg.tanh(super().forward(x)), axis=0, keepdims=True), None


class Forecaster(nn.Module):
    """The logarithm of tomorrow's variance, and the score of "up": each (B,)."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer, self.readout = layer, nn.Linear(16, 2)

    def forward(self, x):
        """x (T, B): returns."""
        steps = tg.stack([x, tg.abs(x)], axis=-1) / 2
        outputs, _ = self.layer(steps)
        log_variance, up = tg.unstack(self.readout(outputs[-1]), axis=-1)
        return log_variance + np.log(4), up


LAYERS = {"feed-forward, without order": Bag, "RNN": nn.RNN, "LSTM": nn.LSTM}


def loss(model: Forecaster, batch):
    """Minus the log-density of the return, and the cross entropy of its sign."""
    log_variance, up = model(batch.inputs)
    surprise = 0.5 * (log_variance + np.log(2 * np.pi) + batch.labels**2 * tg.exp(-log_variance))
    is_up = batch.labels > 0
    toss = nn.binary_cross_entropy_with_logits(up, is_up.astype(np.float32))
    metrics = {"surprise": surprise.mean(), "direction": 100 * np.mean((up.data > 0) == is_up)}
    return surprise.mean() + toss, metrics


def train(name: str, models: dict, folds: int, epochs: int, seed: int) -> dict[str, float]:
    """What is measured over all stretches held out."""
    returns, after, when, _ = load()
    found, weights = [], []
    for past, future in walk_forward(when.max() + 1, folds):
        learnt, held_out = np.isin(when, past), np.isin(when, future)
        model = models[name] = Forecaster(LAYERS[name](2, 16))
        data = PaddedBatches(returns[learnt], after[learnt], batch_size=64, generator=seed)
        adam = optim.Adam(model.parameters(), lr=0.005)
        schedule = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=epochs * len(data))
        fit(model, loss, data, epochs=epochs, optimizer=adam, schedule=schedule, clip=1.0)
        rest = PaddedBatches(returns[held_out], after[held_out], batch_size=500)
        found.append(evaluate(model, loss, rest))
        weights.append(held_out.sum())
    return {key: np.average([row[key] for row in found], weights=weights) for key in found[0]}


def simple(folds: int) -> dict[str, tuple[float, float]]:
    """Surprise and direction of forecasts without a network, on the same days."""
    _, after, when, ewma = load()
    splits = walk_forward(when.max() + 1, folds)
    held_out = np.concatenate([np.flatnonzero(np.isin(when, future)) for _, future in splits])
    constant = np.concatenate([
        np.full(np.isin(when, future).sum(), np.var(after[np.isin(when, past)]))
        for past, future in splits
    ])  # fmt: skip
    r, up = after[held_out], 100 * np.mean(after[held_out] > 0)
    rows = {"random walk, always up": constant, "RiskMetrics, always up": ewma[held_out]}
    return {
        name: (np.mean(0.5 * (np.log(2 * np.pi * v) + r**2 / v)), up) for name, v in rows.items()
    }


def draw(models: dict, path: str) -> None:
    """How the forecast of the variance depends on the size of each day's return, a mean."""
    returns, _, when, _ = load()
    figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    lag = np.arange(1, DAYS + 1)[::-1]
    ax.plot(lag, (1 - DECAY) * DECAY ** (lag - 1), color="grey", label="RiskMetrics")
    for name in LAYERS:
        x = tg.tensor(returns[when > 2500].T, requires_grad=True)
        tg.exp(models[name](x)[0]).sum().backward()
        gradient = (x.grad.numpy() * np.sign(x.data)).mean(axis=1)
        ax.plot(lag, gradient / np.abs(gradient).sum(), label=name)
    ax.set(xlabel="days before", ylabel="share of ∂ variance / ∂ |return|", xlim=(DAYS, 0))
    ax.legend(frameon=False)
    figure.savefig(path)


def main(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, one stretch")
    parser.add_argument("--picture", default="stocks.svg")
    options = parser.parse_args(arguments)
    seeds, folds, epochs = (1, 1, 1) if options.quick else (3, 3, 5)
    models = {}
    print(f"{'':30}{'surprise, nats a day':24}direction, per cent right")
    for name, (surprise, direction) in simple(folds).items():
        print(f"{name:30}{surprise:<24.4f}{direction:.2f}")
    for name in LAYERS:
        found = over_seeds(partial(train, name, models, folds, epochs), seeds)
        print(f"{name:30}{found['surprise']:.4f}{'':8}{found['direction']:.2f}")
    draw(models, options.picture)
    print(f"\nThe picture: {options.picture}")


if __name__ == "__main__":
    main()
