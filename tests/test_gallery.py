"""The gallery has every cell there is, and says what is true of it."""

from __future__ import annotations

import json
import re
import sys
import tarfile
from pathlib import Path

import pytest

from tinygrad_rnn import cells

DOCS = Path(__file__).parent.parent / "docs"
GALLERY = DOCS / "gallery"
sys.path.insert(0, str(DOCS))

import gallery_cells  # noqa: E402

NUMBERS = json.loads((GALLERY / "cards.json").read_text(encoding="utf-8"))


def own_cells() -> list[str]:
    return [name for name, kind in cells.discover().items() if "tinygrad_rnn" in kind.__module__]


def test_every_cell_has_a_card_with_its_numbers() -> None:
    with tarfile.open(GALLERY / "cards.tar.xz") as archive:
        assert sorted(archive.getnames()) == sorted(f"{name}.html" for name in own_cells())
    assert sorted(NUMBERS) == sorted(own_cells())
    assert (GALLERY / "cards.tar.xz").stat().st_size < 1_000_000


@pytest.mark.parametrize("name", ["lstm", "convlstm", "mlstm", "clockworkrnn"])
def test_sizes_and_structure_are_those_of_the_cell(name) -> None:
    cell = gallery_cells.made(name)
    found = gallery_cells.Numbers(**NUMBERS[name])
    assert found.parameters == sum(p.size for p in cell.parameters())
    shape = gallery_cells.tg.cards.subject.Subject(cell).input_shape
    plan = cell.plan(1, 100, input_size=shape if len(shape) > 1 else shape[0])
    assert found.structure == gallery_cells.structure(plan)


def test_the_page_has_every_cell_and_its_links_lead_to_cards() -> None:
    page = (GALLERY / "cells.html").read_text(encoding="utf-8")
    assert set(re.findall(r'<article id="(\w+)"', page)) == set(own_cells())
    assert set(re.findall(r'href="cards/(\w+).html"', page)) == set(own_cells())
    assert page.count("<tr data-name=") == len(own_cells())
    rest = page.replace("cards/", "#")
    assert not re.search(r'(?:src|href)="(?!#)', rest)


def test_every_run_of_the_comparison_is_there() -> None:
    lines = (GALLERY / "results.jsonl").read_text(encoding="utf-8").splitlines()
    runs = {(row["task"], row["cell"].split(",")[0], row["seed"]) for row in map(json.loads, lines)}
    tasks = {task for task, _, _ in runs}
    assert runs == {
        (task, name, seed) for task in tasks for name in own_cells() for seed in range(3)
    }
