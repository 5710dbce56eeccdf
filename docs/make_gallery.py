"""Make the gallery: docs/gallery, its measured text, the comparison of the zoo, cards of cells.

    python docs/make_gallery.py                     all three
    python docs/make_gallery.py study               what the study of RNNs says, measured: a minute
    python docs/make_gallery.py compare --workers 2 the whole zoo: some thirty minutes of CPU time
    python docs/make_gallery.py cards lstm mingru   cards of these cells

The runs of the comparison are kept in docs/gallery/results.jsonl, so one that was stopped goes on
where it was. What stands in docs/gallery/index.md between the marks of a part is written by that
part. The extra `llvm` is needed. `--cells` compares some cells instead of all.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import cells, nn
from tinygrad_rnn.comparison import Comparison, Entry, leaders, learn
from tinygrad_rnn.data import tasks
from tinygrad_rnn.training.environment import environment

FOLDER = Path(__file__).resolve().parent / "gallery"
PAGE = FOLDER / "index.md"
MADE_WITH = {
    "convlstm": "image_size=(1, 1)",  # an image of one pixel: a vector
    "projectedlstm": "projection_size=8",
}
TASKS = ("adding", "delayed_recall", "parity")
SETTINGS = {
    "seeds": 3,
    "hidden_size": 16,
    "epochs": 10,
    "batches": 20,
    "batch_size": 16,
    "steps": 20,
    "learning_rate": 0.02,
}
SOLVED = 0.1  # of the loss that a guess has
FAMILIES = {
    "dynamical": "discretised dynamical systems",
    "gated": "gated units",
    "lstm": "LSTMs",
    "memory": "matrix memories",
    "orthogonal": "orthogonal and unitary",
    "parallel": "gates of the input alone",
    "state_space": "state spaces",
    "timed": "cells with a clock",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the parts that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", nargs="?", choices=("study", "compare", "cards"))
    parser.add_argument("names", nargs="*", help="the cells to make cards of")
    parser.add_argument("--cells", nargs="+", help="compare these alone")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args(arguments)
    tg.set_executor("llvm")
    if options.part in (None, "study"):
        write("study", study())
    if options.part in (None, "compare"):
        write("compare", compared(options.cells or zoo(), options.workers))
    if options.part in (None, "cards"):
        write("cards", carded(options.names or ["lstm", "mingru"]))


def write(part: str, lines: Iterable[str]) -> None:
    """Put the lines between the marks of a part of the page."""
    text = PAGE.read_text(encoding="utf-8")
    content = "\n".join(lines)
    marks = re.compile(rf"(<!-- {part} -->\n).*?(<!-- end of {part} -->)", re.DOTALL)
    PAGE.write_text(marks.sub(lambda m: f"{m[1]}\n{content}\n\n{m[2]}", text), encoding="utf-8")


def where() -> str:
    """The machine, in words."""
    here = environment()
    return f"{here['processor']}, NumPy {here['NumPy']}, executor {here['executor']}"


# What the study of recurrent networks says, measured


def study() -> list[str]:
    """Four statements with the numbers that show them."""
    return [
        f"Measured by `.venv/bin/python docs/make_gallery.py study` on: {where()}.",
        "",
        *any_length(),
        "",
        *shared_weights(),
        "",
        *forgetting(),
        "",
        *both_directions(),
    ]


def any_length() -> list[str]:
    """A GRU that has learnt parity of 12 bits, on longer sequences."""
    learnt = learn(nn.GRUCell, lambda seed: tasks.parity(12, seed=seed), hidden_size=16, epochs=5)
    network = learnt.network.eval()
    found = []
    for steps in (1, 12, 50, 200, 1000):
        batch = next(iter(tasks.parity(steps).held_out))
        with tg.no_grad():
            answers = network(batch.inputs).data.argmax(axis=-1)
        found.append((steps, float((answers == batch.targets)[-1].mean())))
    return [
        "### Any length",
        "",
        f"A GRU with {learnt.parameters:,} parameters learns the parity of sequences of **12** "
        "bits. The same parameters then read sequences of other lengths, and are asked at their "
        "last step:",
        "",
        "| steps | " + " | ".join(f"{steps:,}" for steps, _ in found) + " |",
        "|---|" + "---:|" * len(found),
        "| right answers | " + " | ".join(f"{share:.0%}" for _, share in found) + " |",
    ]


def shared_weights() -> list[str]:
    """The gradient of a weight is the sum of its parts, one for each step."""
    tg.manual_seed(0)
    layer, x = nn.LSTM(3, 8), tg.randn(40, 1, 3)
    parts = tg.viz.ledger(layer, x, lambda found: tg.sum(found[0]))["weight_hh_l0"]
    tg.sum(layer(x)[0]).backward()
    whole = layer.weight_hh_l0.grad.data
    summed = np.sum(list(parts.values()), axis=0)
    difference = float(np.abs(summed - whole).max() / np.abs(whole).max())
    numbers = sum(p.size for p in layer.parameters())
    return [
        "### Shared weights",
        "",
        f"An LSTM with 8 units has {numbers} parameters, for 1 step or for 40. Each of 40 steps "
        f"uses the same matrix W_hh, and its gradient is the sum of what each step adds: the sum "
        f"of the {len(parts)} parts differs from the gradient by {difference:.0e} of its size.",
    ]


def forgetting() -> list[str]:
    """How much of the gradient is left after 200 steps."""
    rows = []
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
        left = [norms[-1 - back] / norms[-1] for back in (10, 50, 199)]
        told = "" if bias is None else f"{bias:g}"
        rows.append((name, told, left))
    return [
        "### Forgetting",
        "",
        "200 steps, 32 units, random inputs, before any training: the share of the gradient of "
        "the last step's state that is left some steps before it (of h for the RNN, of c for the "
        "LSTM). 0 is less than float32 holds:",
        "",
        "| cell | bias of the forget gate | 10 steps before | 50 | 199 |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {name} | {bias} | " + " | ".join(f"{share:.2g}" for share in left) + " |"
            for name, bias, left in rows
        ),
    ]


AHEAD = 3


class Tagger(nn.Module):
    """A layer, and a linear one on its output at every step."""

    def __init__(self, bidirectional: bool) -> None:
        self.layer = nn.Recurrent(nn.GRUCell(1, 16), bidirectional=bidirectional)
        self.readout = nn.Linear(32 if bidirectional else 16, 2)

    def forward(self, x):
        """Scores (T, B, 2) of x (T, B, 1)."""
        return self.readout(self.layer(x)[0])


def both_directions() -> list[str]:
    """No future for the forward layer; what the bidirectional one gains."""
    rows = []
    for bidirectional in (False, True):
        tg.manual_seed(0)
        model = Tagger(bidirectional)
        optimizer = tg.optim.Adam(model.parameters(), lr=0.01)
        tg.training.fit(
            model, told_ahead, Bits(60, 0), epochs=6, optimizer=optimizer, progress=False
        )
        found = tg.training.evaluate(model, told_ahead, Bits(10, None))
        x = tg.tensor(next(iter(Bits(1, None)))[:, :1], requires_grad=True)
        (reach,) = tg.grad(tg.sum(model(x)[10]), [x])
        future = float(np.abs(reach.data[11:]).max())
        name = "bidirectional" if bidirectional else "forward"
        rows.append((name, future, found["accuracy"]))
    return [
        "### No future",
        "",
        f"Random bits; at every step the network is to say the bit that comes {AHEAD} steps later. "
        "A GRU that reads forward has never seen it; a bidirectional one has:",
        "",
        "| layer | largest derivative of the output at step 10 by a later input | right answers |",
        "|---|---:|---:|",
        *(f"| {name} | {future:.2g} | {share:.0%} |" for name, future, share in rows),
    ]


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


# The whole zoo


def zoo() -> list[str]:
    """All cells by name, the LSTM first: it is what the others are matched with."""
    names = sorted(cells.discover(), key=lambda name: (name != "lstm", name))
    return [f"{name},{MADE_WITH[name]}" if name in MADE_WITH else name for name in names]


def compared(names: list[str], workers: int) -> list[str]:
    """Compare, write the page of it, and tell which families solve which task."""
    found = tg.compare(names, TASKS, folder=FOLDER, workers=workers, **SETTINGS)
    found.report(FOLDER / "comparison.html", "The zoo, compared")
    by_family = grouped(found)
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in SETTINGS.items())
    return [
        f"{number_of(found.cells)}, each with as many parameters as an LSTM of 16 units. Measured "
        f"by `.venv/bin/python docs/make_gallery.py compare` on: {where()}. Settings: {settings}; "
        "one learning rate for all, tuned for none. [All results, learning curves, gradient flow "
        "and speed](comparison.html).",
        "",
        f"**Solved** means: less than {SOLVED:.0%} of the loss that a guess has, under every seed. "
        "Behind it stands the best cell of the family, with its loss and the spread over the "
        "seeds.",
        "",
        "| family | " + " | ".join(task.replace("_", " ") for task in found.tasks) + " |",
        "|---|" + "---|" * len(found.tasks),
        *(
            f"| {family} | " + " | ".join(told(entries) for entries in by_task.values()) + " |"
            for family, by_task in by_family.items()
        ),
        "",
        *ties(found),
    ]


def number_of(names: list[str]) -> str:
    """How many cells there are in the comparison, and out of how many."""
    total = len(cells.discover())
    return f"All {total} cells" if len(names) == total else f"{len(names)} of the {total} cells"


def grouped(found: Comparison) -> dict[str, dict[str, list[Entry]]]:
    """The entries by family, then by task."""
    homes = {name: cell.__module__.split(".") for name, cell in cells.discover().items()}
    result: dict[str, dict[str, list[Entry]]] = {}
    for task, entries in found.tasks.items():
        for entry in entries:
            home = homes[entry.cell.partition(",")[0]]
            family = FAMILIES.get(home[2], home[2]) if home[1] == "cells" else "classical"
            of_task = result.setdefault(family, {name: [] for name in found.tasks})
            of_task[task].append(entry)
    return result


def told(entries: list[Entry]) -> str:
    """How many of a family solve a task, and the best of them."""
    solved = [e for e in entries if e.loss.values and is_solved(e)]
    best = min((e for e in entries if e.loss.values), key=lambda e: e.loss.mean)
    return f"{len(solved)} of {len(entries)}; {best.cell} {best.loss:.2g}"


def is_solved(entry: Entry) -> bool:
    """Whether every seed came below a share of the guess's loss."""
    return not entry.diverged and max(entry.loss.values) < SOLVED * entry.baseline


def ties(found: Comparison) -> list[str]:
    """For each task, the cells that are not told apart from the best."""
    lines = []
    for task, entries in found.tasks.items():
        best = leaders(entries)
        names = ", ".join(sorted(entry.cell for entry in best))
        verb = "is the best" if len(best) == 1 else "are not told apart by their spread"
        solved = sum(is_solved(entry) for entry in entries if entry.loss.values)
        lines.append(
            f"- **{task.replace('_', ' ')}**: {solved} of {len(entries)} cells solve it. "
            f"{names} {verb}."
        )
    return lines


# Cards


def carded(names: list[str]) -> list[str]:
    """Write the cards of these cells, and a list of links."""
    known = cells.discover()
    for name in names:
        tg.card(known[name](4, 16), quick=True).save(FOLDER / f"{name}.html")
    there = sorted(path.stem for path in FOLDER.glob("*.html") if path.stem != "comparison")
    return [f"- [{name}]({name}.html)" for name in there]


if __name__ == "__main__":
    main()
