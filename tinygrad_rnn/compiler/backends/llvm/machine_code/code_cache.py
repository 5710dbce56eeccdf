"""Compiled loops, reused: in this process, and by later ones from disk.

The machine code of a loop is a file in the cache directory, named by a hash of everything that it
depends on. The file begins with a hash of its name and its content: a damaged file, or one in the
place of another, is compiled again. Nothing is loaded that another user owns or could have written,
and a directory that cannot be written never stops a run.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from .....files import write_file
from .codegen import link, machine_code, this_machine

__all__ = ["compiled", "counts", "directory"]

counts = {"compiled": 0, "from disk": 0}  # loops of this process, by where their code came from
_lock = threading.Lock()
_loops: dict[str, Any] = {}  # by name: the owner of the code, and the functions


def compiled(text: str, functions: Sequence[str], arguments: int) -> Sequence[Callable[..., None]]:
    """The functions of a loop's text. They take that many numbers; the second is an address."""
    name = "loop_" + hashlib.sha256((text + _basis()).encode()).hexdigest()[:32]
    with _lock:
        if name not in _loops:
            held, addresses = link(_code(name, text), name, functions)
            kinds = [ctypes.c_void_p if k == 1 else ctypes.c_int64 for k in range(arguments)]
            _loops[name] = held, [ctypes.CFUNCTYPE(None, *kinds)(address) for address in addresses]
        found: Sequence[Callable[..., None]] = _loops[name][1]
        return found


def directory() -> Path:
    """The directory of compiled loops: $TINYGRAD_RNN_CACHE, or the user's cache directory."""
    chosen = os.environ.get("TINYGRAD_RNN_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tinygrad_rnn"


@cache
def _basis() -> str:
    """What the machine code depends on besides the text of the loop."""
    here = Path(__file__).parent
    parts = [(here / f"{name}.py").read_text() for name in _WRITTEN_BY]
    return "".join([*parts, *this_machine()])


_WRITTEN_BY = ("codegen", "mathematics", "matmul", "builder")


def _code(name: str, text: str) -> bytes:
    """The machine code of a loop's text, from disk if it is there."""
    path = _safe_directory() / f"{name}.o"
    stored = _read(path)
    code = stored[_DIGEST:]
    if stored and stored[:_DIGEST] == _digest(name, code):
        counts["from disk"] += 1
        return code
    code = machine_code(text)
    counts["compiled"] += 1
    with suppress(
        OSError
    ):  # a full disk, a directory that is gone: the next process compiles again
        write_file(path, _digest(name, code) + code)
    return code


_DIGEST = hashlib.sha256().digest_size


def _digest(name: str, code: bytes) -> bytes:
    """The header of a file. It covers the name, so that no file can be taken for another."""
    return hashlib.sha256(name.encode() + code).digest()


def _read(path: Path) -> bytes:
    """The content of a file that nobody else could have written; empty if there is none."""
    try:
        return path.read_bytes() if _is_ours_alone(path) else b""
    except OSError:
        return b""


def _is_ours_alone(path: Path) -> bool:
    """Whether the file or directory belongs to this user, and nobody else may write it.

    Its content will be executed. Windows has no such mode bits; there a user's folders are private.
    """
    if not hasattr(os, "getuid"):
        return True
    status = path.stat(follow_symlinks=False)
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _safe_directory() -> Path:
    """The directory of compiled loops; one for this process only where that is not safe to use."""
    try:
        place = directory()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = place.resolve()
        safe = os.access(place, os.W_OK) and _is_ours_alone(place)
    except (OSError, RuntimeError):  # RuntimeError: there is no home directory
        safe = False
    return place if safe else _own_directory()


@cache
def _own_directory() -> Path:
    # A random name: in a directory that everyone can write to, others could put code there first.
    folder = tempfile.mkdtemp(prefix="tinygrad_rnn_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
