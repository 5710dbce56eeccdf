"""The folders of viz lean on one another in one direction: no file imports one that imports it."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import tinygrad_rnn.viz

VIZ = Path(tinygrad_rnn.viz.__file__).parent
FLOORS = ("style", "model", "gradient", "layout", "svg", "charts", "page")
FLOORS += ("pictures", "report", "show")


def imported(path: Path) -> set[Path]:
    """The files of viz that a file imports, for its types or inside a function included."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            names = [base / alias.name for alias in node.names]
            for place in (base, *names):
                found |= {place.with_suffix(".py"), place / "__init__.py"}
    return {p for p in found if p.is_file() and p.is_relative_to(VIZ)}


def test_no_circle_of_imports_type_only_ones_included() -> None:
    files = list(VIZ.rglob("*.py"))
    graph = {path: imported(path) - {VIZ / "__init__.py"} for path in files}
    assert sum(map(len, graph.values())) > 60
    list(TopologicalSorter(graph).static_order())  # CycleError names the circle


def test_a_folder_leans_on_those_below_it_alone() -> None:
    def floor(path: Path) -> int:
        folder = path.relative_to(VIZ).parts[0]
        return FLOORS.index(folder) if folder in FLOORS else len(FLOORS)

    upward = [
        f"{path.relative_to(VIZ)} imports {other.relative_to(VIZ)}"
        for path in VIZ.rglob("*.py")
        for other in imported(path)
        if floor(other) > floor(path)
    ]
    assert not upward
