"""Every available cell by name: from `nn`, from this package, and from other distributions."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from importlib import metadata

from .. import nn
from ..errors import TinygradRnnError

__all__ = ["ENTRY_POINTS", "Discovered", "discover"]

ENTRY_POINTS = "tinygrad_rnn.cells"
"""The entry point group in which other distributions declare their cells."""


class Discovered(Mapping[str, type[nn.Cell]]):
    """Cells by short name. A cell that another distribution declares is loaded on lookup.

    >>> import tinygrad_rnn as tg
    >>> "mingru" in tg.cells.discover()
    True
    """

    def __init__(self) -> None:
        self._own = {
            name.removesuffix("Cell").lower(): getattr(package, name)
            for package in (nn, sys.modules[__package__])
            for name in package.__all__
            if name.endswith("Cell") and name not in ("Cell", "PublishedCell")
        }
        declared = metadata.entry_points(group=ENTRY_POINTS)
        self._declared = {p.name.lower(): p for p in declared if p.name.lower() not in self._own}

    def __getitem__(self, name: str) -> type[nn.Cell]:
        return self._own[name] if name in self._own else _loaded(self._declared[name])

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._declared

    def __len__(self) -> int:
        return len(self._own) + len(self._declared)


def discover() -> Discovered:
    """All cells by short name: `lstm` for LSTMCell, `mingru` for MinGRUCell.

    First the classical ones of `tg.nn`, then the published ones of `tg.cells`, then those that
    other installed distributions declare in their pyproject.toml, under the names given there. If
    two cells have the same name, the first one wins:

        [project.entry-points."tinygrad_rnn.cells"]
        mine = "my_package.cells:MyCell"

    Looking up such a cell imports its module; TinygradRnnError if that fails, or if the declared
    object is not a subclass of `nn.Cell`.

    >>> import tinygrad_rnn as tg
    >>> found = tg.cells.discover()
    >>> found["lstm"].__name__, found["mingru"].__name__
    ('LSTMCell', 'MinGRUCell')
    """
    return Discovered()


def _loaded(point: metadata.EntryPoint) -> type[nn.Cell]:
    distribution = point.dist.name if point.dist is not None else "a distribution"
    told = f"{distribution} declares the cell {point.name!r} as {point.value!r}"
    try:
        cell = point.load()
    except Exception as error:
        raise TinygradRnnError(f"{told}: {type(error).__name__}: {error}") from error
    if not (isinstance(cell, type) and issubclass(cell, nn.Cell)):
        raise TinygradRnnError(f"{told}, which is not a subclass of tinygrad_rnn.nn.Cell")
    return cell
