"""Turn text into integer codes and back."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_rnn.data.errors import DataError

__all__ = ["PADDING", "Vocabulary"]

PADDING = 0
"""The code of padding, which fills the shorter sequences of a batch; no token has it."""


class Vocabulary:
    """The tokens that a model knows, with codes from 1 upwards; 0 is :data:`PADDING`.

    Tokens are letters or, with a ``separator`` such as ``" "``, the words that it separates.
    ``len(vocabulary)`` is the number of codes, padding included: the rows of an embedding.

    ``unknown``: the token used for all unknown ones. Without it they raise :class:`DataError`: if
    no training text contains an unknown token, its code is never trained, and predictions from it
    would be arbitrary.

    >>> vocabulary = Vocabulary("banana")
    >>> vocabulary.letters, len(vocabulary)
    ('abn', 4)
    >>> vocabulary.encode("nab")
    array([3, 1, 2])
    >>> vocabulary.decode([3, 1, 2, 0, 0])
    'nab'
    >>> words = Vocabulary(["the", "cat", "<end>"], separator=" ")
    >>> words.decode(words.encode("the cat <end>"))
    'the cat <end>'
    """

    def __init__(
        self, tokens: Iterable[str], *, separator: str = "", unknown: str | None = None
    ) -> None:
        """Take the tokens in any order; duplicates count once."""
        found = sorted({*tokens, *([] if unknown is None else [unknown])})
        for token in found:
            if separator == "" and len(token) != 1 and token != unknown:
                raise DataError(
                    f"{token!r} is no single letter (an alphabet is a text or single characters; "
                    'for words write separator=" ")'
                )
            if separator and (separator in token or not token):
                raise DataError(f"{token!r} is not a word: words are separated by {separator!r}")
        if not found:
            raise DataError("a vocabulary needs at least one letter, but the alphabet is empty")
        self.tokens, self.separator, self.unknown = tuple(found), separator, unknown
        self._code_of = {token: code for code, token in enumerate(found, start=PADDING + 1)}

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        *,
        separator: str = "",
        min_count: int = 1,
        unknown: str | None = None,
    ) -> Vocabulary:
        """The vocabulary of ``texts``: the tokens that occur at least ``min_count`` times.

        Build it from the training texts alone, so that nothing leaks from held-out texts.

        >>> Vocabulary.of(["a cat", "a dog"], separator=" ", min_count=2, unknown="<unk>").tokens
        ('<unk>', 'a')
        """
        counts = Counter(token for text in texts for token in _tokens(text, separator))
        kept = [token for token, count in counts.items() if count >= min_count]
        return cls(kept, separator=separator, unknown=unknown)

    @property
    def letters(self) -> str:
        """All tokens joined: the alphabet, if they are letters."""
        return self.separator.join(self.tokens)

    def __len__(self) -> int:
        """Count the codes, padding included."""
        return len(self.tokens) + 1

    def __repr__(self) -> str:
        """Show the tokens."""
        if not self.separator:
            return f"Vocabulary({self.letters!r})"
        shown = ", ".join(map(repr, self.tokens[:8])) + ", ..." * (len(self.tokens) > 8)
        return f"<Vocabulary of {len(self.tokens):,} words: {shown}>"

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the codes of the tokens of ``text``, which is NFC normalised first.

        A token outside the vocabulary gets the code of ``unknown``, or raises
        :class:`DataError` if there is none.

        >>> Vocabulary("abc").encode("cab")
        array([3, 1, 2])
        """
        tokens = _tokens(text, self.separator)
        if not tokens:
            raise DataError("nothing to encode: the text is empty")
        other = None if self.unknown is None else self._code_of[self.unknown]
        codes = [self._code_of.get(token, other) for token in tokens]
        if None in codes:
            position = codes.index(None)
            raise DataError(self._unknown(tokens[position], position + 1, text))
        return np.array(codes, dtype=np.int64)

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
        kept = [self.tokens[code - 1] for code in values.tolist() if code != PADDING]
        return self.separator.join(kept)

    def _unknown(self, token: str, position: int, text: str) -> str:
        if self.separator:
            return (
                f"word {token!r} at position {position} of {text!r} is not among the "
                f"{len(self.tokens)} words of the vocabulary (unknown= stands for those)"
            )
        known = self._known_relative(token)
        advice = f"; {known!r} is known" if known else ""
        normalised = unicodedata.normalize("NFC", text)
        return (
            f"letter {token!r} (U+{ord(token):04X}) at position {position} of {normalised!r} "
            f"is not among the {len(self.tokens)} letters of the vocabulary{advice}"
        )

    def _known_relative(self, letter: str) -> str | None:
        """Find the letter in the other case, or without its accent, if that is known."""
        plain = unicodedata.normalize("NFKD", letter)[0]
        for relative in (letter.swapcase(), plain, plain.swapcase()):
            if relative in self._code_of:
                return relative
        return None


def _tokens(text: str, separator: str) -> list[str]:
    normalised = unicodedata.normalize("NFC", text)
    if not separator:
        return list(normalised)
    return [word for word in normalised.split(separator) if word]
