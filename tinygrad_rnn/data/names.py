"""Load a labelled set of names: a folder with one UTF-8 text file per class."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinygrad_rnn.data.errors import DataError

PACKAGED_SURNAMES = Path(__file__).parent / "surnames"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_EXPECTED = "one UTF-8 text file <Class>.txt a class, one item a line"


@dataclass(frozen=True, eq=False, repr=False)
class NameData:
    """Items with their classes: ``items[i]`` belongs to ``classes[labels[i]]``.

    ``classes`` and ``alphabet`` are sorted; ``alphabet`` holds every character of the items.

    >>> data = NameData(("Czech", "Dutch"), ("Beran", "Blom"), np.array([0, 1]), "Baelmnor")
    >>> [(item, data.classes[label]) for item, label in zip(data.items, data.labels)]
    [('Beran', 'Czech'), ('Blom', 'Dutch')]
    """

    classes: tuple[str, ...]
    items: tuple[str, ...]
    labels: NDArray[np.int64]
    alphabet: str

    def __repr__(self) -> str:
        return f"<{len(self.items):,} items of {len(self.classes)} classes>"


def load_names(folder: str | os.PathLike[str] | None = None) -> NameData:
    """Load ``folder``, or the packaged surnames when it is None.

    The folder has one UTF-8 text file ``<Class>.txt`` per class, with one item per line. Blank
    lines and white space around items are dropped. Items are NFC normalised and deduplicated within
    a class. Files that are not ``.txt``, and hidden ones, are ignored. Anything else raises
    :class:`DataError` with one line that says what is wrong and where.

    >>> surnames = load_names()
    >>> surnames.classes[:3]
    ('Arabic', 'Azerbaijani', 'Chinese')
    >>> len(surnames.items) == len(surnames.labels)
    True
    """
    path = PACKAGED_SURNAMES if folder is None else Path(folder)
    files = _class_files(path)
    items_of = {name: _read_items(files[name]) for name in sorted(files)}
    classes = tuple(items_of)
    items = tuple(item for name in classes for item in items_of[name])
    sizes = [len(items_of[name]) for name in classes]
    labels = np.repeat(np.arange(len(classes), dtype=np.int64), sizes)
    return NameData(classes, items, labels, "".join(sorted(set().union(*items))))


def _class_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by class name."""
    if not folder.exists():
        raise DataError(f"no folder {str(folder)!r} (expected a folder with {_EXPECTED})")
    if not folder.is_dir():
        raise DataError(f"{str(folder)!r} is not a folder (expected a folder with {_EXPECTED})")
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix == ".txt" and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise DataError(f"no .txt file in {str(folder)!r} (expected {_EXPECTED})")
    if len(found) == 1:
        raise DataError(
            f"only one class in {str(folder)!r}: {found[0].name!r} "
            f"(telling classes apart needs at least two; expected {_EXPECTED})"
        )
    files: dict[str, Path] = {}
    for path in found:
        name = unicodedata.normalize("NFC", path.stem)
        if name in files:
            raise DataError(
                f"two files in {str(folder)!r} stand for class {name!r}: their names differ only "
                "in how an accent is stored (keep one)"
            )
        files[name] = path
    return files


def _read_items(path: Path) -> list[str]:
    """Return the items of one class file in their order, each once."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror}") from None
    lines = unicodedata.normalize("NFC", _decode(content, path)).split("\n")
    # A dict keeps the first occurrence of each item, in order.
    items = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not items:
        raise DataError(f"{str(path)!r} has no item (expected one item a line)")
    if len(items) == 1:
        raise DataError(
            f"{str(path)!r} has one item only, {items[0]!r} (a class needs at least two different "
            "items: one to train on and one to hold out)"
        )
    return items


def _decode(content: bytes, path: Path) -> str:
    try:
        return content.removeprefix(_BYTE_ORDER_MARK).decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(_first_undecodable(content, path)) from None


def _first_undecodable(content: bytes, path: Path) -> str:
    """Say which byte of the file is not UTF-8, where an editor and where a program finds it."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        offset = error.start
        line = content.count(b"\n", 0, offset) + 1
        in_line = offset - (content.rfind(b"\n", 0, offset) + 1)
        return (
            f"{str(path)!r}, line {line}: byte 0x{content[offset]:02x} at byte {in_line + 1} of "
            f"the line (offset {offset} in the file) is not UTF-8 (save the file as UTF-8)"
        )
    raise AssertionError("called with content that is UTF-8")
