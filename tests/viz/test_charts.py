from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.viz.charts.plots import lines_of
from tinygrad_rnn.viz.style.palette import TONES
from tinygrad_rnn.viz.style.text import text_width

HOSTILE = ["<script>alert(1)</script>", '"]; x [', "a&b</text>", "\x07", "$\\frac$", "_x", "", "$$"]
NAMES = ["gradient_flow", "gates", "ledger", "connectivity"]
WIDE = ["김", "한국어 게이트", "漢字", "🙂", "e\u0301", "W" * 60]


@pytest.fixture(scope="module")
def sequence():
    tg.manual_seed(0)
    return tg.randn(5, 1, 2, requires_grad=True)


@pytest.fixture(scope="module")
def layer():
    tg.manual_seed(1)
    return nn.LSTM(2, 3)


def plot(name, layer, x, labels=None):
    found = getattr(viz, name)(layer, x)
    return getattr(viz, f"plot_{name}")(found, labels)


def all_plots(layer, x, labels=None):
    return {name: plot(name, layer, x, labels) for name in NAMES}


def elements(chart, tag):
    return [e for e in ET.fromstring(chart.svg()).iter() if e.tag.endswith("}" + tag)]


def written(chart):
    return [e.text for e in elements(chart, "text")]


def told(chart):
    """What is said on hover: {everything but the number: the number}."""
    texts = (title.text for title in elements(chart, "title"))
    return {t.rpartition(": ")[0]: t.rpartition(": ")[2] for t in texts if t and ": " in t}


def test_the_lines_drawn_are_the_norms_of_the_gradients_that_grad_computes():
    tg.manual_seed(0)
    cell, x, hs = nn.RNNCell(2, 3), tg.randn(6, 1, 2), []

    def model(x):
        h = cell.initial_state(1)
        for t in range(6):
            with tg.scope("rnn", step=t):
                h = cell(x[t], h)
            hs.append(h)
        return h

    chart = viz.plot_gradient_flow(viz.gradient_flow(model, x))
    gradients = tg.grad(hs[-1].sum(), hs, retain_graph=True)
    expected = [np.linalg.norm(gradient.data) for gradient in gradients]
    assert [float(told(chart)[f"h, t = {t}"]) for t in range(6)] == pytest.approx(
        expected, rel=5e-3
    )
    panel = chart.panels[0]
    heights = [float(e.get("cy")) for e in elements(chart, "circle") if e.get("class") == "n0"]
    assert heights == pytest.approx([panel.y(value) for value in expected], abs=0.06)


def test_the_cells_of_a_ledger_are_the_norms_of_its_parts(layer, sequence):
    ledger = viz.ledger(layer, sequence)
    cells = told(viz.plot_ledger(ledger))
    for name, parts in ledger.items():
        for t in range(5):
            expected = np.linalg.norm(parts[t])
            assert float(cells[f"{name}, t = {t}"]) == pytest.approx(expected, rel=5e-3)


def test_the_cells_of_gates_are_their_values_units_by_characters(layer, sequence):
    found = viz.gates(layer, sequence)["LSTM.l0"]
    chart = viz.plot_gates(viz.gates(layer, sequence), "hello")
    assert [panel.title for panel in chart.panels] == list(found)
    cells = told(chart)
    for name, values in found.items():
        for (t, _, unit), value in np.ndenumerate(values):
            said = cells[f"{name}, unit {unit}, t = {t} ({'hello'[t]})"]
            assert float(said) == pytest.approx(value, abs=6e-4)
    assert written(chart).count("o") == len(found)


def test_what_lies_between_0_and_1_is_an_amount_and_what_may_be_negative_is_signed():
    values = np.array([[[0.0, 1.0, 0.5]], [[0.25, 0.75, 1.0]]])
    looks = {
        sign: {e.get("class") for e in elements(viz.plot_gates({"": {"g": values * sign}}), "rect")}
        for sign in (1, -1)
    }
    assert looks[1] - {"paper"} == {f"a{n}" for n in range(TONES)}
    assert looks[-1] - {"paper"} == {f"d{n}" for n in range(TONES)}


def test_of_many_units_those_are_shown_that_change_most():
    values = np.zeros((4, 1, 50))
    values[:, 0, 10:42] = np.arange(4)[:, None] + 1
    cells = told(viz.plot_gates({"": {"g": values}}))
    assert {int(re.search(r"unit (\d+)", said)[1]) for said in cells} == set(range(10, 42))


def test_connectivity_tells_the_norms_and_the_shares(layer, sequence):
    found = viz.connectivity(layer, sequence)
    chart = viz.plot_connectivity(found, "abcde")
    cells = told(chart)
    said = float(cells["t = 3 (d) on t = 1 (b)"])
    assert said == pytest.approx(found.inputs[3, 1], rel=6e-3)
    for name, shares in found.product_shares.items():
        for t, share in enumerate(shares):
            if abs(share) > 0.01:
                bar = cells[f"{name}, t = {t} ({'abcde'[t]})"]
                assert float(bar[:-1]) == pytest.approx(100 * share, abs=0.51)


