"""The cells of the gallery: a card of each, and the numbers that cards have in common.

A card takes some seconds, and all of them a quarter of an hour, so they are not made when the site
is built: `make_cards` makes them, and `pack` puts the pages into one small archive, which is
committed, and out of which the site takes them.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import cells, nn
from tinygrad_rnn.compiler.report import PlanReport
from tinygrad_rnn.language import LANGUAGES, use_language

__all__ = ["FAMILIES", "Numbers", "family", "made", "make_cards", "pack", "read", "unpack"]

INPUT_SIZE, HIDDEN_SIZE = 4, 16
MADE_WITH: dict[str, dict[str, Any]] = {
    "convlstm": {"image_size": (3, 3)},
    "projectedlstm": {"projection_size": 8},
}
FAMILIES = {
    "classical": "classical",
    "gated": "gated units",
    "lstm": "LSTMs",
    "dynamical": "dynamical systems",
    "orthogonal": "orthogonal and unitary",
    "parallel": "gates of the input alone",
    "state_space": "state spaces",
    "memory": "matrix memories",
    "timed": "cells with a clock",
}
# Not "speed", which wants a quiet machine, nor "laws", which the tests check of each cell.
PARTS = ("equations", "structure", "pictures", "gradient", "learning")
SHARE = 0.1  # of the gradient that is left at the memory horizon
WINDOW = 10  # steps that a truncated gradient goes back


@dataclass(frozen=True)
class Numbers:
    """What the cards of all cells have in common; None is what cannot be measured of a cell.

    Horizons are in steps, -1 beyond the sequence of `steps`; an exponent of minus infinity is None.
    """

    name: str
    parameters: int
    state: int
    forward_flops: float | None
    structure: str
    steps: int
    horizon: tuple[int, ...]
    exponent: tuple[float | None, ...]
    truncation: tuple[float, ...]


@cache
def _zoo() -> Mapping[str, type[nn.Cell]]:
    return cells.discover()


def made(name: str) -> nn.Cell:
    """The cell of a name that its card is of."""
    cell: nn.Cell = _zoo()[name](INPUT_SIZE, HIDDEN_SIZE, **MADE_WITH.get(name, {}))
    return cell


def family(name: str) -> str:
    """The family of a cell: the folder that it is in."""
    path = _zoo()[name].__module__.split(".")
    return path[2] if path[1] == "cells" else "classical"


def make_cards(
    names: Sequence[str], folder: Path, workers: int, done: Callable[[str], None]
) -> None:
    """Write NAME.html in every language, and its numbers as NAME.json, for those not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in names if not (folder / f"{name}.json").exists()]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for future in as_completed([pool.submit(make_card, name, folder) for name in missing]):
            done(future.result())


def make_card(name: str, folder: Path) -> str:
    """Make the card of one cell; returns a line that tells of it."""
    tg.set_executor("llvm")
    cell = made(name)
    card = tg.card(cell, quick=True, only=PARTS)
    for language in LANGUAGES:
        with use_language(language):
            page = folder / page_of(name, language)
            page.parent.mkdir(exist_ok=True)
            card.save(page)
    found = numbers(name, cell, card)
    (folder / f"{name}.json").write_text(json.dumps(asdict(found)), encoding="utf-8")
    return f"{name}: {card.seconds:.0f} s"


def page_of(name: str, language: str) -> str:
    """Where the card of a cell is, in the folder and in the archive."""
    return f"{name}.html" if language == "en" else f"{language}/{name}.html"


def numbers(name: str, cell: nn.Cell, card: tg.cards.Card) -> Numbers:
    """The numbers of a card."""
    reach = [d.horizon.steps(SHARE) for d in card.dynamics]
    top = [float(d.spectrum.exponents[0]) for d in card.dynamics]
    return Numbers(
        name=name,
        parameters=sum(p.size for p in cell.parameters()),
        state=sum(leaf.size for leaf in tg.pytree.leaves(cell.initial_state(1))),
        forward_flops=None if card.plan is None else card.plan.total("forward").flops / 100,
        structure="" if card.plan is None else structure(card.plan),
        steps=max((len(d.horizon.kept) - 1 for d in card.dynamics), default=0),
        horizon=tuple(-1 if steps is None else steps for steps in reach),
        exponent=tuple(x if math.isfinite(x) else None for x in top),
        truncation=tuple(float(np.float32(d.errors[WINDOW])) for d in card.dynamics),
    )


def read(names: Iterable[str], folder: Path) -> dict[str, Numbers]:
    """The numbers of the cards that were made, by name."""
    files = {name: folder / f"{name}.json" for name in names}
    return {
        name: Numbers(**json.loads(file.read_text(encoding="utf-8")))
        for name, file in files.items()
    }


def structure(plan: PlanReport) -> str:
    """How the next state depends on the state, in two words."""
    kinds = {line.kind for line in plan.state}
    jacobian = next((k for k in ("dense", "block", "permuted", "diagonal") if k in kinds), "none")
    return f"{jacobian}, {'not affine' if 'not affine' in kinds else 'affine'}"


def pack(names: Iterable[str], folder: Path, archive: Path) -> None:
    """Put the cards into an archive: what they have in common is stored once."""
    with tarfile.open(archive, "w:xz", preset=9) as out:
        for path in (page_of(name, language) for name in names for language in LANGUAGES):
            info = out.gettarinfo(str(folder / path), path)
            info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
            with open(folder / path, "rb") as page:
                out.addfile(info, page)


def unpack(archive: Path, folder: Path, language: str) -> None:
    """Write the cards in a language, English where there is no other, as NAME.html."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as pages:
        there = dict.fromkeys(pages.getnames())  # in their order: going back is slow
        for name in (path.removesuffix(".html") for path in there if "/" not in path):
            wanted = page_of(name, language)
            page = pages.extractfile(wanted if wanted in there else page_of(name, "en"))
            assert page is not None
            (folder / f"{name}.html").write_bytes(page.read())
