"""The same training from several seeds: mean and spread of its final results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..ops import manual_seed

__all__ = ["Spread", "over_seeds"]


@dataclass(frozen=True)
class Spread:
    """A number measured from several seeds: its `values`, `mean` and standard deviation `std`.

    `std` is that of a sample, with n - 1 in the denominator; NaN for a single seed.

    >>> accuracy = Spread((0.80, 0.82, 0.81))
    >>> print(accuracy)
    0.810 ± 0.010
    >>> f"{accuracy:.2%}"
    '81.00% ± 1.00%'
    >>> print(Spread((0.80,)))
    0.800
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def std(self) -> float:
        """The standard deviation of a sample."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan

    def __format__(self, spec: str) -> str:
        spec = spec or ".3f"
        spread = f" ± {self.std:{spec}}" if len(self.values) > 1 else ""
        return f"{self.mean:{spec}}{spread}"

    def __str__(self) -> str:
        return format(self)


def over_seeds(
    experiment: Callable[[int], Mapping[str, float]], seeds: int | Iterable[int] = 3
) -> dict[str, Spread]:
    """Call `experiment(seed)` for each seed; the mean and spread of every number it returns.

    `seeds`: the seeds, or their number, counted from 0. `tg.manual_seed(seed)` is called before
    each experiment; pass the seed to everything else that is random, such as the order of the data
    and the split. ValueError if the names of the numbers differ from seed to seed.

    >>> import tinygrad_rnn as tg
    >>> found = over_seeds(lambda seed: {"first draw": tg.rand(1).item()}, seeds=3)
    >>> len(set(found["first draw"].values))
    3
    """
    rows = []
    for seed in range(seeds) if isinstance(seeds, int) else seeds:
        manual_seed(seed)
        rows.append(dict(experiment(seed)))
        if rows[-1].keys() != rows[0].keys():
            raise ValueError(f"seed {seed} gave {list(rows[-1])}, the first one {list(rows[0])}")
    if not rows:
        raise ValueError("there are no seeds: at least one is needed")
    return {name: Spread(tuple(float(row[name]) for row in rows)) for name in rows[0]}
