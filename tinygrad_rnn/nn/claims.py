"""Properties that a paper claims of its cell, declared with the cell and checked as laws.

    class MinGRUCell(Cell):
        claims = Affine(), Diagonal()

`testing.check_cell` checks each claim as it does its own laws: with parameters far from their
initial values, on inputs and states of many magnitudes. A claim of your own is any object with
`name`, `says` and `counterexample`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Step = Callable[[Array, list[Array]], list[Array]]

__all__ = [
    "Affine",
    "Bounded",
    "Carousel",
    "Claim",
    "Diagonal",
    "Fading",
    "NonExpanding",
    "Undamped",
    "VolumePreserving",
]

_TOLERANCE = 1e-9
_NUDGE = 1e-6
"""Half of what a central difference moves a state by: its error is then about 1e-10."""


class Claim(Protocol):
    """A property that every step of a cell has.

    >>> import tinygrad_rnn as tg
    >>> [claim.name for claim in tg.cells.UnICORNNCell.claims]
    ['volume', 'diagonal']
    """

    @property
    def name(self) -> str:
        """One or two words, for the table of laws and `except_for`."""

    @property
    def says(self) -> str:
        """The claim in one sentence."""

    def counterexample(self, step: Step, xs: Array, state: list[Array]) -> str | None:
        """What violates the claim, or None.

        `step(x_t, leaves)`: the leaves of the next state, in float64. `xs`: inputs (T, B, ...);
        `state`: the leaves (B, ...) of a state that the cell can reach.
        """


def _leaves(leaf: int | None, state: list[Array]) -> list[int]:
    return list(range(len(state))) if leaf is None else [leaf]


def _of(leaf: int | None) -> str:
    return "the state" if leaf is None else f"leaf {leaf} of the state"


@dataclass(frozen=True)
class Bounded:
    """A state that starts between `low` and `high` stays there, whatever the input.

    `leaf`: the index of a leaf of the state; None: all leaves.

    >>> Bounded(-1, 1).says
    'the state stays between -1 and 1'
    """

    low: float
    high: float
    leaf: int | None = None

    name = "bounded"

    @property
    def says(self) -> str:
        """The claim in one sentence."""
        return f"{_of(self.leaf)} stays between {self.low:g} and {self.high:g}"

    def counterexample(self, step: Step, xs: Array, state: list[Array]) -> str | None:
        """A step that leaves the interval, from anywhere in it."""
        rng = np.random.default_rng(0)
        low, high = max(self.low, -1e3), min(self.high, 1e3)
        chosen = _leaves(self.leaf, state)
        state = [rng.uniform(low, high, a.shape) if i in chosen else a for i, a in enumerate(state)]
        for t, x in enumerate(xs):
            state = step(x, state)
            for i in chosen:
                least, most = state[i].min(), state[i].max()
                if not (self.low - _TOLERANCE <= least and most <= self.high + _TOLERANCE):
                    return f"after step {t}, leaf {i} reaches from {least:.6g} to {most:.6g}"
        return None


@dataclass(frozen=True)
class Affine:
    """The next state is A s + b, where A and b depend on the input alone.

    With `leaf`, only that leaf, with the others held fixed: an LSTM's c_t is affine in c_{t-1}.

    >>> Affine(leaf=1).says
    'the next leaf 1 of the state is affine in it'
    """

    leaf: int | None = None

    name = "affine"

    @property
    def says(self) -> str:
        """The claim in one sentence."""
        return f"the next {_of(self.leaf).removeprefix('the ')} is affine in it"

    def counterexample(self, step: Step, xs: Array, state: list[Array]) -> str | None:
        """A direction along which the second difference is not zero."""
        rng = np.random.default_rng(0)
        chosen = _leaves(self.leaf, state)
        for scale in (0.5, 3.0):
            way = [
                scale * rng.standard_normal(a.shape) if i in chosen else np.zeros_like(a)
                for i, a in enumerate(state)
            ]
            before = step(xs[0], [a - d for a, d in zip(state, way)])
            here = step(xs[0], state)
            after = step(xs[0], [a + d for a, d in zip(state, way)])
            for i in chosen:
                bend = np.abs(before[i] + after[i] - 2 * here[i]).max()
                if not bend <= _TOLERANCE * (1 + np.abs(here[i]).max()):
                    return f"leaf {i} of the next state: f(s - d) + f(s + d) - 2 f(s) is {bend:.3g}"
        return None


def _jacobians(step: Step, x: Array, state: list[Array], chosen: list[int]) -> Iterator[Array]:
    """For each row of the batch, d(next) / d(now) of the chosen leaves, flattened and joined."""
    sizes = [state[i][0].size for i in chosen]
    rows = len(x)

    def flat(leaves: list[Array]) -> Array:
        return np.concatenate([leaves[i].reshape(rows, -1) for i in chosen], axis=1)

    columns = []
    for i, size in zip(chosen, sizes):
        for unit in range(size):
            ends = []
            for sign in (1, -1):
                moved = [np.array(leaf) for leaf in state]
                moved[i].reshape(rows, -1)[:, unit] += sign * _NUDGE
                ends.append(flat(step(x, moved)))
            columns.append((ends[0] - ends[1]) / (2 * _NUDGE))
    stacked = np.stack(columns, axis=-1)  # (B, next, now)
    yield from stacked


@dataclass(frozen=True)
class Diagonal:
    """Each unit's next state depends on its own state alone, not on those of other units.

    With `leaf`, only units of that leaf; they may depend on all other leaves.

    >>> Diagonal().says
    'each unit of the next state sees the state of its own unit alone'
    """

    leaf: int | None = None

    name = "diagonal"

    @property
    def says(self) -> str:
        """The claim in one sentence."""
        return f"each unit of the next {'state' if self.leaf is None else f'leaf {self.leaf}'} " + (
            "sees the state of its own unit alone"
        )

    def counterexample(self, step: Step, xs: Array, state: list[Array]) -> str | None:
        """Two units, one of which depends on the other's state."""
        chosen = _leaves(self.leaf, state)
        here = step(xs[0], state)
        units = state[chosen[0]].shape[-1]
        for unit in range(units):
            moved = [np.array(leaf) for leaf in state]
            for i in chosen:
                moved[i][..., unit] += 1.0
            after = step(xs[0], moved)
            for i in chosen:
                change = np.abs(after[i] - here[i]).reshape(-1, units).max(axis=0)
                change[unit] = 0.0
                if change.max() > 0.0:
                    return f"unit {change.argmax()} of leaf {i} changes with unit {unit}"
        return None


