"""Sensor data: the CO2 of the next quarter on Mauna Loa, and tomorrow's temperature in Seattle.

Learnt from is the past, held out what came after. Beside the networks stand forecasts that are hard
to beat: as a year ago (for CO2 with the growth since), as now, and a linear autoregression. The
future may not be read: a bidirectional network has no place here.

    python examples/sensor.py [--quick] [--picture sensor.svg]
"""

import argparse
from functools import partial
from pathlib import Path
from types import SimpleNamespace as Series

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import Windows
from tinygrad_rnn.training import evaluate, fit, over_seeds

DATA = Path(__file__).parent / "data"


def season(days: np.ndarray) -> list[np.ndarray]:
    """The place in the year, as the first two waves of a Fourier series."""
    year = 2 * np.pi * days / 365.25
    return [np.cos(year), np.sin(year), np.cos(2 * year), np.sin(2 * year)]


def co2() -> Series:
    """By week; gaps are filled linearly. Column 0 is forecast, `scale` ppm are 1 there."""
    rows = np.genfromtxt(DATA / "co2.csv", delimiter=",", skip_header=1)[:, 1]
    known = np.isfinite(rows)
    ppm = np.interp(np.arange(len(rows)), np.flatnonzero(known), rows[known])
    columns = [(ppm - ppm.mean()) / 2, *season(7 * np.arange(len(ppm)))]
    return Series(unit="CO2, ppm", values=np.stack(columns, axis=-1), scale=2.0,
                  length=60, horizon=13, year=52)  # fmt: skip


def weather() -> Series:
    """By day: highest and lowest temperature, rain and wind."""
    values = np.genfromtxt(DATA / "weather.csv", delimiter=",", skip_header=1, usecols=(2, 3, 1, 4))
    columns = [*(values - values.mean(axis=0)).T / 4, *season(np.arange(len(values)))]
    return Series(unit="highest, °C", values=np.stack(columns, axis=-1), scale=4.0,
                  length=21, horizon=1, year=365)  # fmt: skip


def split(series: Series, size: int, seed: int | None = None) -> tuple[Windows, Windows]:
    """Windows of the first 75 %, and those that forecast the rest (and read what is before)."""
    values, length, end = series.values, series.length, int(0.75 * len(series.values))
    cut = partial(Windows, length=length, horizon=series.horizon, batch_size=size)
    past, rest = values[:end], values[end - length :]
    return cut(past, targets=past[:, :1], generator=seed), cut(rest, targets=rest[:, :1])


class Forecaster(nn.Module):
    """The last value, and what the last output adds to it for each step ahead: (H, B)."""

    def __init__(self, layer: type, series: Series) -> None:
        self.layer = layer(series.values.shape[1], 24)
        self.readout = nn.Linear(24, series.horizon)

    def forward(self, x):
        last = x[-1, :, :1]
        outputs, _ = self.layer(tg.concatenate([x[:, :, :1] - last, x[:, :, 1:]], axis=-1))
        return (last + self.readout(outputs[-1])).T


class Bag(nn.Linear):
    """Feed-forward: the mean of what each step is by itself, in whatever order they come."""

    def forward(self, x):
        return tg.mean(tg.tanh(super().forward(x)), axis=0, keepdims=True), None


LAYERS = {"feed-forward, without order": Bag, "RNN": nn.RNN, "LSTM": nn.LSTM}


def loss(model: Forecaster, batch):
    return nn.mse_loss(model(batch.inputs), batch.targets[..., 0])


def train(name: str, series: Series, models: dict, epochs: int, seed: int) -> dict[str, float]:
    """The root of the mean squared error of the forecasts held out."""
    model = models[series.unit, name] = Forecaster(LAYERS[name], series)
    data, held_out = split(series, 32, seed)
    adam = optim.AdamW(model.parameters(), lr=0.004, weight_decay=0.01)
    schedule = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=epochs * len(data))
    fit(model, loss, data, epochs=epochs, optimizer=adam, schedule=schedule, clip=1.0)
    return {"error": series.scale * evaluate(model, loss, held_out)["loss"] ** 0.5}


def simple(series: Series) -> tuple[dict[str, float], np.ndarray]:
    """The errors of the forecasts without a network, and the autoregression's weights (T, F, H)."""
    (old,), (new,) = split(series, size=10**6)
    x, x_new = (batch.inputs.swapaxes(0, 1) for batch in (old, new))
    y, y_new = (batch.targets[..., 0].T for batch in (old, new))
    rows, rows_new = (np.insert(a.reshape(len(a), -1), 0, 1, axis=1) for a in (x, x_new))
    weights = np.linalg.solve(rows.T @ rows + np.eye(rows.shape[1]), rows.T @ y)
    value, year = series.values[:, 0], series.year
    now = int(0.75 * len(value)) + np.arange(len(y_new))[:, None] - 1
    growth = value[now] - value[now - year] if series.horizon > 1 else 0.0
    forecasts = {
        "as a year ago": value[now + 1 + np.arange(series.horizon) - year] + growth,
        "as now": value[now],
        "linear autoregression": rows_new @ weights,
    }
    errors = {k: series.scale * np.mean((f - y_new) ** 2) ** 0.5 for k, f in forecasts.items()}
    return errors, weights[1:].reshape(*x.shape[1:], -1)


def draw(models: dict, path: str) -> None:
    """The gradient of a forecast with respect to each value that was read, a mean."""
    _, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    for ax, series in zip(axes, (co2(), weather())):
        lag = np.arange(series.length)[::-1]
        ax.plot(lag, simple(series)[1][:, 0, -1], color="grey", label="autoregression: its weights")
        for name in ("RNN", "LSTM"):
            x = tg.tensor(next(iter(split(series, 10**6)[1])).inputs, requires_grad=True)
            models[series.unit, name](x)[-1].sum().backward()
            ax.plot(lag, x.grad.numpy()[..., 0].mean(axis=1), label=name)
        ax.set(xlim=(21, -1), xlabel="steps before the last", ylabel="∂ forecast / ∂ value")
        ax.set_title(f"{series.unit}, {series.horizon} ahead")
    axes[0].legend(frameon=False)
    plt.savefig(path)


def main(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, few epochs")
    parser.add_argument("--picture", default="sensor.svg")
    options = parser.parse_args(arguments)
    seeds, epochs = (1, 4) if options.quick else (3, 30)
    models = {}
    for series in (co2(), weather()):
        print(f"\nroot mean squared error of {series.unit}, {series.horizon} steps ahead")
        for name, error in simple(series)[0].items():
            print(f"    {name:30}{error:.3f}")
        for name in LAYERS:
            error = over_seeds(partial(train, name, series, models, epochs), seeds)["error"]
            print(f"    {name:30}{error}", flush=True)
    draw(models, options.picture)
    print(f"\nThe picture: {options.picture}")


if __name__ == "__main__":
    main()
