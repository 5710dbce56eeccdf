"""Means over the batches of an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..engine.tensor import Tensor

__all__ = ["Means", "measured"]

Weighted = Mapping[str, tuple[float, float]]  # metric: (value, weight)


@dataclass
class Means:
    """Weighted sums of metrics by name, their total weights, and the batches and seconds taken.

    >>> means = Means()
    >>> means.add({"loss": (1.0, 3)})
    >>> means.add({"loss": (2.0, 1)})
    >>> means.values()
    {'loss': 1.25}
    """

    sums: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    batches: int = 0
    seconds: float = 0.0

    def add(self, metrics: Weighted) -> None:
        """Add the metrics of one batch."""
        self.batches += 1
        for name, (value, weight) in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * weight
            self.weights[name] = self.weights.get(name, 0.0) + weight

    def values(self) -> dict[str, float]:
        """The mean of each metric; NaN for one whose weights sum to 0."""
        return {
            name: total / self.weights[name] if self.weights[name] else math.nan
            for name, total in self.sums.items()
        }


def measured(
    loss: Callable[[Any, Any], Any], model: Any, batch: Any
) -> tuple[Tensor, dict[str, tuple[float, float]]]:
    """What `loss` returned: the Tensor to minimise, and each metric with its weight.

    TypeError or ValueError if `fit` cannot use it.
    """
    returned = loss(model, batch)
    value, metrics = returned if isinstance(returned, tuple) else (returned, {})
    if not isinstance(value, Tensor):
        raise TypeError(
            f"loss(model, batch) returned {type(value).__name__}, but must return a Tensor, or a "
            "Tensor and a dict of metrics"
        )
    if value.size != 1:
        raise ValueError(
            f"loss(model, batch) returned a Tensor of shape {value.shape}, but what is minimised "
            "is one number: take its mean()"
        )
    if not isinstance(metrics, Mapping):
        raise TypeError(
            f"beside the loss came {type(metrics).__name__}, but must come a dict of metrics"
        )
    weight = float(getattr(batch, "weight", 1.0))
    weighted = {"loss": (value.item(), weight)}
    for name, metric in metrics.items():
        number, counts = metric if isinstance(metric, tuple) else (metric, weight)
        try:
            weighted[name] = (float(number), float(counts))
        except (TypeError, ValueError):
            raise TypeError(
                f"metric {name!r} is {type(number).__name__}, but must be a number, or a pair of "
                "a number and its weight"
            ) from None
    return value, weighted