@dataclass(frozen=True)
class Carousel:
    """The constant error carousel: a leaf's derivative by its own previous value is one.

    >>> Carousel(leaf=1).says
    'an error flows back along leaf 1 of the state unchanged'
    """

    leaf: int

    name = "carousel"

    @property
    def says(self) -> str:
        """The claim in one sentence."""
        return f"an error flows back along {_of(self.leaf)} unchanged"

    def counterexample(self, step: Step, xs: Array, state: list[Array]) -> str | None:
        """A Jacobian that is not the identity."""
        for found in _jacobians(step, xs[0], state, [self.leaf]):
            off = np.abs(found - np.eye(len(found))).max()
            if not off <= 1e-7:
                return f"its Jacobian is {off:.3g} away from the identity"
        return None


@dataclass(frozen=True)
class NonExpanding:
    """A step never increases the distance between two states, so no gradient grows on its way back.

    >>> NonExpanding().says
    'no singular value of the Jacobian of a step exceeds 1'
    """

    name = "non-expanding"
    says = "no singular value of the Jacobian of a step exceeds 1"

    def counterexample(self, step: Step, xs: Array, state: list[Array]) -> str | None:
        """A singular value above one."""
        for found in _jacobians(step, xs[0], state, _leaves(None, state)):
            largest = np.linalg.svd(found, compute_uv=False).max()
            if not largest <= 1 + 1e-6:
                return f"a singular value is {largest:.8g}"
        return None


@dataclass(frozen=True)
class VolumePreserving:
    """The Jacobian of a step has determinant one: a step preserves the volume of the state space.

    >>> VolumePreserving().says
    'the Jacobian of a step has determinant 1'
    """

    name = "volume"
    says = "the Jacobian of a step has determinant 1"

    def counterexample(self, step: Step, xs: Array, state: list[Array]) -> str | None:
        """A determinant that is not one."""
        for found in _jacobians(step, xs[0], state, _leaves(None, state)):
            determinant = np.linalg.det(found)
            if not abs(determinant - 1) <= 1e-6:
                return f"a determinant is {determinant:.8g}"
        return None


@dataclass(frozen=True)
class Undamped:
    """A step is the identity plus a rotation: its Jacobian's eigenvalues have real part one.

    >>> Undamped().says
    'eigenvalues of the Jacobian of a step have real part 1'
    """

    name = "undamped"
    says = "eigenvalues of the Jacobian of a step have real part 1"

    def counterexample(self, step: Step, xs: Array, state: list[Array]) -> str | None:
        """An eigenvalue whose real part is not one."""
        for found in _jacobians(step, xs[0], state, _leaves(None, state)):
            real = np.linalg.eigvals(found).real
            worst = real[np.abs(real - 1).argmax()]
            if not abs(worst - 1) <= 1e-6:
                return f"an eigenvalue has real part {worst:.8g}"
        return None


@dataclass(frozen=True)
class Fading:
    """Without input, every unit of the state decays towards zero at every step.

    >>> Fading().says
    'without input each unit of the state moves towards 0'
    """

    name = "fading"
    says = "without input each unit of the state moves towards 0"

    def counterexample(self, step: Step, xs: Array, state: list[Array]) -> str | None:
        """A unit that a step does not bring closer to zero."""
        for t, x in enumerate(xs):
            new = step(np.zeros_like(x), state)
            for i, (before, after) in enumerate(zip(state, new)):
                if not (np.abs(after) <= np.abs(before)).all():
                    return f"at step {t} a unit of leaf {i} moves away from 0"
            state = new
        return None
