"""Commands that can be pasted: the program as it was called, and how an extra is installed.

Whoever follows the README has an environment that is not activated, without pip in it, and a
package that came from a checkout. So "tinygrad-rnn" and "pip install" alone would not be found.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

__all__ = ["command", "install_command"]

_DISTRIBUTION = "tinygrad-rnn"


def command(*arguments: object) -> str:
    """The command line of `tinygrad-rnn` with these arguments, called as it was this time.

    From another program, a notebook say, it is that program's Python with `-m tinygrad_rnn`.

    >>> command("predict", "my runs/surnames").endswith(" predict 'my runs/surnames'")
    True
    """
    program = Path(sys.argv[0] if sys.argv else "")
    if program.stem == _DISTRIBUTION and program.exists():
        called = [_short(program)]
    else:
        called = [_python(), "-m", "tinygrad_rnn"]
    return _joined([*called, *map(str, arguments)])


def install_command(extra: str) -> str:
    """The command that installs an extra of this package into the environment that is running.

    >>> " install " in install_command("llvm") and "[llvm]" in install_command("llvm")
    True
    """
    return _joined([*_pip(), "install", *_source(extra)])


def _pip() -> list[str]:
    """pip for this environment, which may be without one."""
    if importlib.util.find_spec("pip") is not None:
        return [_python(), "-m", "pip"]
    environment = _short(Path(sys.prefix))
    settings = Path(sys.prefix) / "pyvenv.cfg"
    if settings.is_file() and "\nuv = " in settings.read_text(encoding="utf-8"):
        return ["uv", "pip", "--python", environment]
    return [_python_with_pip(), "-m", "pip", "--python", environment]


def _python_with_pip() -> str:
    """The Python that the environment was made with; as `python3` if that is on the PATH."""
    for name in ("python3", "python", "py"):
        found = shutil.which(name)
        if found is not None and not Path(found).is_relative_to(sys.prefix):
            return name
    return _short(Path(getattr(sys, "_base_executable", sys.executable)))


def _source(extra: str) -> list[str]:
    """What to install: the checkout or the address that this package came from, with the extra."""
    checkout = Path(__file__).parents[1]
    if (checkout / "pyproject.toml").is_file():
        return [f"{_folder(checkout)}[{extra}]"]
    from importlib import metadata  # slow, and rarely wanted
    from urllib.parse import urlparse
    from urllib.request import url2pathname

    try:
        text = metadata.distribution(_DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        text = None
    origin: dict[str, Any] = json.loads(text) if text else {"url": ""}
    url = str(origin["url"])
    if url.startswith("file:"):
        place = Path(url2pathname(urlparse(url).path))
        if place.is_dir():
            editable = ["--editable"] if origin.get("dir_info", {}).get("editable") else []
            return [*editable, f"{_folder(place)}[{extra}]"]
    elif url:
        version_control = origin.get("vcs_info", {}).get("vcs")
        prefix = f"{version_control}+" if version_control else ""
        return [f"{_DISTRIBUTION}[{extra}] @ {prefix}{url}"]
    return [f"{_DISTRIBUTION}[{extra}]"]


def _folder(place: Path) -> str:
    """A folder as pip tells it from the name of a package: `.`, `./here`, `/home/me/here`."""
    short = _short(place)
    return short if short == "." or os.path.isabs(short) else f".{os.sep}{short}"


def _python() -> str:
    return _short(Path(sys.executable or "python"))


def _short(path: Path) -> str:
    """The shortest name of a file or folder: that on the PATH, or from here, or in full."""
    path = Path(os.path.abspath(path))  # links stay: an environment's Python is one
    found = shutil.which(path.name)
    if found is not None and os.path.abspath(found) == str(path):
        return path.name
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _joined(words: list[str]) -> str:
    import subprocess

    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
