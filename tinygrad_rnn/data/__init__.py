"""Data for training: batches, windows, vocabularies, splits; the packaged surnames.

This package depends only on NumPy and the standard library, not on tensors or networks. Every
source of batches can be iterated repeatedly, one epoch per pass, and can save and restore its
position (`Batches`).

>>> data = load_names()
>>> train, held_out = stratified_split(data.labels, held_out=0.2, seed=0)
>>> vocabulary = Vocabulary(data.alphabet)
>>> sequences = [vocabulary.encode(data.items[index]) for index in train]
>>> batches = PaddedBatches(sequences, data.labels[train], batch_size=32, generator=0)
>>> batch = next(iter(batches))
>>> batch.inputs.shape == (batch.lengths.max(), 32)
True
"""

from __future__ import annotations

from tinygrad_rnn.data import tasks
from tinygrad_rnn.data.adding import adding_problem
from tinygrad_rnn.data.batches import Batches
from tinygrad_rnn.data.errors import DataError
from tinygrad_rnn.data.names import NameData, load_names
from tinygrad_rnn.data.padded import Batch, PaddedBatches, pad
from tinygrad_rnn.data.split import (
    group_split,
    stratified_folds,
    stratified_split,
    time_split,
    walk_forward,
)
from tinygrad_rnn.data.text import TextBatch, TextBatches
from tinygrad_rnn.data.vocabulary import PADDING, Vocabulary
from tinygrad_rnn.data.windows import WindowBatch, Windows

__all__ = [
    "PADDING",
    "Batch",
    "Batches",
    "DataError",
    "NameData",
    "PaddedBatches",
    "TextBatch",
    "TextBatches",
    "Vocabulary",
    "WindowBatch",
    "Windows",
    "adding_problem",
    "group_split",
    "load_names",
    "pad",
    "stratified_folds",
    "stratified_split",
    "tasks",
    "time_split",
    "walk_forward",
]
