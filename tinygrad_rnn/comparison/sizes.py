"""Hidden sizes that give different cells nearly the same number of parameters."""

from __future__ import annotations

from functools import cache

from ..data.tasks import Task
from .network import Answers, CellMaker
from .run import reproducible
from .subjects import ComparisonError

__all__ = ["nearest_size", "parameters"]

_LARGEST = 4096
_NEAR = 4  # sizes on either side that are tried, too: not every cell takes every size


def parameters(make_cell: CellMaker, task: Task, hidden_size: int) -> int:
    """The number of trained parameters: the cell's and those of the linear layer on its outputs.

    >>> from tinygrad_rnn import nn
    >>> from tinygrad_rnn.data.tasks import adding
    >>> parameters(nn.RNNCell, adding(), 8)
    105
    """
    with reproducible(0):
        network = Answers(make_cell(task.input_size, hidden_size), task)
    return sum(parameter.size for parameter in network.parameters())


def nearest_size(make_cell: CellMaker, task: Task, target: int) -> int:
    """The hidden size whose number of parameters is nearest to `target`.

    Sizes that the cell rejects with a ValueError, for example because its heads do not divide them,
    are skipped. ComparisonError if it rejects all.

    >>> from tinygrad_rnn import nn
    >>> from tinygrad_rnn.data.tasks import adding
    >>> nearest_size(nn.GRUCell, adding(), parameters(nn.LSTMCell, adding(), 32))
    37
    """
    refused: list[str] = []

    @cache
    def count(size: int) -> int | None:
        try:
            return parameters(make_cell, task, size)
        except ValueError as error:
            refused.append(str(error))
            return None

    def at_least(size: int) -> int | None:
        """The number for the next size that the cell takes."""
        near = (count(n) for n in range(size, size + 2 * _NEAR))
        return next((found for found in near if found is not None), None)

    low, high = 1, 2  # the number at `low` is too small, that at `high` large enough
    while high < _LARGEST and (at_least(high) or 0) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if (at_least(middle) or 0) < target:
            low = middle
        else:
            high = middle
    tried = range(max(1, low - 2 * _NEAR), high + 2 * _NEAR + 1)
    known = {size: n for size in tried if (n := count(size)) is not None}
    if not known:
        raise ComparisonError(f"no hidden size near {high} works: {refused[-1]}")
    return min(known, key=lambda size: abs(known[size] - target))
