"""Batches: the base of all sources of batches. Their order, their position, and saving both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tinygrad_rnn.data.errors import DataError

__all__ = ["Batches", "Randomness"]

B = TypeVar("B")
Indices = NDArray[np.int64]

Randomness = np.random.Generator | int | None
"""What decides an order: a generator, a seed for one, or None for the order as it is."""


class Batches(Generic[B]):
    """Batches that can be iterated repeatedly; each pass over them is one epoch.

    With a `generator` (a `np.random.Generator`, or a seed for one) every epoch is shuffled anew;
    the same seed gives the same orders. With None the order never changes.

    `state_dict()` is the position: the epoch's order and how many of its batches have been
    returned. After `load_state_dict()` the next loop continues from there, within the epoch.

    A source of your own is a subclass with three methods: `order(rng)` returns the keys of an
    epoch's batches, `batch(key)` builds one of them, and `__len__` is their number.

    >>> class Squares(Batches):
    ...     def __len__(self):
    ...         return 4
    ...     def order(self, rng):
    ...         return np.arange(4) if rng is None else rng.permutation(4)
    ...     def batch(self, key):
    ...         return int(key) ** 2
    >>> squares = Squares(generator=0)
    >>> epochs = [list(squares), list(squares)]
    >>> sorted(epochs[0]), epochs[0] == epochs[1]
    ([0, 1, 4, 9], False)
    >>> again = Squares(generator=0)
    >>> first = next(iter(again))
    >>> other = Squares(generator=7)
    >>> other.load_state_dict(again.state_dict())
    >>> [first, *other] == epochs[0], list(other) == epochs[1]
    (True, True)
    """

    def __init__(self, generator: Randomness = None) -> None:
        self._generator = None if generator is None else np.random.default_rng(generator)
        self._epoch_seed: int | None = None  # of the order of the epoch that is going on
        self._place = 0  # how many of its batches were handed out
        self._continue = False  # the next loop goes on from there

    def order(self, rng: np.random.Generator | None) -> Sequence[Any]:
        """The keys of one epoch's batches, in order; always the same with None."""
        raise NotImplementedError(f"{type(self).__name__} has no order(rng)")

    def batch(self, key: Any) -> B:
        """The batch for `key`, one of those that `order` returned."""
        raise NotImplementedError(f"{type(self).__name__} has no batch(key)")

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        raise NotImplementedError(f"{type(self).__name__} has no __len__()")

    def __iter__(self) -> Iterator[B]:
        if not self._continue:
            self._place = 0
            if self._generator is not None:
                self._epoch_seed = int(self._generator.integers(2**63))
        self._continue = False
        # An epoch's order has a generator of its own: whoever else draws from ours, before or
        # after, does not change the batches that are still to come.
        seed = self._epoch_seed
        order = self.order(None if seed is None else np.random.default_rng(seed))
        for key in order[self._place :]:
            self._place += 1
            yield self.batch(key)
        self._place = 0

    def state_dict(self) -> dict[str, Any]:
        """The position in the data and the generator's state: plain Python values and arrays."""
        generator = self._generator
        return {
            "batches": len(self),
            "place": self._place,
            "epoch_seed": self._epoch_seed,
            "generator": None if generator is None else generator.bit_generator.state,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from where `state_dict` was called. DataError if the data has changed."""
        name = type(self).__name__
        expected = {"batches", "place", "epoch_seed", "generator"}
        if set(state) != expected:
            raise DataError(f"the state of {name} has {sorted(state)}, not {sorted(expected)}")
        if state["batches"] != len(self):
            raise DataError(
                f"the state is that of {state['batches']} batches an epoch, but this {name} has "
                f"{len(self)}: the data or the batch size has changed"
            )
        saved, generator = state["generator"], self._generator
        kinds = [None if saved is None else saved["bit_generator"]]
        kinds += [None if generator is None else type(generator.bit_generator).__name__]
        if kinds[0] != kinds[1]:
            raise DataError(f"the state of {name} has the generator {kinds[0]}, not {kinds[1]}")
        if generator is not None:
            generator.bit_generator.state = saved
        self._epoch_seed, self._place = state["epoch_seed"], state["place"]
        self._continue = self._place > 0
