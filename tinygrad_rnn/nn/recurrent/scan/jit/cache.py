"""Compiled loops, found again: in this process, and on disk by the next one.

The text of a loop is a module in the cache directory, named by a hash of all that its machine code
depends on; Numba keeps the code beside it.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

from .....files import write_file

__all__ = ["compiled", "counts", "directory"]

counts = {"compiled": 0, "from disk": 0}  # loops of this process, by where their code came from
_lock = threading.Lock()
_loops: dict[str, Any] = {}  # by name; Numba frees the code of a loop that nothing refers to


def compiled(text: str) -> Callable[[int, int], None]:
    """The function `loop(steps, address of the table)` of a module's text."""
    name = "loop_" + hashlib.sha256((text + _basis()).encode()).hexdigest()[:32]
    with _lock:
        if name not in _loops:
            loop = _module(name, text).loop
            counts["from disk" if loop.cache_hits else "compiled"] += 1
            _loops[name] = (
                loop,
                ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(loop.address),
            )
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
    """What compiled code depends on besides its own text."""
    here = Path(__file__).parent
    parts = [(here / f"{name}.py").read_text() for name in ("mathematics", "pointers", "products")]
    return "".join([*parts, numba.__version__, sys.version])


def _module(name: str, text: str) -> Any:
    path = _writable_directory() / f"{name}.py"
    if not path.exists():  # never written again: its time of change is part of Numba's key
        write_file(path, text)
    specification = importlib.util.spec_from_file_location(f"tinygrad_rnn_{name}", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # where Numba looks for the globals of stored code
    specification.loader.exec_module(module)
    return module


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
