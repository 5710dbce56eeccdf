"""Data for training: names by class, and the adding problem.

Nothing here knows of tensors or networks; it is NumPy and the standard library.

>>> import numpy as np
>>> data = load_names()
>>> train, held_out = stratified_split(data.labels, held_out=0.2, seed=0)
>>> vocabulary = Vocabulary(data.alphabet)
>>> sequences = [vocabulary.encode(data.items[index]) for index in train]
>>> rng = np.random.default_rng(0)
>>> batch = next(batches(sequences, data.labels[train], batch_size=32, rng=rng))
>>> batch.inputs.shape == (batch.lengths.max(), 32)
True
"""

from __future__ import annotations

from tinygrad_rnn.data.adding import adding_problem
from tinygrad_rnn.data.batches import Batch, batches, pad
from tinygrad_rnn.data.errors import DataError
from tinygrad_rnn.data.names import NameData, load_names
from tinygrad_rnn.data.split import stratified_split
from tinygrad_rnn.data.vocabulary import PADDING, Vocabulary

__all__ = [
    "PADDING",
    "Batch",
    "DataError",
    "NameData",
    "Vocabulary",
    "adding_problem",
    "batches",
    "load_names",
    "pad",
    "stratified_split",
]
