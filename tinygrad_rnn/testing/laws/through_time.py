"""Laws about other gradients through time: each equals backpropagation through all steps.

They apply to a cell, or the cell of a layer, run step by step from its own initial state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.tensor import from_numpy
from ...ops import generator
from ...training.through_time.forward import forward_step
from ...training.through_time.truncated import bptt, tbptt
from ..cells.runs import Subject, seeded
from .law import Broken, DoesNotApply, law

if TYPE_CHECKING:
    from ...engine.tensor import Tensor
    from ...training.through_time.gradient import TimeGradient
    from ..cells.network import Network

_RTOL = 1e-8
_DIRECTIONS = 2


class _Steps:
    """A cell in the form that the functions of `training.through_time` expect."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def __call__(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        return self.network.run(x, state, unrolled=True)

    def parameters(self) -> Iterable[Tensor]:
        found: Iterable[Tensor] = self.network.module.parameters()
        return found


def _exact(subject: Subject, steps: int, rows: int) -> tuple[Any, Tensor, Any, TimeGradient]:
    """The cell, x, a loss that is a sum over steps, and the gradient by backpropagation."""
    network = subject.alone()
    cell: Any = _Steps(network)
    batch = subject.batch(steps, rows, network)
    x, weights = from_numpy(batch.x), batch.output_weights

    def loss(outputs: Tensor, part: slice) -> Tensor:
        total: Tensor = (outputs * weights[part]).sum()
        return total

    if not any(p.requires_grad for p in cell.parameters()):
        raise DoesNotApply("it has no parameters")
    with seeded(subject.seed):
        return cell, x, loss, bptt(cell, x, loss)


def _require_equal(found: Any, expected: Any, what: str) -> None:
    largest = max(float(np.abs(expected).max(initial=0.0)), 1e-3)
    error = np.abs(found - expected)
    if not (error <= _RTOL * largest).all():  # also for NaN
        place = np.unravel_index(np.argmax(error), error.shape)
        raise Broken(f"{what} is {found[place]:.6g}, by backpropagation {expected[place]:.6g}")


@law("truncated", "truncated backpropagation through all steps is exact", ((3, 2),), smaller=())
def _truncated(subject: Subject, steps: int, rows: int) -> None:
    cell, x, loss, exact = _exact(subject, steps, rows)
    with seeded(subject.seed):
        found = tbptt(cell, x, loss, 1, steps)
    names = [name for name, _ in cell.network.module.named_parameters()]
    for name, one, expected in zip(names, found.gradients, exact.gradients, strict=True):
        _require_equal(one, expected, f"the gradient of {name}, carried from step to step,")


@law("forward", "derivatives carried forward in time are exact", ((3, 2),), smaller=())
def _forward(subject: Subject, steps: int, rows: int) -> None:
    cell, x, _, exact = _exact(subject, steps, rows)
    parameters = list(cell.parameters())
    rng = np.random.default_rng(subject.seed)
    directions = [rng.standard_normal((_DIRECTIONS, *p.shape)) for p in parameters]
    weights = subject.batch(steps, rows, cell.network).output_weights
    state: Any = None
    moved: Any = None
    total = np.zeros(_DIRECTIONS)
    with seeded(subject.seed):
        drawn = generator().bit_generator.state
        for t in range(steps):
            _, state, along, moved = forward_step(
                cell, x[t : t + 1], state, moved, parameters, directions
            )
            total += (along.data * weights[t]).reshape(_DIRECTIONS, -1).sum(axis=1)
        if generator().bit_generator.state != drawn:
            raise DoesNotApply("it draws random numbers")
    pairs = zip(directions, exact.gradients, strict=True)
    expected = sum((d * g).reshape(_DIRECTIONS, -1).sum(axis=1) for d, g in pairs)
    _require_equal(total, expected, "the derivative of the outputs along random parameters")
