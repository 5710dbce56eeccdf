"""The error of the data layer."""

from __future__ import annotations

from tinygrad_rnn.errors import TinygradRnnError


class DataError(TinygradRnnError, ValueError):
    """Raised for data, or a request about data, that cannot be used; the message is one line.

    >>> try:
    ...     raise DataError("no names in 'Dutch.txt'")
    ... except ValueError as error:
    ...     print(error)
    no names in 'Dutch.txt'
    """
