from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.viz.layout.step import block_of


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


class PeepholeCell(nn.Cell):
    """Gates that see the cell state; two of them share one."""

    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)
        self.p_i, self.p_o = nn.Parameter(tg.ones(hidden_size)), nn.Parameter(tg.ones(hidden_size))

    def initial_state(self, batch_size):
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x, state):
        h, c = state
        i, g, o = tg.split(self.gates(tg.concatenate([x, h], axis=-1)), 3, axis=-1)
        i = tg.sigmoid(i + self.p_i * c).named("input gate")
        c = ((1 - i) * c + i * tg.tanh(g).named("candidate")).named("c")
        o = tg.sigmoid(o + self.p_o * c).named("output gate")
        return (o * tg.tanh(c)).named("h"), c


class ResidualCell(nn.Cell):
    """A transition two layers deep, added to the state."""

    def __init__(self, input_size, hidden_size):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.into, self.a = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)
        self.b = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        inner = tg.relu(self.a(h) + self.into(x)).named("hidden layer")
        return (h + 0.1 * tg.tanh(self.b(inner))).named("h")


def layers():
    return {
        "rnn": nn.RNN(2, 3),
        "lstm": nn.LSTM(2, 3),
        "gru": nn.GRU(2, 3),
        "lstm, two layers, both ways": nn.LSTM(2, 3, num_layers=2, bidirectional=True),
        "cell of a user": nn.Recurrent(MultiplicativeCell(2, 3)),
        "peephole cell of a user": nn.Recurrent(PeepholeCell(2, 3)),
        "residual cell of a user": nn.Recurrent(ResidualCell(2, 3)),
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


def extents(sheet):
    """Every box of a step with the text under it: left, top, right, bottom, and its label."""
    for band in sheet.bands:
        for box in band.boxes:
            block = block_of(box)
            yield (
                box.x - block.width / 2,
                box.y - box.height / 2,
                box.x + block.width / 2,
                box.y - box.height / 2 + block.up + block.down,
                box.label,
            )


@pytest.mark.parametrize("passes", ["forward", "both"])
@pytest.mark.parametrize("level", ["modules", "gates", "ops"])
@pytest.mark.parametrize("name", layers())
def test_boxes_and_their_texts_do_not_overlap_and_stay_in_their_step(name, level, passes):
    sheet = viz.bptt(layers()[name], sequence(), passes=passes).drawing(level).scene.sheet
    found = list(extents(sheet))
    for place, a in enumerate(found):
        assert a[0] >= 0 and a[2] <= sheet.width, a
        for b in found[:place]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)


@pytest.mark.parametrize("level", ["modules", "gates", "ops"])
@pytest.mark.parametrize("name", layers())
def test_every_state_runs_straight_on_from_step_to_step(name, level):
    """Each has a lane: it leaves a step at the height at which it enters the next."""
    sheet = viz.bptt(layers()[name], sequence()).drawing(level).scene.sheet
    states = [(band, state) for band in sheet.bands for state in band.states]
    assert states
    for band, (value, delta) in states:
        assert abs(delta) == 1
        assert band.exits[value] == pytest.approx(band.states[value, delta], abs=0.01)


@pytest.mark.parametrize("name", layers())
def test_all_steps_have_the_same_boxes(name):
    """Also the first one, whose state needs no gradient."""
    rows = viz.bptt(layers()[name], sequence()).drawing("ops").scene.sheet.unrolled.rows.values()
    for row in rows:
        if row.kind == "op" and min(row.members) >= 0:
            assert sorted(row.members) == [0, 1, 2, 3], row.key


@pytest.mark.parametrize("name", layers())
def test_parameters_are_small_copies_in_each_step_and_no_hub(name):
    """No edge is longer than from one step to the next."""
    drawing = viz.bptt(layers()[name], sequence()).drawing("ops")
    sheet = drawing.scene.sheet
    named = {tag.name for band in sheet.bands for tag in band.tags}
    parameters = {node.name for node in sheet.unrolled.graph if node.kind == "parameter"}
    assert parameters == named - {"x"}
    for way in sheet.ways:
        assert max(abs(x) for x, _ in way.points) <= sheet.pitch + sheet.width


def test_a_bidirectional_layer_is_two_bands_one_of_which_runs_the_other_way():
    layer = nn.LSTM(2, 3, num_layers=2, bidirectional=True)
    bands = viz.bptt(layer, sequence()).drawing("ops").scene.sheet.bands
    assert [(band.paths, band.backward) for band in bands if band.bar is None] == [
        (["LSTM.l1_reverse"], True),
        (["LSTM.l1"], False),
        (["LSTM.l0_reverse"], True),
        (["LSTM.l0"], False),
    ]


def test_the_loss_attaches_to_each_step_that_it_depends_on():
    def shown(loss):
        drawing = viz.bptt(nn.RNN(2, 3), sequence(), loss=loss).drawing("ops")
        return drawing.svg(), drawing.scene.sheet

    text, sheet = shown(lambda result: result[0].sum())
    assert len(sheet.collected) == 1 and text.count('class="state"') >= 1
    text, sheet = shown(lambda result: result[1].sum())
    assert not sheet.collected and [box.label for box in sheet.head.boxes] == ["stack", "Σ"]


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
    bands = viz.draw(*gradients, gradient=False).drawing("ops").scene.sheet.bands
    assert [band.backward for band in bands if band.states] == [True, False]


@pytest.mark.parametrize(
    ("layer", "symbols"),
    [
        (nn.LSTM, ["σ", "σ", "tanh", "σ", "×", "×", "+", "tanh", "×"]),
        (nn.GRU, ["1 −", "×", "×", "+"]),
    ],
)
def test_the_level_gates_shows_the_arithmetic_of_the_textbooks(layer, symbols):
    sheet = viz.bptt(layer(2, 3), sequence(), level="gates").drawing("gates").scene.sheet
    labels = [box.label for band in sheet.bands for box in band.boxes]
    for symbol in set(symbols):
        assert labels.count(symbol) == symbols.count(symbol)


def test_without_a_loss_the_states_of_all_layers_and_directions_take_gradient() -> None:
    cell = nn.GRUCell(2, 3)
    flow = viz.gradient_flow(
        nn.Recurrent(cell, num_layers=2, bidirectional=True), tg.randn(4, 1, 2)
    )
    places = ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert list(flow) == [f"Recurrent.{place}" for place in places]
    assert all((norms > 0).all() for states in flow.values() for norms in states.values())
