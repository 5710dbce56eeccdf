"""Bring the Korean texts up to date with the pages: python docs/translate.py. It needs `docs`.

Sphinx collects the sentences of all pages, and sphinx-intl merges them into docs/locale/ko: what is
new has no translation yet, and what has changed is marked as fuzzy. Translate there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent


def main() -> None:
    """Collect and merge."""
    sentences = DOCS / "_build" / "gettext"
    environment = {**os.environ, "PYTHONPATH": str(DOCS.parent)}
    sphinx = [sys.executable, "-m", "sphinx", "--quiet", "-b", "gettext"]
    subprocess.run(
        [*sphinx, "-D", "nb_execution_mode=off", str(DOCS), str(sentences)],
        env=environment,
        check=True,
    )
    subprocess.run(
        [sys.executable, "-m", "sphinx_intl", "update", "-p", str(sentences), "-l", "ko"],
        cwd=DOCS,
        check=True,
    )


if __name__ == "__main__":
    main()
