"""The network: it finds the class of a sequence of symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ... import nn, ops
from ...engine.recording.mode import no_grad
from ...engine.tensor import Tensor
from .settings import Settings

__all__ = ["CellMaker", "Classifier"]

CellMaker = Callable[[int, int], nn.Cell]
"""A function that makes a cell from `input_size` and `hidden_size`; for example `nn.LSTMCell`."""


class Classifier(nn.Module):
    """Symbols to class scores: embedding, a recurrent cell, its last output, a linear layer.

    `make_cell(input_size, hidden_size)` makes the cell. `symbols`: the number of codes; code 0 is
    the padding. `settings`: sizes, layers and dropout.

    >>> import numpy as np
    >>> from tinygrad_rnn.nn import GRUCell
    >>> model = Classifier(GRUCell, symbols=27, classes=3, settings=Settings(hidden_size=8))
    >>> model(np.array([[1, 5], [2, 0]]), lengths=np.array([2, 1])).shape
    (2, 3)
    """

    def __init__(
        self, make_cell: CellMaker, symbols: int, classes: int, settings: Settings
    ) -> None:
        self.embedding = nn.Embedding(symbols, settings.embedding_size, padding_idx=0)
        cell = make_cell(settings.embedding_size, settings.hidden_size)
        self.recurrent = nn.Recurrent(cell, settings.layers, dropout=settings.dropout)
        self.dropout = nn.Dropout(settings.dropout)
        self.readout = nn.Linear(cell.output_size, classes)

    def forward(self, symbols: npt.NDArray[Any], lengths: npt.NDArray[Any]) -> Tensor:
        """Scores (B, classes) of padded, time-major symbols (T, B) with lengths (B,)."""
        return self.read(self.dropout(self.embedding(symbols)), lengths)

    def read(self, letters: Tensor, lengths: npt.NDArray[Any] | None = None) -> Tensor:
        """Scores (B, classes) of embedded letters (T, B, embedding size), all T steps or lengths.

        The part after the embedding, for the gradient with respect to each letter.
        """
        outputs, _ = self.recurrent(letters, lengths=lengths)
        ends = len(letters) - 1 if lengths is None else lengths - 1
        last = outputs[ends, np.arange(outputs.shape[1])]
        scores: Tensor = self.readout(self.dropout(last))
        return scores

    def probabilities(
        self, symbols: npt.NDArray[Any], lengths: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """The probability of each class (B, classes), without dropout; each row sums to 1."""
        was_training = self.training
        self.eval()
        try:
            with no_grad():
                result: npt.NDArray[Any] = ops.softmax(self(symbols, lengths), axis=-1).numpy()
        finally:
            self.train(was_training)
        return result
