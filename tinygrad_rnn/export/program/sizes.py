"""Size: a number that depends on the sizes of the inputs, as `time`, `2*batch` or `batch*time`.

A model is recorded at a few sizes of each named axis. A number that differs between the recordings
is fitted by a polynomial in these sizes. The fit is checked on a recording that was not used for
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

__all__ = ["Size", "evaluated", "fitted", "recording_sizes"]

Sizes = Mapping[str, Any]

_FIRST, _STEP = 3, 2  # the sizes at which a model is recorded


@dataclass(frozen=True)
class Size:
    """A sum of products of named sizes: `terms` are pairs of a coefficient and the names.

    >>> size = Size(((2, ("batch", "time")), (-1, ())))
    >>> str(size), size({"batch": 3, "time": 5})
    ('2*batch*time - 1', 29)
    """

    terms: tuple[tuple[int, tuple[str, ...]], ...]

    def __call__(self, sizes: Sizes) -> Any:
        """The number, for these sizes."""
        return sum(factor * prod(sizes[name] for name in names) for factor, names in self.terms)

    def __str__(self) -> str:
        words = []
        for factor, names in self.terms:
            factors = [*names] if abs(factor) == 1 and names else [str(abs(factor)), *names]
            words += ["-" if factor < 0 else "+", "*".join(factors)]
        return " ".join(words[1:] if words[:1] == ["+"] else words)


def recording_sizes(names: Sequence[str]) -> list[dict[str, int]]:
    """The sizes at which a model is recorded: a base, then each size changed alone, then all.

    >>> recording_sizes(["time", "batch"])
    [{'time': 3, 'batch': 4}, {'time': 5, 'batch': 4}, {'time': 3, 'batch': 7}, \
{'time': 6, 'batch': 9}]
    """
    first = {name: _FIRST + k for k, name in enumerate(names)}
    alone = [{**first, name: first[name] + _STEP + k} for k, name in enumerate(names)]
    last = {name: first[name] + 3 + 2 * k for k, name in enumerate(names)}
    return [first, *alone, last] if names else [first]


def fitted(values: Sequence[Any], sizes: Sequence[Mapping[str, int]]) -> Any:
    """`values[k]` at `sizes[k]` in general: the number itself, a `Size`, or None.

    >>> sizes = recording_sizes(["time", "batch"])
    >>> str(fitted([12, 20, 21, 54], sizes)), fitted([7, 7, 7, 7], sizes)
    ('time*batch', 7)
    >>> fitted([3, 9, 3, 3], sizes)
    """
    if all(value == values[0] for value in values):
        return values[0]
    if any(value != int(value) for value in values):
        return None
    names = [*sizes[0]]
    varies = [n for k, n in enumerate(names, 1) if values[k] != values[0]]
    slopes = {
        name: Fraction(int(values[k]) - int(values[0]), sizes[k][name] - sizes[0][name])
        for k, name in enumerate(names, 1)
    }
    offset = values[0] - sum(slopes[name] * sizes[0][name] for name in varies)
    product = Fraction(int(values[0]), prod(sizes[0][name] for name in varies))
    for terms in (
        [(product, tuple(varies))],
        [*((slopes[name], (name,)) for name in varies), *([(offset, ())] if offset else [])],
    ):
        if all(factor.denominator == 1 for factor, _ in terms):
            found = Size(tuple((int(factor), of) for factor, of in terms))
            if all(found(at) == value for at, value in zip(sizes, values, strict=True)):
                return found
    return None


def evaluated(x: Any, sizes: Sizes) -> Any:
    """An attribute with numbers in place of its sizes."""
    if isinstance(x, Size):
        return x(sizes)
    if isinstance(x, slice):
        return slice(*(evaluated(part, sizes) for part in (x.start, x.stop, x.step)))
    if type(x) in (tuple, list):
        return type(x)(evaluated(part, sizes) for part in x)
    return x
