"""Scan: a step function, its arguments and the options, ready to be run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import pytree
from ..engine.tensor import Tensor
from .backends.executor import get_executor
from .observation import ObservedRun, observer_of
from .observed_step import ObservedStep
from .runtime.unrolled import valid_steps
from .step_function import FlatStep, StepFunction

__all__ = ["Scan"]


class Scan:
    """A scan to be run: the function, its arguments and the options."""

    def __init__(
        self,
        function: StepFunction,
        carry: Any,
        xs: Any,
        length: int,
        reverse: bool = False,
        lengths: Any = None,
        checkpoint: int | str | None = None,
        first_step: int = 0,
        executor: str | None = None,
        truncate: int | None = None,
    ) -> None:
        self.function = function
        carry_leaves, carry_structure = pytree.flatten(carry)
        x_leaves, x_structure = pytree.flatten(xs)
        step = function, carry_structure, x_structure, len(carry_leaves), len(x_leaves)
        self.step = FlatStep(*step)
        self.observed: ObservedRun | None = None
        self.carry: Sequence[Tensor] = _native(carry_leaves)
        self.valid, self.xs = valid_steps(_native(x_leaves), length, lengths)
        self.length, self.reverse, self.lengths = length, reverse, lengths
        self.checkpoint, self.first_step, self.executor = checkpoint, first_step, executor
        self.truncate = truncate  # for a runner that handles the whole scan; here it runs in blocks
        self.observed_key: Any = None
        observer = observer_of(function.owner)
        if observer is not None:
            self.observed_key = observer.wanted.key
            self.step = ObservedStep(observer.wanted, *step)
            self.observed = ObservedRun(observer, self.step, self.valid, first_step)

    @property
    def order(self) -> Sequence[int]:
        """The steps in running order."""
        return range(self.length)[::-1] if self.reverse else range(self.length)

    def at(self, t: int) -> list[Tensor]:
        """The leaves of x_t and, for padded sequences, the mask."""
        mask = [] if self.valid is None else [Tensor.of(self.valid[t])]
        return [*(x[t] for x in self.xs), *mask]

    def rest(self, carry: Sequence[Tensor], done: int) -> Scan:
        """What remains after that many steps."""
        rest = object.__new__(Scan)
        rest.__dict__.update(vars(self))
        kept = slice(self.length - done) if self.reverse else slice(done, None)
        rest.carry, rest.length = carry, self.length - done
        rest.xs = [x[kept] for x in self.xs]
        rest.valid = None if self.valid is None else self.valid[kept]
        if self.lengths is not None:
            start = 0 if self.reverse else done
            rest.lengths = np.clip(self.lengths - start, 0, rest.length)
        rest.first_step = self.first_step + (0 if self.reverse else done)
        return rest

    def key(self, recording: bool) -> Any:
        """The key of a specialization, in addition to its guards."""
        return (
            str((self.step.carry_structure, self.step.x_structure)),
            tuple([(t._data.shape, t._data.dtype, t.requires_grad, type(t)) for t in self.carry]),
            tuple([(x._data.shape[1:], x._data.dtype, x.requires_grad) for x in self.xs]),
            self.valid is not None,
            self.reverse,
            self.observed_key,
            recording,
            self.executor or get_executor(),
        )


def _native(leaves: Sequence[Tensor]) -> list[Tensor]:
    """The leaves in the byte order of the processor."""
    return [
        t if t._data.dtype.isnative else t.astype(t._data.dtype.newbyteorder("=")) for t in leaves
    ]
