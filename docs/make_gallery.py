"""Make the gallery: docs/gallery, its measured text, cards of all cells, the comparison of the zoo.

    python docs/make_gallery.py                     all of it
    python docs/make_gallery.py study               what the study of RNNs says, measured: a minute
    python docs/make_gallery.py cards --workers 2   a card of every cell: 15 minutes of CPU time
    python docs/make_gallery.py compare --workers 2 the whole zoo: some 30 minutes of CPU time
    python docs/make_gallery.py pages               the pages of all that, to look at: 20 seconds

Each goes on where it was stopped: the runs of the comparison are kept in results.jsonl, the cards
in cards/, which Git ignores; `--again` makes all cards anew. Git keeps the cards' numbers, in
cards.json, and an archive of the cards, cards.tar.xz, out of which the site takes them.
What stands in docs/gallery/index.md between the marks of a part is written by that part. The pages,
cells.html and comparison.html, are made of these numbers whenever the site is built; Git ignores
them. The extra `llvm` is needed. `--cells` takes some cells instead of all.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from gallery_cells import FAMILIES, family, make_cards, pack, read
from gallery_page import write_pages
from gallery_results import SOLVED, by_name, solves
from gallery_study import study

import tinygrad_rnn as tg
from tinygrad_rnn import cells
from tinygrad_rnn.comparison import Comparison, Entry, leaders
from tinygrad_rnn.training.environment import environment

FOLDER = Path(__file__).resolve().parent / "gallery"
PAGE = FOLDER / "index.md"
CARDS, NUMBERS, ARCHIVE = FOLDER / "cards", FOLDER / "cards.json", FOLDER / "cards.tar.xz"
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
LONGER = (
    ".venv/bin/tinygrad-rnn compare lstm lem --tasks adding --steps 20 --hidden-size 16 \\\n  "
    "--epochs 50 --batches 20 --batch-size 16 --learning-rate 0.005"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the parts that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", nargs="?", choices=("study", "cards", "compare", "pages"))
    parser.add_argument("--cells", nargs="+", help="these alone")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="make cards that are there already")
    options = parser.parse_args(arguments)
    names = options.cells or zoo()
    tg.set_executor("llvm")
    if options.part in (None, "study"):
        measured = f"Measured by `.venv/bin/python docs/make_gallery.py study` on: {where()}."
        write("study", [measured, "", *study(FOLDER)])
    if options.part in (None, "cards"):
        write("cards", carded(names, options.workers, options.again))
    if options.part in (None, "compare"):
        write("compare", compared(names, options.workers))
    if options.part in (None, "pages"):
        write_pages(FOLDER, FOLDER)


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


# The whole zoo


def zoo() -> list[str]:
    """All cells by name, the LSTM first."""
    return by_name(cells.discover())


def compared(names: list[str], workers: int) -> list[str]:
    """Compare, and tell which families solve which task."""
    made_with = {"convlstm": "image_size=(1, 1)", "projectedlstm": "projection_size=8"}
    specs = [f"{name},{made_with[name]}" if name in made_with else name for name in names]
    found = tg.compare(specs, TASKS, folder=FOLDER, workers=workers, **SETTINGS)
    by_family = grouped(found)
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in SETTINGS.items())
    updates = SETTINGS["epochs"] * SETTINGS["batches"]
    return [
        f"{number_of(found.cells)}, each with as many parameters as an LSTM of 16 units. Measured "
        f"by `.venv/bin/python docs/make_gallery.py compare` on: {where()}. Settings: {settings}.",
        "",
        f"**Solved** means: less than {SOLVED:.0%} of the loss that a guess has, under every seed. "
        "Behind it stands the best cell of the family, with its loss and the spread over the "
        "seeds.",
        "",
        "| family | " + " | ".join(task.replace("_", " ") for task in found.tasks) + " |",
        "|---|" + "---|" * len(found.tasks),
        *(
            f"| {of} | " + " | ".join(told(entries) for entries in by_task.values()) + " |"
            for of, by_task in by_family.items()
        ),
        "",
        *ties(found),
        "",
        f"**What this does not say.** {updates} updates are few, and there is one learning rate "
        "for all, tuned for none: this tells which cells learn *fast* with Adam at "
        f"{SETTINGS['learning_rate']:g}, not what a cell can represent. A cell with a loss far "
        "above that of a guess wants a smaller rate. Try a second rate, and more updates, before "
        "you conclude anything of one. The LSTM has not begun to learn adding here; after 1,000 "
        f"updates at 0.005 the losses are: {longer()}. The command:",
        "",
        f"```sh\n{LONGER}\n```",
    ]


def longer() -> str:
    """What the LSTM and another cell come to with more updates at a smaller rate."""
    settings = SETTINGS | {"epochs": 50, "learning_rate": 0.005}
    found = tg.compare(["lstm", "lem"], ["adding"], **settings)
    return ", ".join(f"{entry.cell} {entry.loss:.2g}" for entry in found.entries)


def number_of(names: list[str]) -> str:
    """How many cells there are in the comparison, and out of how many."""
    total = len(cells.discover())
    return f"All {total} cells" if len(names) == total else f"{len(names)} of the {total} cells"


def grouped(found: Comparison) -> dict[str, dict[str, list[Entry]]]:
    """The entries by family, in the order of `FAMILIES`, then by task."""
    result = {}
    for key, words in FAMILIES.items():
        by_task = {
            task: [e for e in entries if family(e.cell.partition(",")[0]) == key]
            for task, entries in found.tasks.items()
        }
        if any(by_task.values()):
            result[words] = by_task
    return result


def told(entries: list[Entry]) -> str:
    """How many of a family solve a task, and the best of them."""
    solved = [e for e in entries if solves(e)]
    best = min((e for e in entries if e.loss.values), key=lambda e: e.loss.mean)
    return f"{len(solved)} of {len(entries)}; {best.cell} {best.loss:.2g}"


def ties(found: Comparison) -> list[str]:
    """For each task, the cells that are not told apart from the best."""
    lines = []
    for task, entries in found.tasks.items():
        best = leaders(entries)
        names = ", ".join(sorted(entry.cell for entry in best))
        verb = "is the best" if len(best) == 1 else "are not told apart by their spread"
        solved = sum(map(solves, entries))
        lines.append(
            f"- **{task.replace('_', ' ')}**: {solved} of {len(entries)} cells solve it. "
            f"{names} {verb}."
        )
    return lines


# Cards


def carded(names: list[str], workers: int, again: bool) -> list[str]:
    """Make the cards, pack them, and tell where they are."""
    if again:
        shutil.rmtree(CARDS, ignore_errors=True)
    make_cards(names, CARDS, workers, lambda line: print(line, flush=True))
    numbers = read(names, CARDS)
    lines = [f"{json.dumps(name)}: {json.dumps(asdict(row))}" for name, row in numbers.items()]
    NUMBERS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    pack(names, CARDS, ARCHIVE)
    by_family = {
        words: [name for name in names if family(name) == key] for key, words in FAMILIES.items()
    }
    return [
        f"{number_of(names)}, made by `.venv/bin/python docs/make_gallery.py cards` on: {where()}.",
        "",
        *(
            f"- {words}: " + ", ".join(f'<a href="cards/{n}.html">{n}</a>' for n in of)
            for words, of in by_family.items()
            if of
        ),
    ]


if __name__ == "__main__":
    main()
