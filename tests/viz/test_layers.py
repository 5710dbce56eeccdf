from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz


class MultiplicativeCell(nn.Cell):
    """A cell that nothing in the package knows: two states, one of them in a nested tuple."""

    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.mix = nn.Linear(input_size + hidden_size, hidden_size)

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, (zeros,)

    def forward(self, x, state):
        h, (trace,) = state
        with tg.scope("inner"):
            trace = (trace * 0.9 + h * 0.1).named("trace")
        return tg.tanh(self.mix(tg.concatenate([x, h], axis=-1)) * trace + trace).named("h"), (
            trace,
        )


def layers():
    return {
        "rnn": nn.RNN(2, 3),
        "gru": nn.GRU(2, 3),
        "lstm, two layers, both ways": nn.LSTM(2, 3, num_layers=2, bidirectional=True),
        "cell of a user": nn.Recurrent(MultiplicativeCell(2, 3)),
    }


def sequence(steps=4, batch=2):
    return tg.tensor(np.random.default_rng(0).normal(size=(steps, batch, 2)).astype(np.float32))


@pytest.mark.parametrize("level", ["rolled", "modules", "gates", "ops"])
@pytest.mark.parametrize("name", layers())
def test_any_layer_is_drawn_at_every_level(name, level):
    tg.manual_seed(0)
    text = viz.bptt(layers()[name], sequence(), level=level).svg()
    root = ET.fromstring(text)
    boxes = [e for e in root.iter() if e.tag.endswith("rect") and e.get("class") != "paper"]
    assert len(boxes) >= 2
    assert re.search(r'class="g\d"', text)
    assert "nan" not in text


def test_all_of_a_picture_is_within_its_borders():
    tg.manual_seed(0)
    for layer in layers().values():
        root = ET.fromstring(viz.bptt(layer, sequence()).svg())
        left, top, width, height = map(float, root.get("viewBox").split())
        for element in root:
            if element.tag.endswith("text"):
                assert left <= float(element.get("x")) <= left + width
                assert top <= float(element.get("y")) <= top + height


def test_boxes_of_a_step_do_not_overlap():
    tg.manual_seed(0)
    for layer in layers().values():
        for level in ("modules", "gates", "ops"):
            sheet = viz.bptt(layer, sequence(), level=level).drawing(level).sheet
            boxes = [box for band in sheet.bands for box in band.boxes]
            for place, a in enumerate(boxes):
                for b in boxes[:place]:
                    apart_x = abs(a.x - b.x) >= (a.width + b.width) / 2
                    apart_y = abs(a.y - b.y) >= (a.height + b.height) / 2
                    assert apart_x or apart_y, (a.label, b.label)


def test_a_layer_is_unrolled_for_the_picture_and_left_as_it_was():
    layer = nn.LSTM(2, 3)
    before = layer.unroll
    assert viz.bptt(layer, sequence(steps=5)).graph.steps == [0, 1, 2, 3, 4]
    assert layer.unroll == before


def test_ragged_sequences_are_drawn():
    layer = nn.GRU(2, 3, unroll=True)
    picture = viz.bptt(lambda x: layer(x, lengths=[4, 2]), sequence())
    assert "where" in picture.svg()


def test_a_fold_names_the_steps_that_it_stands_for_and_flags_what_vanishes():
    u = tg.tensor([[0.01]], requires_grad=True).named("U")
    h = tg.ones(1, 1)
    for t in range(50):
        with tg.scope("rnn", step=t):
            h = tg.tanh(h @ u + 1.0).named("h")
    text = viz.draw(h.sum(), fold=4).svg()
    assert "t = 2 … 47" in text and text.count("h: vanishes here") == 1
    assert [f">t = {t}<" in text for t in (0, 1, 2, 47, 48, 49)] == [1, 1, 0, 0, 1, 1]


def test_what_grows_a_million_fold_is_flagged_too():
    u = tg.tensor([[30.0]], requires_grad=True, dtype="float64")
    h = tg.ones(1, 1, dtype="float64")
    for t in range(8):
        with tg.scope("linear", step=t):
            h = (h @ u).named("h")
    assert "h: explodes here" in viz.draw(h.sum()).svg()


def test_a_comparison_has_one_scale_and_one_legend():
    pictures = [
        viz.bptt(layer, sequence(steps=40), level="modules", fold=None, title=name)
        for name, layer in {"RNN": nn.RNN(2, 3), "LSTM": nn.LSTM(2, 3)}.items()
    ]
    text = viz.Comparison(pictures).svg()
    ET.fromstring(text)
    assert text.count("gradient norm") == 1
    identifiers = re.findall(r' id="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))


def test_the_drawing_grows_with_the_number_of_steps_and_no_faster():
    def size(steps):
        layer = nn.RNN(2, 3)
        return len(viz.bptt(layer, sequence(steps=steps), fold=None).svg())

    small, large = size(20), size(80)
    assert large < 4.5 * small


def test_the_recorded_backward_pass_is_a_band_that_runs_against_time():
    u = tg.tensor([[0.5]], requires_grad=True).named("U")
    h = tg.ones(1, 1)
    for t in range(4):
        with tg.scope("rnn", step=t):
            h = tg.tanh(h @ u).named("h")
    gradients = tg.grad(h.sum(), [u], create_graph=True)
    bands = viz.draw(*gradients, gradient=False).drawing("ops").sheet.bands
    assert [band.backward for band in bands if band.states] == [True, False]