def test_a_layer_that_reads_backward_has_its_labels_in_its_order(sequence):
    layer = nn.RNN(2, 3, bidirectional=True)
    found = viz.connectivity(layer, sequence, "RNN.l0_reverse")
    for labels, expected in (("abcde", "edcba"), (None, "43210")):
        names = [t for t in written(viz.plot_connectivity(found, labels)) if t and len(t) == 1]
        assert "".join(names[:5]) == expected


def test_several_models_share_one_axis_and_have_a_colour_each_and_each_state_its_dash(
    layer, sequence
):
    flows = {n: viz.gradient_flow(m, sequence) for n, m in {"A": layer, "B": nn.RNN(2, 3)}.items()}
    lines = lines_of(flows)
    assert [line.label for line in lines] == ["A c", "A h", "B h"]
    assert [line.series for line in lines] == [0, 0, 1]
    assert len({line.look for line in lines}) == 3
    chart = viz.plot_gradient_flow(flows)
    for line in lines:  # the line itself, and its swatch in the legend
        drawn = [e for e in elements(chart, "path") if ET.tostring(e).decode().count(line.look)]
        assert len(drawn) == 2


def test_layers_are_told_apart(sequence):
    lines = lines_of(viz.gradient_flow(nn.RNN(2, 3, num_layers=2), sequence))
    assert [line.label for line in lines] == ["RNN.l0 h", "RNN.l1 h"]
    assert len({line.series for line in lines}) == 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("labels", [HOSTILE[:5], HOSTILE[3:], WIDE[:5], WIDE[1:]])
def test_labels_of_any_kind_are_drawn_as_text(name, labels, layer, sequence):
    labels = [labels[t % len(labels)] for t in range(5)]
    chart = plot(name, layer, sequence, labels)
    assert not elements(chart, "script")
    for label in labels:
        if len(label) == 1 and label.isprintable():
            assert label in written(chart)


def test_hostile_names_of_states_and_gates():
    def model(x):
        h = tg.zeros(1)
        for t in range(3):
            with tg.scope("$a_$<b>", step=t):
                gate = tg.sigmoid(x[t] + h).named("$\\bad{$ <script>")
                h = (gate * h + x[t]).named("_<script>")
        return h

    for chart in all_plots(model, tg.ones(3, 1, requires_grad=True)).values():
        assert not elements(chart, "script")


def test_the_same_chart_has_the_same_bytes(layer, sequence):
    again = all_plots(layer, sequence, "abcde")
    for name, chart in all_plots(layer, sequence, "abcde").items():
        assert chart.svg() == again[name].svg()


@settings(max_examples=settings().max_examples * 10 // 100)
@given(st.lists(st.text(max_size=25), min_size=1, max_size=60))
def test_the_labels_of_steps_do_not_overlap(labels):
    chart = viz.plot_gradient_flow({"": {"h": np.linspace(0.1, 1, len(labels))}}, labels)
    steps = [e for e in elements(chart, "text") if e.get("class") in ("soft", "right soft")]
    level = [e for e in steps if e.get("class") == "soft" and e.text]
    for a, b in itertools.pairwise(level):
        if a.get("y") == b.get("y"):
            between = float(b.get("x")) - float(a.get("x"))
            assert between >= (text_width(a.text, 10) + text_width(b.text, 10)) / 2
    upright = [float(e.get("x")) for e in steps if e.get("transform")]
    assert all(b - a >= 10 for a, b in itertools.pairwise(upright))


@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 0.0], [0.0, 1.0], [1e-300, 1.0, np.inf]])
def test_gradients_that_are_zero_or_none_or_infinite(values):
    chart = viz.plot_gradient_flow({"": {"h": np.array(values)}})
    assert "nan" not in chart.svg().lower()


def test_one_step_and_no_names(sequence):
    layer = nn.RNN(2, 3)
    for chart in (
        viz.plot_gradient_flow(viz.gradient_flow(layer, sequence[:1])),
        viz.plot_gates(viz.gates(layer, sequence[:1])),
        viz.plot_ledger(viz.ledger(layer, sequence[:1]), "x"),
        viz.plot_connectivity(viz.connectivity(layer, sequence[:1])),
        viz.plot_connectivity(viz.connectivity(layer, sequence[:2])),
        viz.plot_gates({}),
        viz.plot_ledger({}),
        viz.plot_gradient_flow({}),
    ):
        ET.fromstring(chart.svg())


@pytest.mark.parametrize("name", NAMES)
def test_too_few_labels_are_refused(name, layer, sequence):
    with pytest.raises(ValueError, match="4 labels for 5 steps"):
        plot(name, layer, sequence, "four")
