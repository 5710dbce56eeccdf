"""Build the explainer: python docs/explainer/build.py [FOLDER]. It needs Node.js 18 or later.

FOLDER (docs/_build/site/explainer) gets static files, 18 MB, which any web server can serve.
`tinygrad-rnn explain FOLDER` serves it on this machine. Packages from npm, whose versions
package-lock.json fixes, are fetched at the first build; the page itself fetches nothing.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SITE = HERE.parent / "_build" / "site" / "explainer"


def main(arguments: list[str] | None = None) -> None:
    """Install what npm has to bring, and run build.mjs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=SITE)
    folder = parser.parse_args(arguments).folder.resolve()
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed; it comes with Node.js 18 or later (nodejs.org)")
    if folder.exists() and not (folder / "service.js").is_file():
        sys.exit(f"{folder} is there already, and is no explainer: name another folder")
    lock, installed = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
        _run("npm", "ci", "--no-audit", "--no-fund", "--silent")
    _run("node", "build.mjs", str(folder))
    print(f"look at it: tinygrad-rnn explain {folder}")


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program)
    assert found is not None
    finished = subprocess.run([found, *arguments], cwd=HERE)
    if finished.returncode:
        sys.exit(f"`{program} {arguments[0]}` failed")


if __name__ == "__main__":
    main()
