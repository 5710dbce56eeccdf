"""Write the tables of docs/trust.md anew: everything between a command's marks is its output.

    python docs/make_trust.py                 all tables (five minutes)
    python docs/make_trust.py oracle.py       those of commands whose name contains this

A table stands between `<!-- python tests/testing/oracle.py -->` and `<!-- end -->`.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).with_name("trust.md")
_TABLE = re.compile(r"(<!-- python (?P<command>.*?) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def filled(page: str, wanted: str) -> str:
    """The page with the output of each command whose text contains `wanted`."""

    def run(table: re.Match[str]) -> str:
        if wanted not in table["command"]:
            return table[0]
        done = subprocess.run(
            [sys.executable, *shlex.split(table["command"])],
            cwd=PAGE.parent.parent,
            capture_output=True,
            encoding="utf-8",
        )
        if done.returncode or not done.stdout:  # such as killed: half a table is none
            raise SystemExit(done.stderr or f"{table['command']}: status {done.returncode}")
        return f"{table[1]}\n{done.stdout.strip()}\n\n"

    return _TABLE.sub(run, page)


if __name__ == "__main__":
    text = filled(PAGE.read_text(encoding="utf-8"), sys.argv[1] if sys.argv[1:] else "")
    PAGE.write_text(text, encoding="utf-8")
