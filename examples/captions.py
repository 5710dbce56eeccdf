"""Captions: from a picture to a sentence, with an LSTM that looks where it needs to.

The pictures are letters of one font, their captions Unicode's names: symbols, not photographs. The
names held out have to be composed of known words. Xu et al. 2015: "Show, Attend and Tell".

    python examples/captions.py [--quick] [--picture captions.svg]
"""

import argparse
from collections import Counter
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import data, nn, optim, viz
from tinygrad_rnn.training import fit, over_seeds

DATA = np.load(Path(__file__).parent / "data/glyphs.npz")
NAMES = [name.split() for name in bytes(DATA["captions"]).decode().split("\n")]
LETTERS = [i for i, name in enumerate(NAMES) if name[0] in ("LATIN", "GREEK", "CYRILLIC")]
COUNT = Counter(word for i in LETTERS for word in NAMES[i])
CHOSEN = [i for i in LETTERS if min(COUNT[word] for word in NAMES[i]) >= 5]
CAPTIONS = [" ".join(NAMES[i]) for i in CHOSEN]
GREY = np.stack([DATA["images"] >> 4, DATA["images"] & 15], axis=-1)[CHOSEN]  # two pixels a byte
PICTURES = GREY.reshape(-1, 1, 20, 20).astype(np.float32) / 5 - 0.4
WORDS = data.Vocabulary([*" ".join(CAPTIONS).split(), "<begin>", "<end>"], separator=" ")
SIZE, HELD_OUT = 96, len(CAPTIONS) // 10


