"""A scan gives the numbers of the unrolled run: random programs as steps, random options."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

random_cells = runpy.run_path(str(Path(__file__).parents[1] / "random_cells.py"))
programs, WIDTH = random_cells["programs"], random_cells["WIDTH"]

quick = settings(
    max_examples=settings().max_examples * 120 // 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@quick
@given(programs(), st.data())
def test_any_program_as_a_step(scans, cell, data) -> None:
    compare_both_ways(scans, cell, data)


@quick
@given(programs(), st.data())
def test_any_program_on_rows_that_go_on(scans, shrinking, cell, data) -> None:
    compare_both_ways(scans, cell, data, most_rows=8)


def compare_both_ways(scans, cell, data, most_rows: int = 3) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    steps, batch = data.draw(st.integers(1, 5)), data.draw(st.integers(1, most_rows))
    x = rng.standard_normal((steps, batch, WIDTH))
    state = lengths = None
    if data.draw(st.booleans()):
        state = [tuple(rng.standard_normal((batch, WIDTH)) for _ in range(cell.leaves))]
    if data.draw(st.booleans()):
        lengths = data.draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    frozen = data.draw(st.sets(st.sampled_from(["matrix", "vector"])))
    for name in frozen:
        getattr(cell, name).requires_grad = False
    counted = data.draw(st.sets(st.integers(0, cell.leaves), min_size=1))
    scans.both_ways(
        cell.astype("float64"),
        x,
        state,
        lengths,
        weigh=lambda k: k in counted,
        reverse=data.draw(st.booleans()),
        truncate=data.draw(st.none() | st.just(2)),
    )
