from __future__ import annotations

import io
import itertools
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.viz.plots.figure import svg

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

    figure = viz.plot_gradient_flow(viz.gradient_flow(model, x))
    gradients = tg.grad(hs[-1].sum(), hs, retain_graph=True)
    (line,) = figure.axes[0].lines
    expected = [np.linalg.norm(gradient.data) for gradient in gradients]
    np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-6)


def test_the_colours_of_a_ledger_are_the_norms_of_its_parts(layer, sequence):
    ledger = viz.ledger(layer, sequence)
    (image,) = viz.plot_ledger(ledger).axes[0].images
    norms = np.array([[np.linalg.norm(parts[t]) for t in range(5)] for parts in ledger.values()])
    expected = norms / norms.max(axis=1, keepdims=True)
    np.testing.assert_allclose(image.get_array(), expected, rtol=1e-6)


def test_the_heatmaps_of_gates_are_their_values_units_by_characters(layer, sequence):
    found = viz.gates(layer, sequence)["LSTM.l0"]
    figure = viz.plot_gates(viz.gates(layer, sequence), "hello")
    for ax, (name, values) in zip(figure.axes, found.items(), strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), values[:, 0].T)
        assert ax.get_title(loc="left") == name
        assert [label.get_text() for label in ax.get_xticklabels()] == list("hello")


def test_of_many_units_those_are_shown_that_change_most():
    values = np.zeros((4, 1, 100))
    values[:, 0, ::2] = np.arange(4)[:, None] * np.arange(1, 51)
    (ax,) = viz.plot_gates({"": {"gate": values}}).axes
    np.testing.assert_array_equal(ax.images[0].get_array(), values[:, 0, 36::2].T)


def test_connectivity_draws_the_norms_the_values_and_the_shares(layer, sequence):
    found = viz.connectivity(layer, sequence)
    states, inputs, values, shares = viz.plot_connectivity(found).axes
    for ax, norms in ((states, found.states), (inputs, found.inputs)):
        drawn = 10.0 ** np.ma.filled(ax.images[0].get_array(), -np.inf)
        np.testing.assert_allclose(drawn, norms, rtol=1e-9)
    largest, median, smallest = (line.get_ydata() for line in values.lines)
    np.testing.assert_array_equal(largest, found.product_values.max(axis=1))
    np.testing.assert_array_equal(median, np.median(found.product_values, axis=1))
    np.testing.assert_array_equal(smallest, found.product_values.min(axis=1))
    heights = [[bar.get_height() for bar in bars] for bars in shares.containers]
    np.testing.assert_allclose(heights, list(found.product_shares.values()), rtol=1e-12)
    names = [text.get_text() for text in shares.get_legend().get_texts()]
    assert names == list(found.product_shares)


def test_a_layer_that_reads_backward_has_its_labels_in_its_order(sequence):
    layer = nn.RNN(2, 3, bidirectional=True)
    found = viz.connectivity(layer, sequence, "RNN.l0_reverse")
    for labels, expected in (("abcde", "edcba"), (None, "43210")):
        ax = viz.plot_connectivity(found, labels).axes[0]
        assert "".join(label.get_text() for label in ax.get_xticklabels()) == expected


def test_several_models_share_one_axis_and_have_a_colour_each(layer, sequence):
    flows = {n: viz.gradient_flow(m, sequence) for n, m in {"A": layer, "B": nn.RNN(2, 3)}.items()}
    lines = viz.plot_gradient_flow(flows).axes[0].lines
    assert [line.get_label() for line in lines] == ["A h", "A c", "B h"]
    assert len({line.get_color() for line in lines}) == 2
    assert len({line.get_linestyle() for line in lines}) == 2


def test_layers_are_told_apart(sequence):
    flow = viz.gradient_flow(nn.RNN(2, 3, num_layers=2), sequence)
    lines = viz.plot_gradient_flow(flow).axes[0].lines
    assert [line.get_label() for line in lines] == ["RNN.l0 h", "RNN.l1 h"]
    assert len({line.get_color() for line in lines}) == 2


def test_a_legend_does_not_touch_long_labels():
    labels = ["internationalization"] * 12
    figure = viz.plot_gradient_flow({"": {"h": np.linspace(0.1, 1, 12)}}, labels)
    figure.savefig(io.BytesIO(), format="png", dpi=figure.dpi)
    (ax,) = figure.axes
    lowest = min(label.get_window_extent().y0 for label in ax.get_xticklabels())
    legend = ax.get_legend().get_window_extent()
    assert legend.y0 >= 0 and legend.y1 <= lowest


