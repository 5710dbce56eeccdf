"""What the study of recurrent networks says: each statement with its numbers and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.cards.measured.curves import curves
from tinygrad_rnn.comparison import learn
from tinygrad_rnn.data import tasks
from tinygrad_rnn.viz.charts.chart import Chart

__all__ = ["study"]

Told: TypeAlias = tuple[list[str], Chart, str]
"""Lines of Markdown, a picture, and what the picture shows for who does not see it."""

LENGTHS = (1, 12, 25, 50, 100, 200, 500, 1000)


def study(folder: Path) -> list[str]:
    """Four statements in Markdown, with the numbers that show them; pictures go into `folder`."""
    parts = {
        "any_length": any_length(),
        "shared_weights": shared_weights(),
        "forgetting": forgetting(),
        "no_future": both_directions(),
    }
    lines = []
    for name, (text, chart, told) in parts.items():
        chart.save(folder / f"{name}.svg")
        lines += [*text, "", f"![{told}]({name}.svg)", ""]
    return lines[:-1]


def any_length() -> Told:
    """A GRU that has learnt parity of 12 bits, on longer sequences."""
    learnt = learn(nn.GRUCell, lambda seed: tasks.parity(12, seed=seed), hidden_size=16, epochs=5)
    network = learnt.network.eval()
    shares = {steps: right_at_the_end(network, steps) for steps in LENGTHS}
    chart = curves(
        "Right answers at the last step",
        {"trained on 12 steps": [*shares.values()], "a guess": [0.5] * len(shares)},
        said="{} steps",
        names=[f"{steps:,}" for steps in shares],
        note="steps",
        dashed=["a guess"],
    )
    text = [
        "### Any length",
        "",
        f"A GRU with {learnt.parameters:,} parameters learns the parity of sequences of **12** "
        "bits. The same parameters then read 320 sequences of each of these lengths, and are asked "
        "at their last step:",
        "",
        "| steps | " + " | ".join(f"{steps:,}" for steps in shares) + " |",
        "|---|" + "---:|" * len(shares),
        "| right answers | " + " | ".join(f"{share:.0%}" for share in shares.values()) + " |",
    ]
    return text, chart, "The share of right answers over the length of the sequence"


def right_at_the_end(network: nn.Module, steps: int) -> float:
    """The share of right answers at the last step of sequences of this length."""
    right = []
    for batch in tasks.parity(steps).held_out:
        with tg.no_grad():
            answers = network(batch.inputs).data[-1].argmax(axis=-1)
        right.append((answers == batch.targets[-1]).mean())
    return float(np.mean(right))


def shared_weights() -> Told:
    """The gradient of a weight is the sum of its parts, one for each step."""
    tg.manual_seed(0)
    layer, x = nn.LSTM(3, 8), tg.randn(40, 1, 3)
    parts = tg.viz.ledger(layer, x, lambda found: tg.sum(found[0]))["weight_hh_l0"]
    tg.sum(layer(x)[0]).backward()
    whole = layer.weight_hh_l0.grad.data
    summed = np.sum(list(parts.values()), axis=0)
    difference = float(np.abs(summed - whole).max() / np.abs(whole).max())
    numbers = sum(p.size for p in layer.parameters())
    sizes = [float(np.linalg.norm(parts[t])) for t in sorted(parts)]
    chart = curves(
        "What each step adds to the gradient of W_hh",
        {"norm of its part": sizes},
        said="step {}",
        log=True,
        note="steps",
    )
    text = [
        "### Shared weights",
        "",
        f"An LSTM with 8 units has {numbers} parameters, for 1 step or for 40. Each of 40 steps "
        f"uses the same matrix W_hh, and its gradient is the sum of what each step adds: the sum "
        f"of the {len(parts)} parts differs from the gradient by {difference:.0e} of its size.",
    ]
    return text, chart, "The norm of the part of each of 40 steps"


def forgetting() -> Told:
    """How much of the gradient is left after 200 steps."""
    rows, lines = [], {}
    x = tg.tensor(np.random.default_rng(0).standard_normal((200, 8, 8)).astype(np.float32))
    for name, bias in (("tanh RNN", None), ("LSTM", 0.0), ("LSTM, forget gate open", 5.0)):
        tg.manual_seed(0)
        cell = nn.RNNCell(8, 32) if bias is None else nn.LSTMCell(8, 32)
        if bias is not None:
            nn.init.forget_gate_bias_(cell.bias_ih, bias)
        layer = nn.Recurrent(cell)
        flow = tg.viz.gradient_flow(layer, x, lambda found: tg.sum(found[0][-1]))
        (states,) = flow.values()
        norms = states["h" if bias is None else "c"]
        lines[name] = norms[::-1] / norms[-1]
        told = "" if bias is None else f"{bias:g}"
        rows.append((name, told, [lines[name][back] for back in (10, 50, 199)]))
    chart = curves(
        "What is left of the gradient", lines, said="{} steps before", log=True, note="steps before"
    )
    text = [
        "### Forgetting",
        "",
        "200 steps, 32 units, random inputs, before any training: the share of the gradient of "
        "the last step's state that is left some steps before it (of h for the RNN, of c for the "
        "LSTM). More than 1: it grows.",
        "",
        "| cell | bias of the forget gate | 10 steps before | 50 | 199 |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {name} | {bias} | " + " | ".join(map(_share, left)) + " |"
            for name, bias, left in rows
        ),
    ]
    shown = "The lines of the RNN and of the LSTM fall over many powers of ten; that of the LSTM "
    return text, chart, f"{shown}whose forget gate is open does not fall"


def _share(value: float) -> str:
    least = float(np.finfo(np.float32).tiny)
    return f"{value:.2g}" if value >= least else f"below {least:.0e}"


AHEAD, ASKED = 3, 10


class Tagger(nn.Module):
    """A layer, and a linear one on its output at every step."""

    def __init__(self, bidirectional: bool) -> None:
        self.layer = nn.Recurrent(nn.GRUCell(1, 16), bidirectional=bidirectional)
        self.readout = nn.Linear(32 if bidirectional else 16, 2)

    def forward(self, x):
        """Scores (T, B, 2) of x (T, B, 1)."""
        return self.readout(self.layer(x)[0])


def both_directions() -> Told:
    """No future for the forward layer; what the bidirectional one gains."""
    rows, lines = [], {}
    for bidirectional in (False, True):
        tg.manual_seed(0)
        model = Tagger(bidirectional)
        optimizer = tg.optim.Adam(model.parameters(), lr=0.01)
        tg.training.fit(
            model, told_ahead, Bits(60, 0), epochs=6, optimizer=optimizer, progress=False
        )
        found = tg.training.evaluate(model, told_ahead, Bits(10, None))
        x = tg.tensor(next(iter(Bits(1, None)))[:, :1], requires_grad=True)
        (reach,) = tg.grad(tg.sum(model(x)[ASKED]), [x])
        by_step = np.abs(reach.data).max(axis=(1, 2))
        name = "bidirectional" if bidirectional else "forward"
        lines[name] = by_step
        rows.append((name, float(by_step[ASKED + 1 :].max()), found["accuracy"]))
    chart = curves(
        f"The output at step {ASKED}: its derivative by the input of each step",
        lines,
        said="step {}",
        log=True,
        note="steps",
    )
    text = [
        "### No future",
        "",
        f"Random bits; at every step the network is to say the bit that comes {AHEAD} steps later. "
        "A GRU that reads forward has never seen it; a bidirectional one has:",
        "",
        f"| layer | largest derivative of the output at step {ASKED} by a later input "
        "| right answers |",
        "|---|---:|---:|",
        *(f"| {name} | {future:.2g} | {share:.0%} |" for name, future, share in rows),
    ]
    shown = f"The forward layer's derivative is exactly 0 after step {ASKED}; the bidirectional "
    return text, chart, f"{shown}one's is not"


class Bits(tg.data.Batches):
    """Batches of random bits (T, B, 1), new ones in every epoch."""

    def __init__(self, count: int, generator: int | None) -> None:
        super().__init__(generator)
        self.count = count

    def __len__(self) -> int:
        return self.count

    def order(self, rng):
        """A seed for each batch."""
        rng = np.random.default_rng(9) if rng is None else rng
        return rng.integers(2**63, size=self.count)

    def batch(self, key):
        """The batch of a seed."""
        bits = np.random.default_rng(key).integers(2, size=(24, 32, 1))
        return bits.astype(np.float32)


def told_ahead(model, x):
    """The loss and the accuracy of saying at every step the bit that comes `AHEAD` steps later."""
    scores = tg.reshape(model(x)[:-AHEAD], (-1, 2))
    later = x[AHEAD:, :, 0].astype(np.int64).reshape(-1)
    right = (scores.data.argmax(axis=-1) == later).mean()
    return nn.cross_entropy(scores, later), {"accuracy": float(right)}
