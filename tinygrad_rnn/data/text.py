"""One long text as consecutive batches, for training that carries the state over."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_rnn.data.batches import Batches
from tinygrad_rnn.data.errors import DataError

__all__ = ["TextBatch", "TextBatches"]


class TextBatch(NamedTuple):
    """``inputs`` and ``targets``, both ``(T, B)``: each target is the code after its input.

    ``first``: whether this is the first batch of an epoch, which starts from the initial state;
    every other batch continues, row by row, where the one before it ended. ``weight`` is T B, the
    number of codes to predict.

    >>> first, second = TextBatches([0, 1, 2, 3, 4, 5, 6, 7, 8], batch_size=2, length=2)
    >>> first.inputs.T, first.targets.T, first.first, first.weight
    (array([[0, 1],
           [4, 5]]), array([[1, 2],
           [5, 6]]), True, 4)
    >>> second.inputs.T, second.first
    (array([[2, 3],
           [6, 7]]), False)
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    first: bool

    @property
    def weight(self) -> int:
        """The number of codes to predict: the batch's weight in the mean of an epoch."""
        return self.targets.size


class TextBatches(Batches[TextBatch]):
    """A text (N,) of codes, cut into ``batch_size`` rows, read ``length`` codes at a time.

    Row b of a batch continues row b of the batch before, so the final state of one batch is the
    initial state of the next (`tg.detach` cuts the gradient between them). Every epoch is in the
    order of the text. The last batch may be shorter; fewer than ``batch_size`` codes at the end of
    the text are left out.

    DataError if the codes are not integers, or the text is too short.

    >>> data = TextBatches(np.arange(1000) % 26, batch_size=4, length=50)
    >>> len(data), next(iter(data)).inputs.shape
    (5, (50, 4))
    """

    def __init__(self, codes: ArrayLike, *, batch_size: int, length: int) -> None:
        super().__init__(None)
        for name, size in {"batch_size": batch_size, "length": length}.items():
            if size < 1:
                raise DataError(f"{name} is {size}, but must be at least 1")
        found = np.asarray(codes)
        if found.ndim != 1 or found.dtype.kind not in "iu":
            raise DataError(
                f"the text has shape {found.shape} and type {found.dtype}, "
                "but must be integers of shape (N,)"
            )
        steps = (len(found) - 1) // batch_size  # the last code is a target only
        if steps < 1:
            raise DataError(f"a text of {len(found)} codes is too short for {batch_size} rows")
        self.batch_size, self.length = batch_size, length
        whole = found[: steps * batch_size + 1].astype(np.int64)
        self._inputs = whole[:-1].reshape(batch_size, steps).T
        self._targets = whole[1:].reshape(batch_size, steps).T

    def __len__(self) -> int:
        return -(-len(self._inputs) // self.length)

    def order(self, rng: np.random.Generator | None) -> range:
        """The step at which each batch begins."""
        return range(0, len(self._inputs), self.length)

    def batch(self, key: int) -> TextBatch:
        """The codes from that step on."""
        steps = slice(key, key + self.length)
        return TextBatch(self._inputs[steps].copy(), self._targets[steps].copy(), key == 0)
