"""Run the benchmarks of docs/benchmarks.md and put the tables they print in place of the old ones.

    python docs/make_benchmarks.py                      # all: over an hour on a quiet machine
    python docs/make_benchmarks.py 'Threads of one scan' Compiling
    python docs/make_benchmarks.py --list

Each section of the page has a block of commands. The tables after it, in order, are those that its
commands print. Above each stands, in italics, what the command says of itself: the versions, the
processor, the threads and the load. The text between them is written by hand: read it again.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).with_name("benchmarks.md")
BENCHMARK = ".venv/bin/python tests/benchmarks/"
COMMANDS = re.compile(r"^```sh\n(.*?)^```\n", re.M | re.S)
TABLE = re.compile(r"(?:^\*Measured: [^*]*\*\n\n)?(?:^\|.*\|\n)+", re.M)
SECTION = re.compile(r"^## ", re.M)


def commands(block: str) -> Iterator[str]:
    """The benchmarks of a block, each on one line; what only draws a table is not one of them."""
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith(BENCHMARK) and not line.startswith(f"{BENCHMARK}plot_"):
            yield re.sub(" +", " ", line)


def printed_tables(command: str) -> list[str]:
    """The tables that a benchmark prints, each under a line that says how it was measured."""
    words = shlex.split(command.removeprefix(".venv/bin/python "))
    print(f"$ {command}", flush=True)
    began = time.monotonic()
    result = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    print(result.stdout, f"({time.monotonic() - began:.0f} s)\n", flush=True)
    if result.returncode:
        raise SystemExit(f"{command} ended with {result.returncode}: its section stays as it was")
    setting, _, rest = result.stdout.partition("\n\n")
    versions, processor, *samples = setting.splitlines()
    tables = []
    while (found := re.search(r"(?:^\|.*\|\n)+", rest, re.M)) is not None:
        title = " ".join(rest[: found.start()].split()).rstrip(".")
        how = [line.rstrip(".") for line in (title, *samples, processor, versions) if line]
        caption = textwrap.fill(f"*Measured: {'. '.join(how)}.*", 110, break_on_hyphens=False)
        tables.append(f"{caption}\n\n{found.group()}")
        rest = rest[found.end() :]
    return tables


def measured_anew(section: str) -> str:
    """A section with the tables of this machine."""
    blocks = list(COMMANDS.finditer(section))
    parts = [section[: blocks[0].end()] if blocks else section]
    ends = [*(block.end() for block in blocks[1:]), len(section)]
    for block, end in zip(blocks, ends, strict=False):
        text = section[block.end() : end]
        fresh = [table for command in commands(block.group(1)) for table in printed_tables(command)]
        old = len(TABLE.findall(text))
        if old != len(fresh):
            raise SystemExit(
                f"the commands print {len(fresh)} tables, the page has {old} below them:\n"
                f"{block.group(1)}"
            )
        tables = iter(fresh)
        parts.append(TABLE.sub(lambda _: next(tables), text))  # noqa: B023
    return "".join(parts)


def main() -> None:
    """Each section that is asked for, written as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", help="titles of sections of the page; all")
    parser.add_argument("--list", action="store_true", help="the sections and their commands")
    options = parser.parse_args()
    parts = SECTION.split(PAGE.read_text(encoding="utf-8"))
    titles = [part.partition("\n")[0] for part in parts]
    unknown = set(options.sections) - set(titles[1:])
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))} in {PAGE.name}; see --list")
    for k, title in enumerate(titles):
        if k == 0 or (options.sections and title not in options.sections):
            continue
        if options.list:
            lines = [line for block in COMMANDS.findall(parts[k]) for line in commands(block)]
            print("\n  ".join([title, *lines]))
            continue
        parts[k] = measured_anew(parts[k])
        PAGE.write_text("## ".join(parts), encoding="utf-8")  # what is done is kept


if __name__ == "__main__":
    main()
