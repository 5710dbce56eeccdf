"""Draw the tables that recurrent.py printed: each time over that of the products alone.

    python tests/benchmarks/recurrent.py > table.txt
    python tests/benchmarks/plot_recurrent.py table.txt docs/images/recurrent.svg

Reads every row of those tables in the files, or in docs/benchmarks.md; a panel for each cell.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

COLUMNS = ["ours, LLVM", "ours, NumPy", "NumPy by hand", "JAX jit scan", "PyTorch nn.*"]
FLOOR = "GEMMs alone"

Times = dict[str, dict[str, float]]  # by size and column


def tables(text: str) -> dict[str, Times]:
    """Milliseconds by cell, of the tables that have the products alone."""
    found: dict[str, Times] = {}
    header: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[:2] == ["T,B,I,H", "cell"]:
            header = cells if FLOOR in cells else []
        elif header and re.fullmatch(r"\d+(,\d+){3}", cells[0]):
            numbers = dict(zip(header[2:], cells[2:], strict=True))
            times = {name: float(n) for name, n in numbers.items() if n != "-"}
            found.setdefault(cells[1], {}).setdefault(cells[0], times)
        elif not line.startswith("|"):
            header = []
    return found


def plot(found: dict[str, Times], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "recurrent"
    from matplotlib import pyplot

    rows = (len(found) + 1) // 2
    figure, axes = pyplot.subplots(
        rows, 2, figsize=(10, 3.1 * rows + 0.4), squeeze=False, layout="constrained"
    )
    for axis, (cell, by_size) in zip(axes.flat, found.items()):
        for column in COLUMNS:
            points = [
                (k, times[column] / times[FLOOR])
                for k, times in enumerate(by_size.values())
                if column in times
            ]
            if points:
                axis.plot(*zip(*points, strict=True), "o-", markersize=4, label=column)
        axis.set(title=cell, yscale="log", ylabel="times the products alone")
        sizes = ["T {}, B {}\nI {}, H {}".format(*size.split(",")) for size in by_size]
        axis.set_xticks(range(len(by_size)), sizes, fontsize=7)
        axis.grid(alpha=0.3)
    lines = axes[0][0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncol=len(COLUMNS), frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+", help="what recurrent.py printed")
    parser.add_argument("out", type=Path, help="an .svg or .png")
    options = parser.parse_args()
    text = "\n\n".join(file.read_text(encoding="utf-8") for file in options.tables)
    found = tables(text)
    if not found:
        parser.error(f"no table with a column {FLOOR!r} in {', '.join(map(str, options.tables))}")
    plot(found, options.out)


if __name__ == "__main__":
    main()