class AttentionLSTMCell(nn.Cell):
    """An LSTM that is told a word and what it attends to among 25 places, a part of its state."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.lstm = nn.LSTMCell(input_size + hidden_size, hidden_size)
        self.query = nn.Linear(hidden_size + input_size, hidden_size)

    def initial_state(self, batch_size: int):
        return *self.lstm.initial_state(batch_size), self.zeros(batch_size, 25, self.hidden_size)

    def forward(self, word, state):
        h, c, memory = state
        query = tg.expand_dims(self.query(tg.concatenate([h, word], axis=-1)), 1)
        attention = tg.softmax(tg.sum(memory * query, axis=-1) / SIZE**0.5).named("attention")
        seen = tg.sum(memory * tg.expand_dims(attention, -1), axis=1)
        return *self.lstm(tg.concatenate([word, seen], axis=-1), (h, c)), memory


class Bag(nn.Linear):
    """Feed-forward: which words were said so far (their mean), not in what order."""

    def forward(self, x, state=None):
        count = np.arange(1, len(x) + 1, dtype=np.float32)[:, None, None]
        return tg.tanh(super().forward(tg.cumsum(x, axis=0) / count)), None


class Captioner(nn.Module):
    """The scores of the next word (T, B, words), from a picture and the words before it."""

    def __init__(self, decoder: nn.Module, has_attention: bool = False) -> None:
        self.near, self.far = nn.Conv2d(1, 16, 5, 2, 2), nn.Conv2d(16, 32, 3, 2, 1)
        self.place, self.glance = nn.Linear(32, SIZE), nn.Linear(25 * 32, SIZE)
        self.embedding, self.readout = nn.Embedding(len(WORDS), SIZE), nn.Linear(SIZE, len(WORDS))
        self.decoder, self.has_attention, self.dropout = decoder, has_attention, nn.Dropout(0.3)

    def inputs(self, pictures, words):
        """What the decoder is told at each step, and the state that it begins with."""
        seen = tg.relu(self.far(tg.relu(self.near(pictures)))).reshape(len(pictures), 32, 25)
        glance = self.glance(self.dropout(seen.reshape(len(pictures), -1)))
        zeros, memory = tg.zeros_like(glance), tg.tanh(self.place(tg.swapaxes(seen, 1, 2)))
        state = [(zeros, zeros, memory)] if self.has_attention else None
        return self.embedding(words) + glance, state

    def forward(self, pictures, words):
        return self.readout(self.dropout(self.decoder(*self.inputs(pictures, words))[0]))

    def loss(self, batch):
        """The cross entropy of the words and the end; `labels` says of which picture."""
        before = np.insert(batch.inputs[:-1], 0, WORDS.encode("<begin>"), axis=0)
        scores = self(PICTURES[batch.labels], before).reshape(-1, len(WORDS))
        return nn.cross_entropy(scores, batch.inputs.ravel(), ignore_index=0)

    def describe(self, pictures: np.ndarray) -> np.ndarray:
        """Codes (12, B): "<begin>", then the likeliest word, again and again."""
        words = np.full((1, len(pictures)), WORDS.encode("<begin>"))
        with tg.no_grad():
            while len(words) < 12:
                words = np.append(words, self.eval()(pictures, words).data[-1:].argmax(-1), axis=0)
        return words

    def draw(self, picture: np.ndarray, path: str) -> None:
        """Where the LSTM looks when it says each word of the caption of a picture."""
        codes = self.describe(picture[None])
        words = WORDS.decode(codes[1:, 0]).split(" <end>")[0].split()
        told, state = self.inputs(picture[None], codes[: len(words)])
        self.decoder.unroll = True
        found = viz.gates(lambda x: self.decoder(x, state)[0], told)
        maps = next(gates["attention"] for gates in found.values() if "attention" in gates)
        _, axes = plt.subplots(1, len(words), figsize=(1.4 * len(words), 1.8), squeeze=False)
        for ax, word, attention in zip(axes[0], words, maps):
            ax.imshow(picture[0], cmap="gray_r", extent=(0, 5, 5, 0))
            ax.imshow(attention.reshape(5, 5), cmap="Reds", alpha=0.6, extent=(0, 5, 5, 0))
            ax.set(title=word, xticks=[], yticks=[])
        plt.savefig(path)


MODELS = {
    "feed-forward, without order": lambda: Captioner(Bag(SIZE, SIZE)),
    "RNN": lambda: Captioner(nn.RNN(SIZE, SIZE)),
    "LSTM": lambda: Captioner(nn.LSTM(SIZE, SIZE)),
    "LSTM with attention": lambda: Captioner(nn.Recurrent(AttentionLSTMCell(SIZE, SIZE)), True),
}


def train(name: str, models: dict, most: int, epochs: int, seed: int) -> dict[str, float]:
    """The shares of the captions held out that are told whole, and of their words."""
    held_out, learnt = np.split(np.random.default_rng(seed).permutation(len(CAPTIONS)), [HELD_OUT])
    codes = [WORDS.encode(CAPTIONS[i] + " <end>") for i in learnt[:most]]
    known = data.PaddedBatches(codes, learnt[:most], batch_size=32, generator=seed, by_length=False)
    model = models[name] = MODELS[name]()
    adam = optim.AdamW(model.parameters(), lr=0.004, weight_decay=0.01)
    schedule = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=epochs * len(known))
    fit(model, Captioner.loss, known, epochs=epochs, optimizer=adam, schedule=schedule, clip=1.0)
    told = [WORDS.decode(c).split(" <end>")[0] for c in model.describe(PICTURES[held_out])[1:].T]
    pairs = [*zip((CAPTIONS[i] for i in held_out), told)]
    words = [word in said.split() for true, said in pairs for word in true.split()]
    models["held out"] = next(i for i in held_out if CAPTIONS[i].startswith("LATIN SMALL LETTER"))
    return {"captions": np.mean([true == said for true, said in pairs]), "words": np.mean(words)}


def main(arguments: list[str] | None = None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, few pictures and epochs")
    parser.add_argument("--picture", default="captions.svg")
    options = parser.parse_args(arguments)
    models, (seeds, most, epochs) = {}, (1, 300, 4) if options.quick else (3, None, 40)
    print(f"{'letters held out':30}{'whole captions':18}words")
    for name in MODELS:
        found = over_seeds(partial(train, name, models, most, epochs), seeds)
        print(f"{name:30}{found['captions']:.1%}{'':4}{found['words']:.1%}", flush=True)
    models["LSTM with attention"].draw(PICTURES[models["held out"]], options.picture)
    print(f"\nThe picture: {options.picture}")


if __name__ == "__main__":
    main()
