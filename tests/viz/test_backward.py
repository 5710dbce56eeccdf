"""The backward pass as a graph: its numbers are those of `tg.grad`, its steps look alike."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import defaultdict

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz

from .test_layers import layers, sequence

CELLS = {**layers(), "lstm": nn.LSTM(2, 3)}


def squares(result):
    return (result[0] * result[0]).sum()


def parts(picture):
    """What each step adds to the gradient of each leaf, by the leaf's name."""
    found = defaultdict(list)
    for i in picture.graph.outputs:
        node = picture.graph[i]
        if node.name is not None and node.name.startswith("∂"):
            found[node.name[1:]].append(node.value)
    return found


@pytest.mark.parametrize("passes", ["backward", "both"])
@pytest.mark.parametrize("name", CELLS)
def test_the_parts_at_the_ends_sum_to_the_gradient_that_grad_computes(name, passes):
    layer, x = CELLS[name], sequence(steps=5)
    x.requires_grad_()
    found = parts(viz.bptt(layer, x, squares, passes=passes))
    layer.unroll = True
    for parameter, gradient in zip(
        layer.parameters(), tg.grad(squares(layer(x)), list(layer.parameters()))
    ):
        steps = found[parameter.name]
        assert len(steps) == 5
        whole = sum(steps)  # a layer may use its weight transposed
        ways = [part for part in (whole, whole.T) if part.shape == gradient.shape]
        assert any(np.allclose(way, gradient.data, rtol=1e-4, atol=1e-6) for way in ways)


@pytest.mark.parametrize("level", ["rolled", "modules", "gates", "ops"])
@pytest.mark.parametrize("name", CELLS)
def test_every_level_is_drawn_and_the_same_on_every_run(name, level):
    picture = viz.bptt(CELLS[name], sequence(), level=level, passes="both")
    text = picture.svg()
    ET.fromstring(text)
    again = viz.bptt(CELLS[name], sequence(), level=level, passes="both")
    assert text == again.svg()
    assert re.search(r'class="g\d"', text)


@pytest.mark.parametrize("name", CELLS)
def test_the_steps_between_the_ends_of_time_have_the_same_rows(name):
    picture = viz.bptt(CELLS[name], sequence(steps=6), squares, passes="backward")
    rows = picture.drawing("ops").scene.sheet.unrolled.rows.values()
    inner = [columns for row in rows if (columns := set(row.members) & {2, 3, 4})]
    assert inner and all(columns == {2, 3, 4} for columns in inner)


def test_bands_run_against_time_and_stand_under_those_of_the_forward_pass():
    sheet = viz.bptt(nn.LSTM(2, 3), sequence(), passes="both").drawing("ops").scene.sheet
    assert [(band.paths, band.backward) for band in sheet.bands] == [
        (["LSTM.l0"], False),
        (["∂ LSTM.l0"], True),
    ]


def test_the_norms_drawn_are_those_of_the_gradients():
    u = tg.tensor(np.random.default_rng(0).normal(size=(3, 3)), requires_grad=True).named("U")
    h, states = tg.ones(1, 3, dtype="float64"), []
    for t in range(5):
        with tg.scope("rnn", step=t):
            h = tg.tanh(h @ u).named("h")
        states.append(h)
    expected = [np.linalg.norm(g.data) for g in tg.grad(h.sum(), states, retain_graph=True)]
    (descent,) = viz.draw(h.sum(), passes="backward").drawing("ops").descents
    assert descent.name == "∂h" and descent.norms[1:] == pytest.approx(expected[:-1], rel=1e-12)


def test_forward_values_stand_by_name_with_how_much_earlier_they_were_made():
    text = viz.bptt(nn.LSTM(2, 3), sequence(), passes="backward").svg()
    for name in ("forget gate", "c (t−1)", "h (t−1)", "tanh(c)", "weight_hh_l0"):
        assert f">{name}</text>" in text
    assert "transpose" not in text


def test_the_loss_attaches_where_its_gradient_enters():
    last = viz.bptt(nn.GRU(2, 3), sequence(), passes="backward").svg()
    assert last.count(">∂h</text>") >= 1
    model = viz.draw(tg.tanh(tg.ones(2).requires_grad_().named("x")).sum(), passes="backward")
    assert ">∂L</text>" in model.svg()


def test_what_vanishes_is_flagged_in_the_backward_pass_too():
    u = tg.tensor([[0.01]], requires_grad=True).named("U")
    h = tg.ones(1, 1)
    for t in range(30):
        with tg.scope("rnn", step=t):
            h = tg.tanh(h @ u + 1.0).named("h")
    text = viz.draw(h.sum(), passes="both", fold=4).svg()
    assert text.count("∂h: vanishes here") == 1


def test_no_pass_but_the_known_ones():
    with pytest.raises(ValueError, match="forward, backward, both"):
        viz.draw(tg.ones(2).requires_grad_().sum(), passes="sideways")


def test_the_graph_can_still_be_differentiated_after_its_backward_pass_was_drawn():
    x = tg.ones(2).requires_grad_()
    loss = (x * x).sum()
    viz.draw(loss, passes="both")
    loss.backward()
    np.testing.assert_array_equal(x.grad.data, [2.0, 2.0])


def test_the_dot_text_has_the_ops_of_the_backward_pass(tmp_path):
    path = viz.bptt(nn.RNN(2, 3), sequence(), passes="backward").save(tmp_path / "a.dot")
    text = path.read_text(encoding="utf-8")
    assert "cluster_3" in text and "∂weight_hh_l0" in text
