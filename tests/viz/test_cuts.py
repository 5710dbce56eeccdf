"""Truncation: the cut is drawn, with the share of the gradient that it discards."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz

from .test_layers import MultiplicativeCell, sequence


def unrolled(border=lambda h: h, steps=6, at=(3,)):
    """An RNN whose every step adds to the loss; `border` is what becomes of the state `at`."""
    u = tg.tensor(np.random.default_rng(1).normal(size=(3, 3)), requires_grad=True)
    h, total, states = tg.ones(1, 3, dtype="float64"), 0.0, []
    for t in range(steps):
        if t in at:
            h = border(h)
        with tg.scope("rnn", step=t):
            h = tg.tanh(h @ u).named("h")
        states.append(h)
        total = total + h.sum()
    return total, states


def gradient_norms(at):
    """Of the state before the cut: what the later steps send it, and what the earlier ones do."""
    attached = []

    def border(h):
        attached.append(h.detach().requires_grad_())
        return attached[-1]

    total, states = unrolled(border, at=at)
    last = at.index(3)
    gradients = tg.grad(total, [attached[last], states[2]])
    return [np.linalg.norm(gradient.data) for gradient in gradients]


@pytest.mark.parametrize("at", [(3,), (2, 3, 5)])
@pytest.mark.parametrize(
    "cut", [tg.Tensor.detach, lambda h: h.detach().requires_grad_(), lambda h: tg.tensor(h.data)]
)
def test_the_share_is_that_of_the_gradients_that_grad_computes(cut, at):
    lost, kept = gradient_norms(at)
    drawing = viz.draw(unrolled(cut, at=at)[0]).drawing("ops")
    (found,) = [c for c in drawing.cuts if c.column == 3]
    assert (found.lost, found.kept) == pytest.approx((lost, kept), rel=1e-12)
    assert f"cut: {lost / (lost + kept):.0%} of ∂h lost" in drawing.svg()


@pytest.mark.parametrize("level", ["modules", "gates", "ops"])
@pytest.mark.parametrize(
    "layer", [nn.GRU(2, 3), nn.LSTM(2, 3), nn.Recurrent(MultiplicativeCell(2, 3))]
)
def test_truncated_layers_have_a_cut_of_each_state_at_each_border(layer, level):
    layer.truncate = 2
    picture = viz.bptt(layer, sequence(steps=7), lambda r: (r[0] + 1.0).sum(), level=level)
    drawing = picture.drawing(level)
    states = len(drawing.scene.sheet.bands[0].states)
    assert [cut.column for cut in drawing.cuts] == [
        column for column in (2, 4, 6) for _ in range(states)
    ]
    assert all(cut.share is not None for cut in drawing.cuts)
    assert drawing.svg().count('class="cut"') == len(drawing.cuts)


def test_what_was_computed_before_a_cut_is_drawn_although_no_gradient_comes_there():
    layer = nn.RNN(2, 3, truncate=2)
    picture = viz.bptt(layer, sequence(steps=6))  # the loss is the last state alone
    assert picture.graph.steps == list(range(6))
    assert [cut.share for cut in picture.drawing("ops").cuts] == [None, 1.0]
    assert "cut: 100% of ∂h lost" in picture.svg()


def test_a_state_that_starts_anew_is_no_cut():
    total, _ = unrolled(lambda h: tg.zeros(1, 3, dtype="float64"))
    drawing = viz.draw(total).drawing("ops")
    assert drawing.cuts == []
    assert drawing.svg().count(">h = 0<") == 1


def test_the_gradient_of_the_graph_itself_is_as_it_was():
    total, states = unrolled(tg.Tensor.detach)
    viz.draw(total)
    assert [s.requires_grad for s in states] == [True] * 6
    total.backward()


def test_cuts_inside_a_fold_are_marked_too():
    layer = nn.RNN(2, 3, truncate=5)
    picture = viz.bptt(layer, sequence(steps=40), lambda r: r[0].sum(), fold=6)
    drawing = picture.drawing("ops")
    assert drawing.svg().count('class="cut"') == len(drawing.cuts) == 7


@pytest.mark.parametrize("make", [lambda h0: h0, lambda h0: tg.broadcast_to(h0, (2, 3))])
def test_a_learned_initial_state_leaves_the_first_step_like_the_others(make):
    u = tg.tensor(np.eye(3), requires_grad=True).named("U")
    h = make(tg.ones(3, dtype="float64").requires_grad_().named("h0"))
    for t in range(3):
        with tg.scope("rnn", step=t):
            h = tg.tanh(h @ u).named("h")
    drawing = viz.draw(h.sum()).drawing("ops")
    rows = drawing.scene.sheet.unrolled.rows.values()
    members = [sorted(row.members) for row in rows if row.kind == "op"]
    assert members.count([0, 1, 2]) == 2
    assert drawing.cuts == [] and ">h0<" in drawing.svg()
