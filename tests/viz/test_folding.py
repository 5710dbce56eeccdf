from __future__ import annotations

import gc

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.viz.model import folding

from .test_layers import layers, sequence


@pytest.mark.parametrize("level", ["modules", "gates", "ops"])
@pytest.mark.parametrize("name", layers())
def test_what_a_folded_graph_leaves_out_is_not_missed(name, level, monkeypatch):
    """The picture is the same, byte for byte, whether or not the middle steps are in its graph."""
    tg.manual_seed(0)
    layer, x = layers()[name], sequence(steps=30)
    whole = viz.bptt(layer, x, level=level, fold=5)
    monkeypatch.setattr(folding, "LONG", 10)
    folded = viz.bptt(layer, x, level=level, fold=5)
    assert len(folded.graph) < 0.6 * len(whole.graph)
    assert folded.svg() == whole.svg()


def test_every_step_of_a_loss_over_all_steps_is_kept_as_far_as_it_is_drawn(monkeypatch):
    tg.manual_seed(0)
    layer, x = nn.LSTM(2, 3), sequence(steps=30)
    shown = [viz.bptt(layer, x, loss=lambda r: (r[0] * r[0]).sum(), fold=5).svg()]
    monkeypatch.setattr(folding, "LONG", 10)
    shown.append(viz.bptt(layer, x, loss=lambda r: (r[0] * r[0]).sum(), fold=5).svg())
    assert shown[0] == shown[1]


def test_a_long_sequence_costs_what_is_drawn(monkeypatch):
    """The nodes kept of a step that is left out are those that it hands to the next."""
    layer = nn.LSTM(2, 3)
    small, large = (len(viz.bptt(layer, sequence(steps=t)).graph) for t in (300, 400))
    assert large - small == 2 * 100


def test_irregular_steps_in_the_fold_do_no_harm(monkeypatch):
    monkeypatch.setattr(folding, "LONG", 10)
    u = tg.tensor(np.eye(2) * 0.5, requires_grad=True).named("U")
    h = tg.ones(1, 2, dtype="float64")
    for t in range(30):
        with tg.scope("rnn", step=t):
            h = h @ u
            h = (tg.tanh(h) if t % 3 else tg.sigmoid(h) * 2.0).named("h")
    picture = viz.draw(h.sum(), fold=6)
    assert "t = 3 … 26" in picture.svg()
    assert all(picture.drawing(level).svg() for level in ("rolled", "modules", "gates"))


def test_the_collector_runs_again_after_a_picture():
    viz.bptt(nn.RNN(2, 3), sequence()).svg()
    assert gc.isenabled()
