"""Writing files so that whoever reads them finds the old content or the new, never a half."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

__all__ = ["write_file"]


def write_file(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write `content` (text as UTF-8) under a temporary name beside `path`, then rename it.

    Readers see the old file or the whole new one. OSError, naming `path`, if it cannot be written;
    no temporary file stays behind then, nor after Ctrl-C.

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
    except OSError as error:
        # Python picks the subclass of OSError by the number: FileNotFoundError and so on.
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        temporary.unlink(missing_ok=True)
