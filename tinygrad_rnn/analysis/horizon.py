"""Memory horizon: how many steps back the gradient keeps a given share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ops, pytree
from ..compiler.scan import scan
from ..engine.recording.mode import enable_grad
from ..engine.tensor import Tensor
from ..engine.transforms import grad
from ..nn.recurrent.cell import Cell
from .sequences import floating, sequences

__all__ = ["MemoryHorizon", "memory_horizon"]

Array = Any


@dataclass(frozen=True, eq=False)
class MemoryHorizon:
    """What is left of the gradient after k steps back; made by `memory_horizon`.

    `kept` (T + 1,): kept[k] is the root mean square of the singular values of the Jacobian
    d s_T / d s_{T-k} of the whole state s, over all rows; kept[0] is 1.

    >>> found = MemoryHorizon(np.array([1.0, 0.5, 0.25, 0.05]))
    >>> found.steps(0.1), found.steps(0.01)
    (2, None)
    """

    kept: Array

    def steps(self, share: float) -> int | None:
        """The largest k up to which every kept[j], j <= k, is at least `share`; None if all are.

        None means that the horizon lies beyond the sequence. ValueError unless 0 < share <= 1.
        """
        if not 0 < share <= 1:
            raise ValueError(f"a share of the gradient is more than 0 and at most 1, got {share}")
        below = np.flatnonzero(~(self.kept >= share))
        return int(below[0]) - 1 if below.size else None

    def __repr__(self) -> str:
        beyond = f"more than {len(self.kept) - 1}"
        told = {share: self.steps(share) for share in (0.5, 0.1, 0.01)}
        words = (f"{share:.0%}: {beyond if k is None else k}" for share, k in told.items())
        return f"<memory horizon in steps, {', '.join(words)}>"


def memory_horizon(
    cell: Cell,
    x: Any,
    *,
    state: Any = None,
    inputs: Mapping[str, Any] | None = None,
    constants: Mapping[str, Any] | None = None,
    probes: int = 4,
    seed: int = 0,
) -> MemoryHorizon:
    """How many steps back the gradient of a cell keeps a given share, on sequences x (T, B, ...).

    The gradient of a loss of the last state s_T is multiplied by the Jacobian J_k = d s_T / d
    s_{T-k} on its way to the state k steps earlier. There, a gradient of random direction and norm
    1 has the mean squared norm |J_k|^2 / n, with the Frobenius norm and a state of n numbers. The
    root of this, over all rows, is `kept[k]`; `steps(share)` is how far back it stays at least that
    share. A part of the state that is passed on unchanged, such as a clock, keeps its gradient for
    ever.

    `state`: the state to start from; the cell's initial state by default. `inputs`, `constants`:
    further inputs of a step, (T, B, ...) and (B, ...). The norm is estimated from `probes` random
    directions for each row (Hutchinson 1989), drawn from `seed`. Over all rows of a batch it is
    accurate to a few per cent. All Jacobians come from one scan and its gradient.

    TypeError or ValueError if `cell` is not a cell, or if x does not fit it.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> class Halves(tg.nn.Cell):
    ...     hidden_size = 3
    ...     def forward(self, x, h):
    ...         return 0.5 * h + x
    >>> found = memory_horizon(Halves(), np.zeros((10, 2, 3), "float32"))
    >>> found.kept[:4], found.steps(0.1)
    (array([1.   , 0.5  , 0.25 , 0.125]), 3)
    """
    given = sequences("memory_horizon", cell, x, state, inputs, constants)
    # A tap is added to each state; it is zero, and its gradient is that of the state.
    shape = (given.steps,)
    taps = pytree.map(lambda leaf: Tensor.of(np.zeros(shape + leaf.shape, leaf.dtype)), given.state)
    wanted = floating(taps)
    for tap in wanted:
        tap.requires_grad = True
    constants = given.constants

    def step(state: Any, at: Any) -> tuple[Any, Any]:
        x, inputs, taps = at
        _, new = cell.advance(x, pytree.map(ops.add, state, taps), **inputs, **constants)
        return new, ()

    rng = np.random.default_rng(seed)
    squares = np.zeros(given.steps)
    with enable_grad(), np.errstate(over="ignore", invalid="ignore"):
        final, _ = scan(step, given.state, (given.x, given.inputs, taps), length=given.steps)
        ends = floating(final)
        for _ in range(probes):
            signs = [Tensor.of(rng.choice([-1.0, 1.0], e.shape).astype(e.dtype)) for e in ends]
            total = sum(((e * s).sum() for e, s in zip(ends, signs)), start=ops.zeros(()))
            if not total.requires_grad:  # no state is passed on at all
                break
            found = grad(total, wanted, allow_unused=True, retain_graph=True)
            for g in found:
                if g is not None:
                    axes = tuple(range(1, g.ndim))
                    squares += np.square(g.data.astype(np.float64)).sum(axis=axes)
    numbers = sum(leaf.size for leaf in ends)  # n of each row
    kept = np.sqrt(squares / (probes * numbers))
    return MemoryHorizon(np.concatenate([[1.0], kept[::-1]]))
