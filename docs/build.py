"""Build the site: python docs/build.py [FOLDER]. It needs the extra `docs`.

FOLDER (docs/_build/site) gets static files which any web server can serve, and a browser can open.
English is at its top, Korean under ko/. The code of every page is run, and a warning is an error.
With --explainer the live explainer is in explainer/; that needs Node.js (see explainer/build.py).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
LANGUAGES = {"en": ".", "ko": "ko"}  # and the folder of each in the site


def main(arguments: list[str] | None = None) -> None:
    """Run Sphinx once for each language."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=DOCS / "_build" / "site")
    parser.add_argument("--language", choices=LANGUAGES, help="this one alone")
    parser.add_argument("--quick", action="store_true", help="do not run the examples")
    parser.add_argument("--explainer", action="store_true", help="build the live explainer too")
    options = parser.parse_args(arguments)
    for language in [options.language] if options.language else LANGUAGES:
        folder = options.folder / LANGUAGES[language]
        # The package of this checkout, also in the kernels that run the pages' code.
        path = os.pathsep.join(filter(None, [str(DOCS.parent), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "PYTHONPATH": path, "TINYGRAD_RNN_LANGUAGE": language}
        command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
        command += ["-t", "explainer"] if options.explainer else []
        environment |= {"TINYGRAD_RNN_QUICK": "1"} if options.quick else {}
        command += ["--doctree-dir", str(DOCS / "_build" / f"doctrees-{language}")]
        finished = subprocess.run([*command, str(DOCS), str(folder)], env=environment)
        if finished.returncode:
            sys.exit(finished.returncode)
        print(f"{language}: {folder / 'index.html'}")
    if options.explainer:
        explainer = [sys.executable, str(DOCS / "explainer" / "build.py")]
        sys.exit(subprocess.run([*explainer, str(options.folder / "explainer")]).returncode)


if __name__ == "__main__":
    main()
