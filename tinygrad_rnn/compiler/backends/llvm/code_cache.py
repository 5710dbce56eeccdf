"""Compiled loops, found again: in this process, and on disk by the next one.

The machine code of a loop is a file in the cache directory, named by a hash of all that it depends
on. It begins with a hash of itself: a damaged one is compiled again.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from ....files import write_file
from .codegen import link, machine_code, this_machine

__all__ = ["compiled", "counts", "directory"]

counts = {"compiled": 0, "from disk": 0}  # loops of this process, by where their code came from
_lock = threading.Lock()
_loops: dict[str, Any] = {}  # by name: what holds the code, and the function


def compiled(text: str) -> Callable[[int, int], None]:
    """The function `loop(steps, address of the table)` of a loop's text."""
    name = "loop_" + hashlib.sha256((text + _basis()).encode()).hexdigest()[:32]
    with _lock:
        if name not in _loops:
            held, address = link(_code(name, text), name)
            function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(address)
            _loops[name] = held, function
        call: Callable[[int, int], None] = _loops[name][1]
        return call


def directory() -> Path:
    """Where compiled loops are kept: $TINYGRAD_RNN_CACHE, or the user's cache directory."""
    chosen = os.environ.get("TINYGRAD_RNN_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tinygrad_rnn"


@cache
def _basis() -> str:
    """What machine code depends on besides its own text."""
    here = Path(__file__).parent
    parts = [(here / f"{name}.py").read_text() for name in _WRITTEN_BY]
    return "".join([*parts, *this_machine()])


_WRITTEN_BY = ("codegen", "mathematics", "matmul", "builder")


def _code(name: str, text: str) -> bytes:
    """The machine code of a loop's text, from disk if it is there."""
    path = _writable_directory() / f"{name}.o"
    try:
        stored = path.read_bytes()
    except OSError:
        stored = b""
    code = stored[_DIGEST:]
    if stored and hashlib.sha256(code).digest() == stored[:_DIGEST]:
        counts["from disk"] += 1
        return code
    code = machine_code(text)
    write_file(path, hashlib.sha256(code).digest() + code)
    counts["compiled"] += 1
    return code


_DIGEST = hashlib.sha256().digest_size


def _writable_directory() -> Path:
    """The directory of compiled loops; one of this process alone where that cannot be written."""
    try:
        place = directory()
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: there is no home directory
        return _own_directory()
    return place if os.access(place, os.W_OK) else _own_directory()


@cache
def _own_directory() -> Path:
    # Of no fixed name: in a directory that all can write to, others could put code there first.
    folder = tempfile.mkdtemp(prefix="tinygrad_rnn_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
