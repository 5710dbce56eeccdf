"""Speech: spoken digits, as long as they happen to be, by people never heard before.

A recording is 13 mel-frequency cepstral coefficients (MFCC) every 20 ms: 6 to 100 steps. Of six
speakers two are held out, two others for each seed; so the spread is that of the speakers, too.
Four voices are few to learn from: in training each recording is made a little different each
time, by noise, and by a shift of all its coefficients, as another throat would.

    python examples/speech.py [--quick] [--picture speech.svg]
"""

import argparse
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, viz
from tinygrad_rnn.data import PaddedBatches
from tinygrad_rnn.training import evaluate, fit, over_seeds

NOISE = 0.4  # standard deviations of a coefficient


def load():
    """Recordings, each (T, 13) less its mean (the microphone's part), digits (N,), voices (N,)."""
    data = np.load(Path(__file__).parent / "data/speech.npz")
    frames = data["frames"].astype(np.float32) / 16
    recordings = np.split(frames, np.cumsum(data["lengths"].astype(int))[:-1])
    centred = [recording - recording.mean(axis=0) for recording in recordings]
    return centred, data["digits"].astype(int), data["voices"].astype(int)


class Bag(nn.Module):
    """Feed-forward, each step by itself: a word played backwards is the same to it."""

    def __init__(self) -> None:
        self.step = nn.Linear(13, 48)

    def forward(self, x, lengths=None):
        return tg.tanh(self.step(x)), None


class Listener(nn.Module):
    """Which digit, from the mean over time of what `layer` (48 units, or twice) makes of it."""

    def __init__(self, layer: nn.Module, size: int = 48) -> None:
        self.layer, self.dropout, self.readout = layer, nn.Dropout(0.3), nn.Linear(size, 10)

    def forward(self, x, lengths):
        outputs, _ = self.layer(x, lengths=lengths)
        is_heard = np.arange(len(x))[:, None] < lengths
        shares = (is_heard / lengths).astype(np.float32)
        return self.readout(self.dropout(tg.einsum("tb,tbh->bh", shares, outputs)))


MODELS = {
    "feed-forward, without order": lambda: Listener(Bag()),
    "RNN": lambda: Listener(nn.RNN(13, 48)),
    "LSTM": lambda: Listener(nn.LSTM(13, 48)),
    "LSTM, both ways": lambda: Listener(nn.LSTM(13, 48, bidirectional=True), 96),
}


def loss(model: Listener, batch):
    x = tg.tensor(batch.inputs)
    if model.training:
        x = x + NOISE * (tg.randn(*x.shape) + tg.randn(1, *x.shape[1:]))
    scores = model(x, batch.lengths)
    is_right = scores.data.argmax(axis=-1) == batch.labels
    return nn.cross_entropy(scores, batch.labels), {"accuracy": is_right.mean()}


def split(voices: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The indices of the recordings of four speakers and of the two others."""
    return np.flatnonzero(voices // 2 != seed % 3), np.flatnonzero(voices // 2 == seed % 3)


def train(name: str, models: dict, epochs: int, seed: int) -> dict[str, float]:
    """The loss and the accuracy on the speakers held out."""
    recordings, digits, voices = load()
    data, unheard = (
        PaddedBatches([recordings[i] for i in part], digits[part], batch_size=32, generator=order)
        for part, order in zip(split(voices, seed), (seed, None))
    )
    model = models[name] = MODELS[name]()
    adam = optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.01)
    schedule = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=epochs * len(data))
    fit(model, loss, data, epochs=epochs, optimizer=adam, schedule=schedule, clip=1.0)
    return evaluate(model, loss, unheard)


def draw(model: Listener, path: str) -> None:
    """A recording of "six", and the gates of the LSTM while it hears it, sorted at each step."""
    recordings, digits, voices = load()
    chosen = next(i for i in range(len(digits)) if digits[i] == 6 and voices[i] == 0)
    model.eval()
    model.layer.unroll = True
    found = viz.gates(lambda x: model.layer(x)[0], tg.tensor(recordings[chosen][:, None]))
    (gates,) = found.values()
    panels = {
        "what is heard: 13 coefficients": recordings[chosen].T,
        "forget gate: 48 units": np.sort(gates["forget gate"][:, 0], axis=-1).T,
        "input gate: 48 units": np.sort(gates["input gate"][:, 0], axis=-1).T,
    }
    figure, axes = plt.subplots(3, 1, figsize=(6, 5), sharex=True, layout="constrained")
    for ax, (title, values) in zip(axes, panels.items()):
        image = ax.imshow(values, aspect="auto", interpolation="nearest", cmap="viridis")
        figure.colorbar(image, ax=ax)
        ax.set_title(title, fontsize=9, loc="left")
        ax.set_yticks([])
    axes[-1].set_xlabel("step of 20 ms")
    figure.savefig(path)


def main(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, few epochs")
    parser.add_argument("--picture", default="speech.svg")
    options = parser.parse_args(arguments)
    seeds, epochs = (1, 3) if options.quick else (3, 15)
    models = {}
    print(f"{'two speakers held out':30}accuracy, per cent")
    for name in MODELS:
        found = over_seeds(partial(train, name, models, epochs), seeds)
        print(f"{name:30}{found['accuracy']:.1%}", flush=True)
    draw(models["LSTM"], options.picture)
    print(f"\nThe picture: {options.picture}")


if __name__ == "__main__":
    main()
