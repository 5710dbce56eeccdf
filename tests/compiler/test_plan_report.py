"""The report on a plan: what it counts, which line it blames, and that it does not compute."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn


class Leaky(nn.Cell):
    """A cell whose costs are easy to count by hand."""

    def __init__(self, input_size: int = 3, hidden_size: int = 4) -> None:
        self.hidden_size = hidden_size
        self.weight = nn.Parameter(np.ones((input_size, hidden_size), np.float32))
        self.back = nn.Parameter(np.ones((hidden_size, hidden_size), np.float32))

    def forward(self, x, h):
        seen = (x @ self.weight).named("seen")
        kept = (h @ self.back).named("kept")
        return tg.tanh(seen + kept).named("h")


def line_of(text: str) -> str:
    """`file.py:12` of the line of `Leaky` with that text."""
    lines, first = inspect.getsourcelines(Leaky)
    number = next(k for k, line in enumerate(lines, first) if text in line)
    return f"{inspect.getsourcefile(Leaky)}:{number}"


B, T = 2, 10


@pytest.fixture
def plan():
    return Leaky().plan(B, T, input_size=3)


def test_operations_are_those_counted_by_hand(plan) -> None:
    assert plan.total("forward", "before").flops == T * B * (2 * 3 * 4)  # x @ weight
    assert plan.total("forward", "loop").flops == T * B * (2 * 4 * 4 + 4 + 4)  # h @ back, +, tanh
    products = [x for x in plan.lines if x.direction == "backward" and "product" in x.call]
    assert sorted(x.cost.flops for x in products) == [T * B * 2 * 3 * 4, T * B * 2 * 4 * 4]


def test_bytes_are_those_read_and_written(plan) -> None:
    (seen,) = [x for x in plan.lines if x.name == "seen"]
    assert seen.cost.bytes == 4 * (T * B * 3 + 3 * 4 + T * B * 4)  # the weights are read once
    (kept,) = [x for x in plan.lines if x.name == "kept"]
    assert kept.cost.bytes == 4 * T * (B * 4 + 4 * 4 + B * 4)  # and in the loop at each step


def test_every_line_of_the_cell_gets_its_own_cost(plan) -> None:
    seen, kept, h = (line_of(text) for text in ("x @ self.weight", "h @ self.back", "tg.tanh"))
    costs = plan.by_source()
    assert set(costs) - {""} == {seen, kept, h}
    assert costs[seen]["forward"].flops == T * B * 2 * 3 * 4
    assert "loop" not in costs[seen]
    assert costs[kept]["loop"].flops == 2 * T * B * 2 * 4 * 4  # forward and backward
    assert costs[kept]["backward"].flops == 2 * T * B * 2 * 4 * 4  # of the state, of the weights


def test_the_lines_add_up_to_the_total() -> None:
    for cell in (nn.LSTMCell(3, 4), nn.GRUCell(3, 4), Leaky()):
        plan = cell.plan(input_size=3, lengths=True)
        by_source = [costs.get(d) for costs in plan.by_source().values()
                     for d in ("forward", "backward")]  # fmt: skip
        total = sum(cost.flops for cost in by_source if cost is not None)
        assert total == pytest.approx(plan.total().flops, rel=0.01)  # shares are rounded down


def test_the_tables_show_names_and_source(plan) -> None:
    text = str(plan)
    assert "seen = matmul(x, weight)" in text
    assert "h = tanh(" in text
    assert re.search(r"test_plan_report\.py:\d+ +seen = \(x", text)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("in the loop, step by step") == 2


def test_costs_grow_with_steps_and_batch() -> None:
    small, long, wide = (
        nn.GRUCell(3, 4).plan(batch, steps).total(stage="loop").flops
        for batch, steps in ((1, 10), (1, 30), (5, 10))
    )
    assert long == 3 * small and wide == 5 * small


def test_no_gradient_of_the_input_means_less_work() -> None:
    cell = nn.LSTMCell(8, 16)
    less, more = (cell.plan(input_gradient=g).total("backward").flops for g in (False, True))
    assert less < more


def test_a_plan_draws_no_random_numbers_and_leaves_the_cell_alone() -> None:
    cell = nn.GRUCell(3, 4)
    before = {name: array.copy() for name, array in cell.state_dict().items()}
    tg.manual_seed(1)
    expected = tg.rand(3).data
    tg.manual_seed(1)
    cell.plan()
    np.testing.assert_array_equal(tg.rand(3).data, expected)
    for name, array in cell.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


class Branching(Leaky):
    def forward(self, x, h):
        return h if float(x.sum()) > 0 else h * 2


def test_what_cannot_be_planned_says_why() -> None:
    with pytest.raises(ValueError, match="Leaky has no attribute input_size"):
        Leaky().plan()
    with pytest.raises(ValueError, match=r"Branching has no plan.*test_plan_report\.py:\d+"):
        Branching().plan(input_size=3)
    with pytest.raises(ValueError, match="1 step"):
        nn.RNNCell(3, 4).plan(steps=0)


def test_source_is_of_the_call_that_is_asked_for() -> None:
    layer = nn.LSTM(3, 4, bidirectional=True)
    assert layer.source() == ""
    small = layer.source(tg.zeros(2, 1, 3, requires_grad=True))
    assert re.findall(r"# (\w+): LSTMCell on x \(1, 3\), (\w+)", small) == [
        ("l0", "forward"), ("l0", "backward"), ("l0_reverse", "forward"),
        ("l0_reverse", "backward"),
    ]  # fmt: skip
    layer.source(tg.zeros(2, 5, 3, requires_grad=True))
    assert len(layer.source()) > 1.9 * len(small)
    assert layer.source(tg.zeros(7, 1, 3, requires_grad=True)) == small
    assert "forget_gate" in small
    for text in re.split(r"^# l0.*\n", small, flags=re.M)[1:]:
        compile(text, "generated", "exec")


def test_the_passes_fit_80_columns_and_leave_nothing_out() -> None:
    text = nn.LSTMCell(32, 64).plan(batch_size=16, steps=10, passes=True).passes
    assert max(map(len, text.splitlines())) <= 80
    long = r"(?m)^\+ +\S.*,\n\+ +\S.*\) +16x256 float32  lstm.py:54,55,57$"  # each line is marked
    assert re.search(long, text)
    assert "concatenate(subtract 5, subtract 4, subtract 3, subtract 2) 16x256" in " ".join(
        text.split()
    )
