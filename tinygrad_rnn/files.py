"""Writing files atomically: readers see the old content or the new, never a part."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

__all__ = ["lock_folder", "remove_leftovers", "write_file"]

_LEFTOVERS = ".*.tmp"


def write_file(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write `content` (text as UTF-8) under a temporary name beside `path`, then rename it.

    Readers see the old file or the whole new one; when this returns, the new one is on disk under
    its name. OSError, naming `path`, if it cannot be written. No temporary file is left behind, not
    even after Ctrl-C.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_file(f"{folder}/note.txt", "h_t = tanh(W x_t + U h_{t-1})")
    ...     (Path(folder) / "note.txt").read_text()
    'h_t = tanh(W x_t + U h_{t-1})'
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    data = content.encode() if isinstance(content, str) else content
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # the rename must not reach the disk before the content does
        os.replace(temporary, target)
        _sync_folder(target.parent)
    except OSError as error:
        # Python selects the subclass of OSError by errno: FileNotFoundError and so on.
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove temporary files in `folder` left by a process that was killed while writing.

    Call it only if no other process can be writing there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / ".note.txt.0123abcd.tmp").touch()
    ...     remove_leftovers(folder)
    ...     os.listdir(folder)
    []
    """
    for path in Path(folder).glob(_LEFTOVERS):
        path.unlink(missing_ok=True)


def lock_folder(folder: str | os.PathLike[str]) -> int | None:
    """Lock a folder for this process; close the returned descriptor (`os.close`) to release it.

    The system releases it however the process ends. BlockingIOError if another process holds it.
    None where a folder cannot be locked (Windows).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     held = lock_folder(folder)
    ...     os.close(held)
    """
    if sys.platform == "win32":
        return None
    import fcntl

    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened


def _sync_folder(folder: Path) -> None:
    """Flush the folder's directory entries to disk, because a rename changes them."""
    if os.name == "nt":  # where a folder cannot be opened
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
