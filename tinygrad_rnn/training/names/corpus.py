"""Corpus: labelled names, split and encoded, ready for training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...data import NameData, Vocabulary, stratified_split
from ...tables import html_table

__all__ = ["HELD_OUT", "Corpus", "Part"]

HELD_OUT = 0.2
"""The share of each class that is held out, to measure on and not to learn from."""


@dataclass(frozen=True, eq=False, repr=False)
class Part:
    """Names, their codes (each an array (T,)) and their labels (N,).

    >>> part = Part(("ab", "b"), (np.array([1, 2]), np.array([2])), np.array([0, 1]))
    >>> len(part)
    2
    """

    names: tuple[str, ...]
    codes: tuple[npt.NDArray[np.int64], ...]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"<{len(self):,} names>"


@dataclass(frozen=True, eq=False, repr=False)
class Corpus:
    """The classes, the letters, and the names to train on and to hold out.

    >>> from tinygrad_rnn.data import load_names
    >>> corpus = Corpus.of(load_names(), seed=0)
    >>> len(corpus.train), len(corpus.held_out)
    (8965, 2242)
    """

    classes: tuple[str, ...]
    vocabulary: Vocabulary
    train: Part
    held_out: Part

    def __repr__(self) -> str:
        return (
            f"<corpus of {len(self.classes)} classes, {len(self.vocabulary.letters)} letters, "
            f"{len(self.train):,} names to train on and {len(self.held_out):,} held out>"
        )

    def _repr_html_(self) -> str:
        counts = [np.bincount(part.labels, minlength=len(self.classes)).tolist()
                  for part in (self.train, self.held_out)]  # fmt: skip
        rows = [(name, f"{train:,}", f"{held_out:,}")
                for name, train, held_out in zip(self.classes, *counts)]  # fmt: skip
        head = ("class", "to train on", "held out")
        return html_table([head, *rows], right=(1, 2), title=repr(self)[1:-1])

    @classmethod
    def of(cls, data: NameData, seed: int = 0) -> Corpus:
        """Split `data` class by class, the same way for the same seed."""
        vocabulary = Vocabulary(data.alphabet)
        train, held_out = stratified_split(data.labels, HELD_OUT, seed)
        # Held-out names of similar length stand together: less padding when they are measured.
        lengths = [len(data.items[index]) for index in held_out]
        by_length = held_out[np.argsort(lengths, kind="stable")]

        def part(indices: npt.NDArray[np.int64]) -> Part:
            names = tuple(data.items[index] for index in indices)
            return Part(names, tuple(map(vocabulary.encode, names)), data.labels[indices])

        return cls(data.classes, vocabulary, part(train), part(by_length))
