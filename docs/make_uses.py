"""Write the results in docs/uses.md anew: what stands between a command's marks is its output.

    python docs/make_uses.py                  all seven uses (about half an hour)
    python docs/make_uses.py genes            those of commands whose text contains this

A result stands between `<!-- python examples/genes.py ... -->` and `<!-- end -->`. Recurrent layers
are compiled (`pip install 'tinygrad-rnn[llvm]'`), unless TINYGRAD_RNN_EXECUTOR says otherwise; the
models of other libraries need scikit-learn and PyTorch.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

PAGE = Path(__file__).with_name("uses.md")
_RESULT = re.compile(r"(<!-- python (?P<command>.*?) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def filled(page: str, wanted: str) -> str:
    """The page with the output of each command whose text contains `wanted`."""

    def run(result: re.Match[str]) -> str:
        if wanted not in result["command"]:
            return result[0]
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *shlex.split(result["command"])],
            cwd=PAGE.parent.parent,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={"TINYGRAD_RNN_EXECUTOR": "llvm", **os.environ, "PYTHONPATH": "."},
            check=True,
        )
        print(f"{time.perf_counter() - begin:6.0f} s  {result['command']}", flush=True)
        printed = re.sub(r"\s*The picture: .*", "", done.stdout).strip("\n")
        lines = "\n".join(line.rstrip() for line in printed.splitlines())
        return f"{result[1]}\n```text\n{lines}\n```\n\n"

    return _RESULT.sub(run, page)


if __name__ == "__main__":
    text = filled(PAGE.read_text(encoding="utf-8"), sys.argv[1] if sys.argv[1:] else "")
    PAGE.write_text(text, encoding="utf-8")
