"""Turn text into integer codes and back."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_rnn.data.errors import DataError

PADDING = 0
"""The code of no letter at all; it fills the shorter sequences of a batch."""


class Vocabulary:
    """The letters a model knows, each with a code from 1 on; 0 is :data:`PADDING`.

    ``len(vocabulary)`` is the number of codes with the padding: the rows of an embedding.

    >>> vocabulary = Vocabulary("banana")
    >>> vocabulary.letters, len(vocabulary)
    ('abn', 4)
    >>> vocabulary.encode("nab")
    array([3, 1, 2])
    >>> vocabulary.decode([3, 1, 2, 0, 0])
    'nab'
    """

    def __init__(self, alphabet: Iterable[str]) -> None:
        """Take the letters in any order; doubled ones count once."""
        letters = sorted(set(alphabet))
        for letter in letters:
            if len(letter) != 1:
                raise DataError(
                    f"{letter!r} is no single letter (an alphabet is a text or single characters)"
                )
        if not letters:
            raise DataError("a vocabulary needs at least one letter, but the alphabet is empty")
        self.letters = "".join(letters)
        self._code_of = {letter: code for code, letter in enumerate(letters, start=PADDING + 1)}

    def __len__(self) -> int:
        """Count the codes, padding included."""
        return len(self.letters) + 1

    def __repr__(self) -> str:
        """Show the letters."""
        return f"Vocabulary({self.letters!r})"

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the codes of the letters of ``text``, which is NFC normalised first.

        A letter outside the vocabulary raises :class:`DataError`: a code that stands for any
        unknown letter would never be trained, so its prediction would be a guess in disguise.

        >>> Vocabulary("abc").encode("cab")
        array([3, 1, 2])
        """
        normalised = unicodedata.normalize("NFC", text)
        if not normalised:
            raise DataError("nothing to encode: the text is empty")
        for position, letter in enumerate(normalised, start=1):
            if letter not in self._code_of:
                raise DataError(self._unknown(letter, position, normalised))
        return np.array([self._code_of[letter] for letter in normalised], dtype=np.int64)

    def decode(self, codes: ArrayLike) -> str:
        """Return the text of a 1-D sequence of codes, leaving out the padding.

        >>> Vocabulary("abc").decode([1, 2, 0])
        'ab'
        """
        values = np.asarray(codes)
        if values.ndim != 1 or (values.size and values.dtype.kind not in "iu"):
            raise DataError(
                f"codes have shape {values.shape} and type {values.dtype}, "
                "but must be integers of shape (T,)"
            )
        for position, code in enumerate(values.tolist(), start=1):
            if not 0 <= code < len(self):
                raise DataError(
                    f"code {code} at position {position} stands for no letter "
                    f"(the codes are 0 to {len(self) - 1})"
                )
        return "".join(self.letters[code - 1] for code in values.tolist() if code != PADDING)

    def _unknown(self, letter: str, position: int, text: str) -> str:
        known = self._known_relative(letter)
        advice = f"; {known!r} is known" if known else ""
        return (
            f"letter {letter!r} (U+{ord(letter):04X}) at position {position} of {text!r} "
            f"is not among the {len(self.letters)} letters of the vocabulary{advice}"
        )

    def _known_relative(self, letter: str) -> str | None:
        """Find the letter in the other case, or without its accent, if that is known."""
        plain = unicodedata.normalize("NFKD", letter)[0]
        for relative in (letter.swapcase(), plain, plain.swapcase()):
            if relative in self._code_of:
                return relative
        return None
