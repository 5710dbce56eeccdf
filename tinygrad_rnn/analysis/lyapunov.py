"""Lyapunov spectrum: the mean rates at which a cell stretches its state in each direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import pytree
from ..directional import jvp
from ..engine.recording.mode import no_grad
from ..nn.recurrent.cell import Cell
from ..nn.recurrent.run import run
from .sequences import flat, floating, sequences, split_like, with_leaves

__all__ = ["LyapunovSpectrum", "lyapunov_spectrum"]

Array = Any


@dataclass(frozen=True, eq=False)
class LyapunovSpectrum:
    """The Lyapunov exponents of a cell, per step; made by `lyapunov_spectrum`.

    `exponents` (m,): natural logarithms, the largest first, means over the rows. `rows` (B, m):
    those of each sequence.

    >>> LyapunovSpectrum(np.array([[0.1, -0.3], [0.3, -0.5]])).exponents
    array([ 0.2, -0.4])
    """

    rows: Array

    @property
    def exponents(self) -> Array:
        """The mean over the rows."""
        return self.rows.mean(axis=0)

    @property
    def dimension(self) -> float:
        """Kaplan and Yorke's: of the set that states settle on; 0 where all exponents are negative.

        It is that of the exponents that were computed: at most their number.

        >>> LyapunovSpectrum(np.array([[0.2, -0.1, -0.4]])).dimension
        2.25
        """
        sums = np.cumsum(self.exponents)
        if not sums.size or sums[0] < 0:
            return 0.0
        below = np.flatnonzero(sums < 0)
        if not below.size:
            return float(len(sums))
        k = int(below[0])
        return float(f"{k + sums[k - 1] / abs(self.exponents[k]):.12g}")


def lyapunov_spectrum(
    cell: Cell,
    x: Any,
    count: int | None = None,
    *,
    state: Any = None,
    inputs: Mapping[str, Any] | None = None,
    constants: Mapping[str, Any] | None = None,
    skip: int | None = None,
    every: int = 1,
    seed: int = 0,
) -> LyapunovSpectrum:
    """The Lyapunov exponents of a cell driven by sequences x (T, B, ...).

    Small changes of the state grow or shrink from step to step as the product of the Jacobians of
    the steps. An orthonormal basis Q of `count` directions (all by default) is carried along: each
    step's Jacobian is applied to it (tangents, forward mode), and the product is factored, J Q =
    Q' R. The exponents are the means over time of log |R_ii|. Where the largest is below 0, the
    state forgets where it came from, and the gradient vanishes at that rate per step; near 0 it is
    kept; above 0 the dynamics are chaotic, and the gradient explodes. An exponent is -inf where
    nothing is handed on.

    `skip`: the first steps, which turn the basis and are not counted; a fifth of T by default.
    `every`: the number of steps between two factorisations. The others as in `memory_horizon`.
    Precision is that of the cell: use float64 for exponents far below 0.

    Engelken, Wolf & Abbott 2020, "Lyapunov spectra of chaotic recurrent neural networks",
    arXiv:2006.02427; Vogt, Puelma Touzel, Shlizerman & Lajoie 2020, "On Lyapunov Exponents for
    RNNs", arXiv:2006.14123; the method: Benettin et al. 1980.

    ValueError if `count`, `skip` or `every` leave nothing to be measured.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> class Scales(tg.nn.Cell):
    ...     hidden_size = 2
    ...     def forward(self, x, h):
    ...         return tg.tensor([0.9, 0.5], dtype="float64") * h + x
    >>> found = lyapunov_spectrum(Scales(), np.zeros((60, 1, 2)), skip=40)
    >>> np.exp(found.exponents).round(6)
    array([0.9, 0.5])
    """
    given = sequences("lyapunov_spectrum", cell, x, state, inputs, constants)
    leaves = floating(given.state)
    size = sum(leaf[0].size for leaf in leaves)
    count = size if count is None else count
    skip = given.steps // 5 if skip is None else skip
    if not 1 <= count <= size:
        raise ValueError(f"the state has {size} directions: count is from 1 to that, not {count}")
    if every < 1 or not 0 <= skip <= given.steps - every:
        raise ValueError(
            f"lyapunov_spectrum: of {given.steps} steps {skip} are skipped, and {every} are taken "
            "between two factorisations: nothing is left"
        )
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((given.rows, size, count)))
    logs, steps, now = np.zeros((given.rows, count)), 0, given.state
    with no_grad(), np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        for first in range(0, given.steps - every + 1, every):
            at = slice(first, first + every)
            part = pytree.map(lambda leaf, at=at: leaf[at], (given.x, given.inputs))

            def stepped(*leaves: Any, now: Any = now, part: Any = part) -> Any:
                before = with_leaves(now, list(leaves))
                return run(cell, part[0], before, part[1], given.constants)[1]

            tangents = split_like(np.moveaxis(basis, -1, 0), floating(now))
            now, moved = jvp(stepped, tuple(floating(now)), tuple(tangents))
            product = np.moveaxis(flat(floating(moved), axes=2), 0, -1).astype(np.float64)
            basis, r = np.linalg.qr(np.nan_to_num(product))
            if first >= skip:
                logs += np.log(np.abs(np.diagonal(r, axis1=-2, axis2=-1)))
                steps += every
    found = -np.sort(-logs / steps, axis=-1)
    return LyapunovSpectrum(found)
