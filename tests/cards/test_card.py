"""A card: one page with nothing to load, for cells of any kind, and what is said of wrong ones."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.cards.formal import laws_section
from tinygrad_rnn.cards.measured import speed
from tinygrad_rnn.cards.measured.curves import curves
from tinygrad_rnn.compiler.backends.executor import executing_on
from tinygrad_rnn.data.tasks import adding

FORMAL = ["equations", "structure", "pictures"]
SHORT = partial(adding, steps=5, batches=3, batch_size=4)


def page_of(cell: nn.Cell, **options: object) -> str:
    return tg.card(cell, only=FORMAL, **options).html()


@pytest.mark.parametrize(
    "cell",
    [nn.LSTMCell(3, 4), tg.cells.MinGRUCell(3, 4), tg.cells.ConvLSTMCell(1, 2, (4, 4))],
    ids=lambda cell: type(cell).__name__,
)
def test_the_page_needs_no_network_and_its_links_lead_somewhere(cell) -> None:
    page = page_of(cell)
    assert page.startswith("<!DOCTYPE html>") and "<math" in page and "<svg" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) - ids == set()
    assert len(re.findall(r'\bid="means-', page)) >= 5


def test_structure_says_what_follows() -> None:
    affine, dense = page_of(tg.cells.MinGRUCell(3, 4)), page_of(nn.LSTMCell(3, 4))
    assert "in parallel over time" in affine and "No loop over time is needed" in affine
    assert "The Jacobian of the step is dense" in dense and "one after another" in dense


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
def test_structure_does_not_depend_on_where_a_backend_computes_something(executor) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite")
    with executing_on(executor):
        page = page_of(nn.LSTMCell(4, 16))
    assert "80% of the arithmetic of a forward pass must run in the loop" in page


class Letters(nn.Cell):
    """Reads indices, which it embeds."""

    def __init__(self, hidden_size):
        self.hidden_size, self.letter = hidden_size, nn.Embedding(5, 4)
        self.mix = nn.Linear(4 + hidden_size, hidden_size)

    def forward(self, x, h):
        return tg.tanh(self.mix(tg.concatenate([self.letter(x[:, 0]), h], axis=-1)))


def test_a_cell_that_reads_indices_has_a_plan() -> None:
    found = tg.card(Letters(6), inputs=range(5), only=["structure"])
    assert found.plan is not None and "The Jacobian of the step is dense" in found.html()
    assert found.equations.error < 1e-5
    plan = Letters(6).plan(input_size=1, input_dtype="int64")
    assert plan.total("backward").flops > 0
    with pytest.raises(TypeError, match="integer indices"):
        Letters(6).plan(input_size=1)


class Delayed(nn.Cell):
    """Sees the input of the step before."""

    def __init__(self, input_size):
        self.input_size = input_size

    def initial_state(self, batch_size):
        return self.zeros(batch_size, self.input_size)

    def step(self, x, before):
        return x - before, x


def test_a_delayed_input_is_told() -> None:
    page = page_of(Delayed(3))
    assert "an input kept for the next step" in page and "No loop over time is needed" in page


def test_numbers_are_those_of_the_cell() -> None:
    found = tg.card(nn.LSTMCell(3, 4), only=[])
    assert "<b>144</b>" in found.head and "<b>8</b>" in found.head
    assert found.plan is not None
    assert f"<b>{found.plan.total('forward').flops / 100:,.0f}</b>" in found.head


def test_a_law_that_does_not_hold_is_on_the_page() -> None:
    class Cut(nn.RNNCell):
        def forward(self, x, h):
            return super().forward(x, h.detach())

    with pytest.raises(tg.testing.CellError) as broken:
        tg.testing.check_cell(Cut, input_size=1, hidden_size=2, only=["repeat", "far"])
    page = laws_section(broken.value.report).html()
    assert 'class="verdict bad">BROKEN' in page and 'class="verdict ok">holds' in page


def test_a_notebook_shows_the_page_in_a_frame_of_its_own() -> None:
    shown = tg.card(nn.RNNCell(2, 3), only=["equations"])._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "<math" not in shown


def test_text_of_the_author_is_escaped() -> None:
    class Odd(nn.RNNCell):
        """Is <b>bold</b>."""

        def forward(self, x, h):
            return super().forward(x, h).named("<script>")

    page = page_of(Odd(2, 3))
    assert "<script>alert" not in page and "&lt;script&gt;" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_what_is_wrong_is_said(tmp_path) -> None:
    with pytest.raises(TypeError, match=r"pass an instance, LSTMCell\(...\)"):
        tg.card(nn.LSTMCell)
    with pytest.raises(ValueError, match="no part 'speeed'; it has equations"):
        tg.card(nn.RNNCell(2, 3), only=["speeed"])
    with pytest.raises(TypeError, match="gap"):
        tg.card(nn.RNNCell(2, 3), step_inputs={"gap": (1,)})
    with pytest.raises(ValueError, match=r"should end in .html"):
        tg.card(nn.RNNCell(2, 3), only=[]).save(tmp_path / "card.pdf")

    class NoSize(nn.Cell):
        def initial_state(self, batch_size):
            return tg.zeros(batch_size, 2)

        def forward(self, x, h):
            return h + x

    with pytest.raises(TypeError, match="input_size"):
        tg.card(NoSize())
    assert "input_shape" not in page_of(NoSize(), input_shape=(2,))


def test_what_a_broken_cell_raises_passes_through() -> None:
    class Broken(nn.RNNCell):
        def forward(self, x, h):
            return h @ x

    with pytest.raises(ValueError, match="matmul"):
        tg.card(Broken(2, 3))


def test_the_gradient_is_measured_before_and_after_training() -> None:
    cell = tg.cells.MinGRUCell(4, 3)
    before = {name: array.copy() for name, array in cell.state_dict().items()}
    parts = ["gradient", "learning"]
    found = tg.card(cell, only=parts, quick=True, task=SHORT)
    first, last = found.dynamics
    assert [first.case.name, last.case.name] == ["at initialisation", "trained"]
    assert not np.allclose(first.case.cell.weight_ih.data, last.case.cell.weight_ih.data)
    assert first.horizon.kept.shape == (51,) and first.spectrum.exponents.shape == (3,)
    again = tg.analysis.memory_horizon(first.case.cell, first.case.x)
    np.testing.assert_allclose(again.kept, first.horizon.kept)
    page = found.html()
    for words in ("Memory horizon", "Lyapunov", "10% is kept", "a guess", "LSTMCell", "adding"):
        assert words in page
    for name, array in cell.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_a_cell_that_fits_no_task_is_measured_as_it_is() -> None:
    found = tg.card(Delayed(3), only=["gradient", "learning"], quick=True, task=SHORT)
    assert found.dynamics[0].case.name == "at initialisation"
    assert found.dynamics[0].horizon.kept[:3].tolist() == [1.0, 0.0, 0.0]
    shown = tg.card(Letters(4), inputs=range(5), only=["gradient", "learning"], quick=True)
    assert [d.case.name for d in shown.dynamics] == ["as it is"]
    assert "takes no input_size, so it fits no task" in shown.html()


def test_a_state_without_floating_numbers_has_no_gradient() -> None:
    class Counts(nn.Cell):
        input_size = 1

        def initial_state(self, batch_size):
            return tg.zeros(batch_size, 1, dtype="int64")

        def step(self, x, state):
            return x * 1.0, state + 1

    page = tg.card(Counts(), only=["gradient"], quick=True).html()
    assert "Not measured: memory_horizon: the state of Counts has no floating" in page


def test_speed_is_told_beside_an_lstm(monkeypatch) -> None:
    monkeypatch.setattr(speed, "SIZES", (2, 3))
    monkeypatch.setattr(speed, "available", lambda: ["numpy", "jax"])
    page = tg.card(nn.GRUCell(4, 3), only=["speed"], quick=True).html()
    assert "GRUCell, 2 units" in page and "LSTM, 3 units" in page and "times an LSTM" in page
    assert "JAX" not in page.partition("<table")[2].partition("</table")[0]


def test_a_logarithmic_axis_is_for_more_than_one_power_of_ten() -> None:
    (few,) = curves("loss", {"cell": [0.16, 0.15, 0.14]}, log=True).panels
    low, high = few.y(0.14), few.y(0.16)
    assert low - high > 0.8 * (few.bottom - few.top)
    (many,) = curves("loss", {"cell": [1.0, 0.1, 0.01]}, log=True).panels
    assert many.y(0.1) - many.y(1.0) == pytest.approx(many.y(0.01) - many.y(0.1))
