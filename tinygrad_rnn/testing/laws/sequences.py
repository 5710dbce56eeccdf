"""Laws about batches and time: single rows, and sequences split, reversed, padded and ragged."""

from __future__ import annotations

import numpy as np

from ..cells.results import Results, first_difference
from ..cells.runs import Batch, Subject
from .execution import directions
from .law import SMALLER, Broken, DoesNotApply, law, require


def _rows_are_apart(subject: Subject) -> None:
    """A batch draws other random numbers than its rows, so results cannot be compared."""
    batch = subject.batch(2, 1)
    first, other = (batch.results(subject.network, seed) for seed in (1, 2))
    if first_difference(first, other) is not None:
        raise DoesNotApply("it draws random numbers")


@law("permuted", "reordering a batch only reorders its results", ((3, 3),), smaller=((1, 2),))
def _permuted(subject: Subject, steps: int, rows: int) -> None:
    _rows_are_apart(subject)
    batch, order = subject.batch(steps, rows), np.roll(np.arange(rows), 1)
    found = batch.rows(order).results(subject.network)
    require(found, batch.results(subject.network).rows(order), "rows rolled by one: ")


@law("rows", "a row of a batch gives the same results alone", ((3, 3),), smaller=((1, 2),))
def _rows(subject: Subject, steps: int, rows: int) -> None:
    _rows_are_apart(subject)
    batch = subject.batch(steps, rows)
    one_by_one = [batch.rows([row]).results(subject.network) for row in range(rows)]
    require(batch.results(subject.network), Results.of_rows(one_by_one), "in the batch, ")


@law(
    "split",
    "a sequence in two parts gives the same results",
    unless=("both ways", "dropout", "truncate"),
)
def _split(subject: Subject, steps: int, rows: int) -> None:
    batch = subject.batch(steps, rows)
    whole = batch.results(subject.network, subject.seed)
    for cut in range(steps + 1):
        parts = slice(0, cut), slice(cut, steps)
        found = batch.results(subject.network, subject.seed, parts=parts)
        require(found, whole, f"split before step {cut}: ")


@law(
    "reverse",
    "reverse=True equals reversing the sequence",
    unless=("both ways", "dropout"),
)
def _reverse(subject: Subject, steps: int, rows: int) -> None:
    batch, back = subject.batch(steps, rows), slice(None, None, -1)
    found = batch.results(subject.network, subject.seed, reverse=True)
    mirrored = batch.steps(back).results(subject.network, subject.seed)
    require(found, mirrored.steps(back), "reverse=True: ")


@law(
    "padding",
    "padding, even NaN, changes no result",
    ((4, 3),),
    unless=("dropout", "blocks from the end"),
    smaller=((1, 1), *SMALLER),
)
def _padding(subject: Subject, steps: int, rows: int) -> None:
    batch = subject.batch(steps, rows)
    alone = batch.results(subject.network, subject.seed)
    for content in batch.paddings:
        for unrolled in (True, False):
            padded = batch.padded(2, content).results(
                subject.network, subject.seed, unrolled=unrolled, lengths=np.full(rows, steps)
            )
            tail = padded.steps(slice(steps, None))
            if tail.outputs.any() or tail.by_x.any():  # NaN counts as well
                raise Broken(f"padded with {content}: outputs or gradients in the padding")
            require(padded.steps(slice(steps)), alone, f"padded with {content}: ")


@law(
    "lengths",
    "rows of any length give the same results alone",
    ((4, 3),),
    unless=("blocks from the end",),
    smaller=((2, 2),),
)
def _lengths(subject: Subject, steps: int, rows: int) -> None:
    _rows_are_apart(subject)
    batch = subject.batch(steps, rows)
    lengths = np.linspace(steps, 0, rows).round().astype(int)
    real = np.arange(steps)[:, None] < lengths
    real = real.reshape(real.shape + (1,) * (batch.x.ndim - 2))
    x = np.where(real, batch.x, batch.paddings[0])
    ragged = Batch(x, batch.state, batch.output_weights, batch.state_weights)
    back = slice(None, None, -1)
    for reverse in directions(subject, steps):
        found = ragged.results(subject.network, lengths=lengths, reverse=reverse)
        one_by_one = []
        for row, length in enumerate(lengths):
            alone = batch.rows([row]).steps(slice(length))
            one = alone.steps(back) if reverse else alone
            result = one.results(subject.network)
            one_by_one.append(result.steps(back) if reverse else result)
        require(found, Results.of_rows(one_by_one), f"lengths {lengths.tolist()}: ")
