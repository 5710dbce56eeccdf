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


class AttentionLSTMCell(nn.LSTMCell):
    """An LSTM that is told a word and what it attends to in `memory`, 25 places of the picture."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size + hidden_size, hidden_size)
        self.input_size, self.query = input_size, nn.Linear(hidden_size + input_size, hidden_size)

    def forward(self, word, state, memory):
        query = self.query(tg.concatenate([state[0], word], axis=-1))[:, None]
        attention = tg.softmax(tg.sum(memory * query, axis=-1) / SIZE**0.5).named("attention")
        seen = tg.sum(memory * attention[..., None], axis=1)
        return super().forward(tg.concatenate([word, seen], axis=-1), state)


class BagCell(nn.Cell):
    """Feed-forward: which words were said so far (their mean), not in what order."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.hidden_size, self.output_size = input_size + 1, hidden_size  # their sum and number
        self.linear = nn.Linear(input_size, hidden_size)

    def step(self, word, so_far):
        so_far = so_far + tg.concatenate([word, tg.ones_like(word[:, :1])], axis=-1)
        return tg.tanh(self.linear(so_far[:, :-1] / so_far[:, -1:])), so_far


class Captioner(nn.Module):
    """The scores of the next word (T, B, words), from a picture and the words before it."""

    def __init__(self, decoder: nn.Module, has_attention: bool = False) -> None:
        self.near, self.far = nn.Conv2d(1, 16, 5, 2, 2), nn.Conv2d(16, 32, 3, 2, 1)
        self.place, self.glance = nn.Linear(32, SIZE), nn.Linear(25 * 32, SIZE)
        self.embedding, self.readout = nn.Embedding(len(WORDS), SIZE), nn.Linear(SIZE, len(WORDS))
        self.decoder, self.has_attention, self.dropout = decoder, has_attention, nn.Dropout(0.3)

    def look(self, pictures):
        """A glance at each picture as a whole, and its 25 places, to attend to."""
        seen = tg.relu(self.far(tg.relu(self.near(pictures)))).reshape(len(pictures), 32, 25)
        glance = self.glance(self.dropout(seen.reshape(len(pictures), -1)))
        return {"glance": glance, "memory": tg.tanh(self.place(tg.swapaxes(seen, 1, 2)))}

    def decode(self, words, state, constants):
        told = self.embedding(words) + constants["glance"]
        places = {"memory": constants["memory"]} if self.has_attention else {}
        outputs, state = self.decoder(told, state, constants=places)
        return self.readout(self.dropout(outputs)), state

    def loss(self, batch):
        """The cross entropy of the words and the end; `labels` says of which picture."""
        before = np.insert(batch.inputs[:-1], 0, WORDS.encode("<begin>"), axis=0)
        scores, _ = self.decode(before, None, self.look(PICTURES[batch.labels]))
        flat = scores.reshape(-1, len(WORDS))
        return nn.cross_entropy(flat, batch.inputs.ravel(), ignore_index=0)

    def describe(self, pictures: np.ndarray) -> np.ndarray:
        """Codes (T, B) of the likeliest words, one after the other."""
        begin, end = WORDS.encode("<begin> <end>")
        with tg.no_grad():
            given = {"stop": end, "temperature": 0, "constants": self.eval().look(pictures)}
            return nn.generate(self.decode, [[begin] * len(pictures)], 11, **given).sequences.data

    def draw(self, picture: np.ndarray, path: str) -> None:
        """Where the LSTM looks when it says each word of the caption of a picture."""
        codes = self.describe(picture[None])
        words = WORDS.decode(codes[:, 0]).split(" <end>")[0].split()
        told = np.insert(codes, 0, WORDS.encode("<begin>"), axis=0)[: len(words)]
        seen = self.look(picture[None])
        found = viz.gates(lambda x: self.decode(x, None, seen)[0], told)
        maps = next(gates["attention"] for gates in found.values() if "attention" in gates)
        _, axes = plt.subplots(1, len(words), figsize=(1.4 * len(words), 1.8), squeeze=False)
        for ax, word, attention in zip(axes[0], words, maps):
            ax.imshow(picture[0], cmap="gray_r", extent=(0, 5, 5, 0))
            ax.imshow(attention.reshape(5, 5), cmap="Reds", alpha=0.6, extent=(0, 5, 5, 0))
            ax.set(title=word, xticks=[], yticks=[])
        plt.savefig(path)


MODELS = {
    "feed-forward, without order": lambda: Captioner(nn.Recurrent(BagCell(SIZE, SIZE))),
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
    told = [WORDS.decode(c).split(" <end>")[0] for c in model.describe(PICTURES[held_out]).T]
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
