"""The gallery has every cell there is, and says what is true of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tinygrad_rnn import cells
from tinygrad_rnn.language import LANGUAGES, use_language

DOCS = Path(__file__).parent.parent / "docs"
GALLERY = DOCS / "gallery"
sys.path.insert(0, str(DOCS))

import gallery_cells  # noqa: E402
import gallery_page  # noqa: E402
import gallery_results  # noqa: E402

NUMBERS = json.loads((GALLERY / "cards.json").read_text(encoding="utf-8"))


def own_cells() -> list[str]:
    return [name for name, kind in cells.discover().items() if "tinygrad_rnn" in kind.__module__]


def test_every_cell_has_a_card_with_its_numbers() -> None:
    with tarfile.open(GALLERY / "cards.tar.xz") as archive:
        pages = {gallery_cells.page_of(name, of) for name in own_cells() for of in LANGUAGES}
        assert {f"{name}.html" for name in own_cells()} <= {*archive.getnames()} <= pages
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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as the site gets them."""
    folder = tmp_path_factory.mktemp("gallery")
    gallery_page.write_pages(GALLERY, folder)
    return folder


def test_the_page_has_every_cell_and_its_links_lead_to_cards(site) -> None:
    page = (site / "cells.html").read_text(encoding="utf-8")
    assert set(re.findall(r'<article id="(\w+)"', page)) == set(own_cells())
    linked = set(re.findall(r'href="(cards/\w+.html)"', page))
    assert len(linked) == len(own_cells()) and all((site / card).is_file() for card in linked)
    assert page.count("<tr data-name=") == len(own_cells())
    rest = page.replace("cards/", "#")
    assert not re.search(r'(?:src|href)="(?!#)', rest)


def test_the_pages_in_korean(tmp_path, monkeypatch) -> None:
    """Titles, columns and notes; names of cells and their own texts stay as they are."""
    monkeypatch.setattr(gallery_page, "_article", lambda name: "")  # the same in every language
    with use_language("ko"):
        gallery_page.write_pages(GALLERY, tmp_path)
    page = (tmp_path / "cells.html").read_text(encoding="utf-8")
    assert '<html lang="ko">' in page and "순환 셀 72개" in page and ">어림짐작" not in page
    assert not re.search(r"(?i)learning curves|held out", page)
    compared = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "학습 곡선" in compared and not re.search(
        r"(?i)held out|a guess|gradient", _text(compared)
    )


def _text(page: str) -> str:
    """What a page shows."""
    return re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]*>", "", page, flags=re.DOTALL)


def test_the_pages_of_the_gallery_are_made_not_kept() -> None:
    kept = subprocess.run(
        ["git", "ls-files", "*.html"], cwd=GALLERY, capture_output=True, text=True
    )
    if kept.returncode:
        pytest.skip("this is no checkout")
    assert kept.stdout == ""


def test_what_counts_as_solved_is_the_same_on_the_page_and_in_the_table(site) -> None:
    found = gallery_results.recorded(GALLERY / "results.jsonl")
    solved = [sum(map(gallery_results.solves, of)) for of in found.tasks.values()]
    page = (site / "cells.html").read_text(encoding="utf-8")
    assert page.count('class="solved"') == sum(solved)
    told = re.findall(r"(\d+) of 72 cells solve it", (GALLERY / "index.md").read_text("utf-8"))
    assert [*map(int, told)] == solved


def test_solved_is_below_the_share_under_every_seed() -> None:
    def solves(*losses, diverged="") -> bool:
        rows = [{"loss": loss, "diverged": diverged} for loss in losses]
        return gallery_results.solves(gallery_results.Entry("adding", "rnn", 8, 9, None, 1.0, rows))

    assert solves(0.09, 0.01)
    assert not solves(0.09, 0.11) and not solves(0.09, diverged="at epoch 3") and not solves(None)


def test_recorded_runs_need_no_cell(site) -> None:
    """A comparison of rows alone: the sizes and the settings are those of the rows."""
    found = gallery_results.recorded(GALLERY / "results.jsonl")
    assert found.cells[0] == "lstm" and found.recipe.learning_rate == 0.02
    assert {len(entry.rows) for entry in found.entries} == {3}
    assert found.entries[0].distance == 0 and max(abs(e.distance) for e in found.entries) < 0.15
    page = (site / "comparison.html").read_text(encoding="utf-8")
    assert all(name in page for name in own_cells())


def test_every_run_of_the_comparison_is_there() -> None:
    lines = (GALLERY / "results.jsonl").read_text(encoding="utf-8").splitlines()
    runs = {(row["task"], row["cell"].split(",")[0], row["seed"]) for row in map(json.loads, lines)}
    tasks = {task for task, _, _ in runs}
    assert runs == {
        (task, name, seed) for task in tasks for name in own_cells() for seed in range(3)
    }