def test_plots_go_where_they_are_told_to(layer, sequence):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert viz.plot_gradient_flow(viz.gradient_flow(layer, sequence), ax=left) is figure
    assert viz.plot_ledger(viz.ledger(layer, sequence), ax=right) is figure
    assert left.lines and right.images
    whole = Figure()
    parts = whole.subfigures(2, 1)
    viz.plot_gates(viz.gates(layer, sequence), figure=parts[0])
    viz.plot_connectivity(viz.connectivity(layer, sequence), figure=parts[1])
    assert len(parts[0].axes) == 6 and len(parts[1].axes) == 4
    whole.savefig(io.BytesIO(), format="png")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("labels", [HOSTILE[:5], HOSTILE[3:], WIDE[:5], WIDE[1:]])
def test_labels_of_any_kind_are_drawn_as_text(name, labels, layer, sequence):
    labels = [labels[t % len(labels)] for t in range(5)]
    text = svg(plot(name, layer, sequence, labels), "x")
    root = ET.fromstring(text)
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    written = {element.text for element in root.iter() if element.tag.endswith("text")}
    for label in labels:
        if len(label) == 1 and label.isprintable():
            assert label in written


def test_hostile_names_of_states_and_gates():
    def model(x):
        h = tg.zeros(1)
        for t in range(3):
            with tg.scope("$a_$<b>", step=t):
                gate = tg.sigmoid(x[t] + h).named("$\\bad{$ <script>")
                h = (gate * h + x[t]).named("_<script>")
        return h

    for figure in all_plots(model, tg.ones(3, 1, requires_grad=True)).values():
        text = svg(figure, "x")
        ET.fromstring(text)
        assert "<script" not in text


def test_the_same_plot_has_the_same_bytes_and_its_own_identifiers(layer, sequence):
    again = all_plots(layer, sequence, "abcde")
    for name, figure in all_plots(layer, sequence, "abcde").items():
        text = svg(figure, name)
        assert text == svg(again[name], name)
        ids = [e.get("id") for e in ET.fromstring(text).iter() if e.get("id")]
        assert all(i.startswith(f"{name}-") for i in ids) and len(ids) == len(set(ids))
        assert "20" not in (ET.fromstring(text).findtext(".//{*}date") or "")


@settings(max_examples=settings().max_examples * 10 // 100)
@given(st.lists(st.text(max_size=25), min_size=1, max_size=60))
def test_the_labels_of_steps_do_not_overlap(labels):
    values = np.linspace(0.1, 1, len(labels))
    figure = viz.plot_gradient_flow({"": {"h": values}}, labels)
    figure.savefig(io.BytesIO(), format="png")
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    for a, b in itertools.pairwise(boxes):
        assert a.x1 <= b.x0 + 3.0


@pytest.mark.parametrize("values", [[], [np.nan], [0.0, 0.0], [0.0, 1.0], [1e-300, 1.0, np.inf]])
def test_gradients_that_are_zero_or_none_or_infinite(values):
    figure = viz.plot_gradient_flow({"": {"h": np.array(values)}})
    ET.fromstring(svg(figure, "x"))


def test_one_step_and_no_names(sequence):
    layer = nn.RNN(2, 3)
    for figure in (
        viz.plot_gradient_flow(viz.gradient_flow(layer, sequence[:1])),
        viz.plot_gates(viz.gates(layer, sequence[:1])),
        viz.plot_ledger(viz.ledger(layer, sequence[:1]), "x"),
        viz.plot_connectivity(viz.connectivity(layer, sequence[:2])),
    ):
        ET.fromstring(svg(figure, "x"))
    with pytest.raises(ValueError, match="hand a state on"):
        viz.connectivity(layer, sequence[:1])
    ET.fromstring(svg(viz.plot_gates({}), "x"))
    ET.fromstring(svg(viz.plot_ledger({}), "x"))
    ET.fromstring(svg(viz.plot_gradient_flow({}), "x"))


@pytest.mark.parametrize("name", NAMES)
def test_too_few_labels_are_refused(name, layer, sequence):
    with pytest.raises(ValueError, match="4 labels for 5 steps"):
        plot(name, layer, sequence, "four")


def test_without_matplotlib_the_error_names_the_extra(layer, sequence, monkeypatch):
    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'tinygrad-rnn\[plot\]'"):
        viz.plot_ledger(viz.ledger(layer, sequence))


def test_no_window_no_backend_and_nothing_on_standard_error(tmp_path):
    program = """if True:
        import sys
        import tinygrad_rnn as tg
        from tinygrad_rnn import viz
        found = viz.ledger(tg.nn.RNN(2, 3), tg.randn(4, 1, 2))
        assert "matplotlib" not in sys.modules
        viz.plot_ledger(found, "김a<b").savefig(sys.argv[1])
        assert "matplotlib.pyplot" not in sys.modules
    """
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "x.png")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x.png").stat().st_size > 1000
