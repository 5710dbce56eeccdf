"""Write the results in docs/uses.md anew: what stands between a command's marks is its output.

    python docs/make_uses.py                  everything (about forty minutes of one core)
    python docs/make_uses.py genes speech     the commands whose text contains one of these words
    python docs/make_uses.py --numpy genes    only the time that the example takes on NumPy alone

A result stands between `<!-- python examples/genes.py ... -->` and `<!-- end -->`. Each output is
kept in docs/_build/uses.json, and the page is written when all are there: a run that was
interrupted goes on where it stopped, and the page never mixes two runs. One core is used. Recurrent
layers are compiled, unless TINYGRAD_RNN_EXECUTOR says otherwise. The models of other libraries need
scikit-learn and PyTorch: pip install 'tinygrad-rnn[uses]'.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("uses.md")
KEPT = Path(__file__).with_name("_build") / "uses.json"
_RESULT = re.compile(r"(<!-- python (?P<command>.*?) -->\n).*?(?=<!-- end -->)", re.DOTALL)
_COST = re.compile(r"^\| `(?P<example>\w+\.py)` \| +(?P<llvm>\S+) \| +(?P<numpy>\S+) \|$", re.M)
ONE_CORE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run(command: str, executor: str) -> tuple[str, float]:
    """What the command prints, and its CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *shlex.split(command)],
        cwd=PAGE.parent.parent,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, **ONE_CORE, "TINYGRAD_RNN_EXECUTOR": executor, "PYTHONPATH": "."},
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    print(f"{seconds:6.0f} s of CPU, {executor}: {command}", flush=True)
    return re.sub(r"\s*The picture: .*", "", done.stdout).strip("\n"), seconds


def with_costs(page: str, executor: str, costs: dict[str, float]) -> str:
    """The page with `costs`, CPU seconds by example, in the executor's column of its last table."""

    def row(old: re.Match[str]) -> str:
        cells = old.groupdict()
        if cells["example"] in costs:
            cells[executor] = f"{costs[cells['example']]:.0f}"
        return f"| `{cells['example']}` | {cells['llvm']} | {cells['numpy']} |"

    return _COST.sub(row, page)


def with_results(page: str, results: dict[str, str]) -> str:
    """The page with `results`, the printed text by command, between their marks."""

    def block(old: re.Match[str]) -> str:
        if old["command"] not in results:
            return old[0]
        lines = "\n".join(line.rstrip() for line in results[old["command"]].splitlines())
        return f"{old[1]}\n```text\n{lines}\n```\n\n"

    return _RESULT.sub(block, page)


def main() -> None:
    """Run the commands that are asked for, and write the page when all have ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only commands whose text contains one of these")
    parser.add_argument("--numpy", action="store_true", help="only the time, on NumPy alone")
    options = parser.parse_args()
    executor = "numpy" if options.numpy else os.environ.get("TINYGRAD_RNN_EXECUTOR", "llvm")
    commands = [match["command"] for match in _RESULT.finditer(PAGE.read_text(encoding="utf-8"))]
    if options.words:
        commands = [c for c in commands if any(word in c for word in options.words)]
    if options.numpy:
        commands = [c.split(" --picture")[0] for c in commands if c.startswith("examples/")]
        commands = [f"{command} --picture {os.devnull}" for command in commands]
    KEPT.parent.mkdir(exist_ok=True)
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for command in commands:
        if command not in kept:
            kept[command] = run(command, executor)
            KEPT.write_text(json.dumps(kept))
    page = PAGE.read_text(encoding="utf-8")
    if not options.numpy:
        page = with_results(page, {command: kept[command][0] for command in commands})
    if executor in ("llvm", "numpy"):
        costs = {command.split()[0].split("/")[1]: kept[command][1] for command in commands}
        page = with_costs(page, executor, costs)
    PAGE.write_text(page, encoding="utf-8")
    KEPT.write_text(json.dumps({c: result for c, result in kept.items() if c not in commands}))


if __name__ == "__main__":
    main()
