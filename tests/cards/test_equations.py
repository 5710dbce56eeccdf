"""The equations of a card: what they say is what the cell computes, for every cell there is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, pytree
from tinygrad_rnn.cards import Equations, equations
from tinygrad_rnn.cards.equations.equations import recovered
from tinygrad_rnn.cards.equations.reading import Value, evaluated

from ..cells.examples import NAMES, example


def of_example(name: str) -> Equations:
    cell, x, state, inputs = example(name)
    given = {key: tg.tensor(value[:1]) for key, value in sorted(inputs.items())}
    return recovered(cell, tg.tensor(x[:1]), pytree.map(tg.tensor, state), given, {})


@pytest.mark.parametrize("name", NAMES)
def test_equations_of_published_cells_read_back_are_the_cell(name) -> None:
    """Against the cell itself, which did not make them: one step, with the same numbers."""
    cell, x, state, inputs = example(name)
    outputs, next_state = of_example(name).evaluate()
    given = {key: tg.tensor(value[0]) for key, value in inputs.items()}
    output, after = cell.advance(tg.tensor(x[0]), pytree.map(tg.tensor, state), **given)
    expected = [output, *pytree.leaves(after)]
    for found, leaf in zip([*outputs, *next_state], expected, strict=True):
        np.testing.assert_allclose(np.broadcast_to(found, leaf.shape), leaf.data, 1e-9, 1e-11)


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_equations_of_the_classical_cells_read_back_are_the_cell(cell) -> None:
    assert equations(cell(3, 4).astype("float64")).error < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_mathml_is_well_formed_and_has_every_line(name) -> None:
    found = of_example(name)
    tree = ElementTree.fromstring(found.mathml())
    assert len(tree.findall("mtable/mtr")) == len(found.lines)


def test_the_equations_of_an_lstm_are_those_of_the_books() -> None:
    found = equations(nn.LSTMCell(3, 4))
    gate = r"\sigma (W_{ih}^{(f)} x_{t} + b_{ih}^{(f)} + W_{hh}^{(f)} h_{t-1} + b_{hh}^{(f)})"
    assert [line.left.latex() for line in found.lines] == [f"{s}_{{t}}" for s in "ifgoch"]
    assert found.lines[1].latex() == f"f_{{t}} = {gate}"
    assert found.lines[1].says == "forget gate"
    assert found.lines[4].latex() == r"c_{t} = f_{t} \odot c_{t-1} + i_{t} \odot g_{t}"
    assert found.lines[5].latex() == r"h_{t} = o_{t} \odot \tanh (c_{t})"


class TwoOutputs(nn.Cell):
    """A step with a further input, an output that is no state, and a branch on nothing."""

    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.inner = nn.Linear(input_size + hidden_size, hidden_size)
        self.rate = nn.Parameter(np.ones(hidden_size))

    def step(self, x, state, dt):
        decayed = (tg.exp(-dt * self.rate) * state).named("decayed")
        new = tg.tanh(self.inner(tg.concatenate([x, decayed], axis=-1)))
        return {"new": new, "old": decayed**2}, new - 2 * decayed


def test_a_cell_with_step_and_a_further_input() -> None:
    found = equations(TwoOutputs(2, 3), step_inputs={"dt": (1,)})
    text = found.latex()
    assert r"\mathrm{decayed}_{t} &= \exp (-" in text or r"\exp (" in text
    assert r"[x_{t}; \mathrm{decayed}_{t}]" in text
    assert {"input x", "input dt", "parameter rate"} <= {m.says for m in found.meanings}
    assert found.error < 1e-6


def test_convolutions_and_normalisation_are_read_off_what_computes_them() -> None:
    images = equations(tg.cells.ConvLSTMCell(1, 2, (4, 4))).latex()
    assert r"\operatorname{conv} (W_{hh}^{(f)}, h_{t-1})" in images and "unfold" not in images
    layer_norm = equations(tg.cells.LayerNormLSTMCell(2, 3)).lines
    assert layer_norm[0].right.latex() == r"W_{hh} h_{t-1} - \operatorname{mean} (W_{hh} h_{t-1})"


def test_a_wrong_equation_is_noticed() -> None:
    found = equations(nn.GRUCell(3, 4).astype("float64"))
    last = found.lines[-1]
    wrong = last._replace(right=found.lines[-2].right)
    object.__setattr__(found, "lines", (*found.lines[:-1], wrong))
    assert found.error > 1e-3


def test_a_branch_on_data_is_said() -> None:
    class Branches(nn.RNNCell):
        def forward(self, x, h):
            return super().forward(x, h) if float(h.data.sum()) > 0 else h

    assert "data" in (equations(Branches(2, 3)).refusal or "")


def test_what_cannot_be_read_is_an_error() -> None:
    x = {"x": Value(np.ones(2))}
    with pytest.raises(ValueError, match="cannot read"):
        evaluated("x +", x, {})
    with pytest.raises(ValueError, match="cannot read"):
        evaluated("y", x, {})
    with pytest.raises(ValueError, match="shapes"):
        evaluated("x x", x, {})


def test_latex_is_balanced_in_every_line() -> None:
    for name in NAMES:
        for line in of_example(name).lines:
            bare = re.sub(r"\\[{}]", "", line.latex())
            assert bare.count("{") == bare.count("}"), (name, line.latex())
