"""Sentences: a language model that reads and writes letter by letter.

The text is Python's own help, 290,000 letters, the last twentieth held out. Measured are bits per
letter: how surprised a model is by the next one. Beside the networks stands an n-gram model, which
counts what followed the last five letters (Kneser & Ney 1995): on so little text hard to beat.

    python examples/sentences.py [--quick] [--picture sentences.svg]
"""

import argparse
import math
from collections import Counter, defaultdict
from functools import partial
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.data import TextBatches, Vocabulary
from tinygrad_rnn.training import fit, over_seeds

TEXT = (Path(__file__).parent / "data/sentences.txt").read_text(encoding="utf-8")
LETTERS, LEARNT, HELD_OUT = Vocabulary(TEXT), TEXT[:275_500], TEXT[275_500:]


class Bag(nn.Module):
    """Feed-forward: which letters are among the last eight, not in what order."""

    def forward(self, x, state=None):
        sums = tg.cumsum(x, axis=0)
        return sums - tg.concatenate([tg.zeros(8, *x.shape[1:]), sums])[: len(x)], None


class LanguageModel(nn.Module):
    """The scores of each letter to come next, and the state to go on from."""

    def __init__(self, layer: nn.Module, size: int) -> None:
        self.embedding, self.layer, self.state = nn.Embedding(len(LETTERS), 32), layer, None
        self.hidden, self.readout = nn.Linear(size, 128), nn.Linear(128, len(LETTERS))

    def forward(self, codes, state=None):
        outputs, state = self.layer(self.embedding(codes), state)
        return self.readout(tg.tanh(self.hidden(outputs))), state


MODELS = {
    "feed-forward, without order": lambda: LanguageModel(Bag(), 32),
    "RNN": lambda: LanguageModel(nn.RNN(32, 128), 128),
    "LSTM": lambda: LanguageModel(nn.LSTM(32, 128), 128),
}


def loss(model: LanguageModel, batch):
    """In bits. A batch goes on where the one before it ended; the gradient stays within it."""
    scores, state = model(batch.inputs, None if batch.first else model.state)
    model.state = tg.detach(state)
    return nn.cross_entropy(scores.reshape(-1, len(LETTERS)), batch.targets.ravel()) / math.log(2)


def probabilities(model: LanguageModel, text: str) -> np.ndarray:
    """Of each letter of `text` but the first, given those before it."""
    codes = LETTERS.encode(text)
    with tg.no_grad():
        rows = tg.softmax(model(codes[:-1, None])[0]).data[:, 0]
    return rows[np.arange(len(rows)), codes[1:]]


def n_gram(learnt: str, text: str, n: int = 6, discount: float = 0.75) -> np.ndarray:
    """The same from counts: interpolated Kneser-Ney smoothing of up to `n` letters."""
    counts = [defaultdict(Counter) for _ in range(n)]
    for length, table in enumerate(counts):
        for end in range(length, len(learnt)):
            table[learnt[end - length : end]][learnt[end]] += 1
    for table, longer in pairwise(counts):  # the shorter: in how many contexts?
        table.clear()
        for context, after in longer.items():
            table[context[1:]].update(after.keys())
    found = []
    for end in range(1, len(text)):
        p = 1 / len(LETTERS.tokens)
        for length, table in enumerate(counts[: end + 1]):
            if after := table.get(text[end - length : end]):
                p *= discount * len(after)
                p = (p + max(after[text[end]] - discount, 0)) / after.total()
        found.append(p)
    return np.array(found)


def train(name, models, learnt, held_out, counted, epochs, seed) -> dict[str, float]:
    """Bits per letter held out, of the model and of its mean with the n-gram model."""
    model = models[name] = MODELS[name]()
    data = TextBatches(LETTERS.encode(learnt), batch_size=32, length=64)
    adam = optim.Adam(model.parameters(), lr=0.006)
    schedule = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=epochs * len(data))
    fit(model, loss, data, epochs=epochs, optimizer=adam, schedule=schedule, clip=1.0)
    p = probabilities(model, held_out)
    return {"alone": -np.log2(p).mean(), "mixed": -np.log2((p + counted) / 2).mean()}


def write(model: LanguageModel, text: str, count: int) -> str:
    """`text` and `count` letters after it, each drawn from what the model expects."""
    state, rng = None, np.random.default_rng(0)
    for _ in range(count):
        with tg.no_grad():
            scores, state = model(LETTERS.encode(text[-1])[:, None], state)
        noisy = scores.data[-1, 0, 1:] / 0.7 + rng.gumbel(size=len(LETTERS) - 1)  # temperature 0.7
        text += LETTERS.tokens[noisy.argmax()]
    return text


def draw(models: dict, path: str) -> None:
    """How much of the gradient of one letter's loss reaches the letters before it."""
    codes = LETTERS.encode(HELD_OUT)[: 64 * 101].reshape(64, 101).T
    _, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    for name in ("RNN", "LSTM"):
        model = models[name]
        x = tg.tensor(model.embedding(codes[:-1]).data, requires_grad=True)
        scores = model.readout(tg.tanh(model.hidden(model.layer(x)[0][-1])))
        nn.cross_entropy(scores, codes[-1]).backward()
        norms = np.linalg.norm(x.grad.numpy(), axis=-1).mean(axis=-1)
        ax.semilogy(np.arange(-99, 1), norms / norms[-1], label=name)
    ax.set(xlabel="letters before", ylabel="gradient, of that at the last letter")
    plt.legend(frameon=False)
    plt.savefig(path)


def main(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="little text, one seed")
    parser.add_argument("--picture", default="sentences.svg")
    options = parser.parse_args(arguments)
    seeds, epochs = (1, 8) if options.quick else (3, 5)
    learnt, held_out = (LEARNT[-16_000:], HELD_OUT[:2000]) if options.quick else (LEARNT, HELD_OUT)
    models, counted = {}, n_gram(learnt, held_out)
    print(f"{'bits per letter held out':30}{'alone':16}mean with 6-gram")
    print(f"{'6-gram':30}{-np.log2(counted).mean():.3f}")
    for name in MODELS:
        bits = over_seeds(partial(train, name, models, learnt, held_out, counted, epochs), seeds)
        print(f"{name:30}{bits['alone']!s:16}{bits['mixed']}", flush=True)
    print(f"\nThe LSTM writes:\n\n{write(models['LSTM'], 'T', 300)}")
    draw(models, options.picture)
    print(f"\nThe picture: {options.picture}")


if __name__ == "__main__":
    main()
