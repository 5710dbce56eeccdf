from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.graph import Graph
from tinygrad_rnn.norms import norm
from tinygrad_rnn.viz.gradient.flow import Flow, weights_of
from tinygrad_rnn.viz.model.levels import LEVELS

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = ["<script>alert(1)</script>", '"]; x [', "a&b</text>", "\x07bell", "한국어 게이트"]


def rnn(steps=3, name="h", path="rnn", hidden=2, cut_at=None):
    """The sum of the last state (or, if one is detached, of all of them), and the states."""
    rng = np.random.default_rng(0)
    x = tg.tensor(rng.normal(size=(steps, 1, 2))).named("x")
    w = tg.tensor(rng.normal(size=(2, hidden)), requires_grad=True).named("W_xh")
    u = tg.tensor(rng.normal(size=(hidden, hidden)), requires_grad=True).named("W_hh")
    h = tg.zeros((1, hidden))
    states = []
    for t in range(steps):
        if t == cut_at:
            h = h.detach()
        with tg.scope(path, step=t):
            h = tg.tanh(x[t] @ w + h @ u).named(name)
            states.append(h)
    return (h if cut_at is None else tg.stack(states)).sum(), states


def lstm(steps=3, path="lstm"):
    rng = np.random.default_rng(1)
    x = tg.tensor(rng.normal(size=(steps, 1, 2)))
    w = tg.tensor(rng.normal(size=(2, 8)), requires_grad=True).named("W")
    u = tg.tensor(rng.normal(size=(2, 8)), requires_grad=True).named("U")
    h = c = tg.zeros((1, 2))
    for t in range(steps):
        with tg.scope(path, step=t):
            i, f, g, o = tg.split(x[t] @ w + h @ u, 4, axis=-1)
            f = tg.sigmoid(f).named("forget gate")
            c = (f * c + tg.sigmoid(i) * tg.tanh(g)).named("c")
            h = (tg.sigmoid(o) * tg.tanh(c)).named("h")
    return h.sum()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("made", [lambda: rnn()[0], lstm])
def test_every_level_is_well_formed_svg_and_the_same_on_every_run(made, level):
    first = viz.draw(made(), level=level).svg()
    assert first == viz.draw(made(), level=level).svg()
    assert ET.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"


SMALL = {
    "rnn": lambda: viz.draw(rnn()[0], title="rnn"),
    "lstm": lambda: viz.draw(lstm(), title="lstm"),
    "backward": lambda: viz.draw(rnn()[0], title="backward", passes="both"),
    "cut": lambda: viz.draw(rnn(steps=4, cut_at=2)[0], title="cut", level="gates"),
}


@pytest.mark.parametrize("name", SMALL)
def test_small_graphs_equal_their_golden_files(name):
    """After an intended change, write them anew: python tests/viz/test_picture.py."""
    assert SMALL[name]().svg() == (GOLDEN / f"{name}.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_text(hostile):
    loss, _ = rnn(name=hostile, path=hostile)
    root = ET.fromstring(viz.draw(loss, title=hostile).svg())
    assert not [e for e in root.iter() if e.tag.endswith("script")]
    shown = "".join(c for c in hostile if c.isprintable())
    assert any(element.text == shown for element in root.iter())


def test_what_flows_along_the_edges_of_a_node_is_its_gradient():
    loss, states = rnn(steps=6)
    graph = Graph.of(loss)
    flow = Flow(graph, weights_of([loss]))
    gradients = tg.grad(loss, states, retain_graph=True)
    place = {node.source: node.index for node in graph}
    for state, gradient in zip(states, gradients):
        i = place[state]
        np.testing.assert_array_equal(flow.at(i), gradient.data)
        edges = [(i, user, position) for user, position in graph.consumers[i]]
        assert flow.along(edges) == pytest.approx(np.linalg.norm(gradient.data), rel=1e-6)


def test_gradients_of_a_node_used_twice_add_up_as_vectors():
    x = tg.tensor([3.0], requires_grad=True)
    y = tg.tanh(x)
    loss = (y * 2.0 - y * 2.0).sum()
    graph = Graph.of(loss)
    flow = Flow(graph, weights_of([loss]))
    i = next(node.index for node in graph if node.label == "tanh")
    users = graph.consumers[i]
    assert flow.along([(i, *use) for use in users]) == 0.0
    assert flow.along([(i, *users[0])]) == pytest.approx(2.0)


def test_norms_do_not_underflow():
    assert norm(np.full(4, 1e-200)) == pytest.approx(2e-200)
    assert norm(np.full(4, 1e-30, np.float32)) == pytest.approx(2e-30)


def test_the_graph_can_still_be_differentiated_after_it_was_drawn():
    loss, _ = rnn()
    viz.draw(loss)
    loss.backward()


def test_every_step_has_its_column_and_its_input():
    loss, _ = rnn(steps=4)
    text = viz.draw(loss).svg()
    assert [f"t = {t}" in text for t in range(5)] == [True] * 4 + [False]
    assert text.count('x<tspan class="small"') == 4


def test_the_state_runs_straight_from_step_to_step():
    loss, _ = rnn(steps=4)
    text = viz.draw(loss).svg()
    ways = re.findall(r'<path class="state" d="M([^C"]*)L', text)
    assert ways and not any("Q" in way for way in ways)  # no corner


def test_save_goes_by_the_ending_and_leaves_nothing_else(tmp_path):
    loss, _ = rnn()
    picture = viz.draw(loss)
    assert picture.save(tmp_path / "a.svg").read_text().startswith("<svg")
    assert picture.save(tmp_path / "a.dot").read_text().startswith("digraph")
    with pytest.raises(ValueError, match=r"\.svg"):
        picture.save(tmp_path / "a.gif")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.dot", "a.svg"]


def test_a_level_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="rolled, modules, gates, ops"):
        viz.draw(rnn()[0], level="atoms")


def test_an_ordinary_expression_needs_no_steps():
    x = tg.tensor([1.0, 2.0], requires_grad=True).named("x")
    text = viz.draw((tg.tanh(x) * 2.0).sum(), inputs=[x]).svg()
    assert "tanh" in text and "× 2" in text


def test_a_notebook_gets_the_svg_and_a_line_of_text():
    picture = viz.draw(rnn()[0])
    shown = picture._repr_mimebundle_()
    unmarked = re.sub(r"p[0-9a-f]{10}", "", shown["image/svg+xml"])  # names of its own
    assert unmarked.endswith(picture.svg().removeprefix("<svg "))
    assert "time steps" in shown["text/plain"]


def test_a_small_expression_shows_every_value_and_every_gradient():
    a = tg.tensor(-4.0, requires_grad=True).named("a")
    b = tg.tensor(2.0, requires_grad=True).named("b")
    e = (a * b).named("e")
    out = e * e + a
    grads = tg.grad(out, [a, b, e], retain_graph=True)
    sheet = viz.draw(out).drawing("ops").scene.sheet
    shown = {box.caption or box.label: box.numbers for band in sheet.bands for box in band.boxes}
    for tensor, grad in zip([a, b, e], grads):
        expected = (f"value {tensor.item():.4g}", f"grad {grad.item():.4g}")
        assert shown[tensor.name] == tuple(text.replace("-", "−") for text in expected)
    assert shown["a"] == ("value −4", "grad −31")
    assert len(sheet.bands) == 1 and sum(len(band.boxes) for band in sheet.bands) == 5


def test_a_box_that_is_pointed_at_tells_its_value_and_its_gradient():
    loss, states = rnn(steps=2)
    (grad,) = tg.grad(loss, [states[0]], retain_graph=True)
    titles = [e.text for e in ET.fromstring(viz.draw(loss).svg()).iter() if "title" in e.tag]
    value, gradient = (
        f"[{', '.join(f'{v:.4g}' for v in a.data.ravel())}]" for a in (states[0], grad)
    )
    expected = f"h (tanh), t = 0: 1×2, {value}; gradient {gradient}"
    assert expected.replace("-", "−") in titles
    assert viz.draw(rnn(steps=300)[0], fold=None).svg().count("; gradient") < 5  # not of each step


def test_a_feed_forward_network_runs_from_left_to_right():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 1))
    (band,) = viz.draw(model(tg.ones(5, 2)).sum()).drawing("ops").scene.sheet.bands
    places = [box.x for box in band.boxes if box.label == "matmul"]
    assert places == sorted(places) and len(set(places)) == 3
    assert not any(box.numbers for box in band.boxes)


if __name__ == "__main__":
    for name, picture in SMALL.items():
        print(picture().save(GOLDEN / f"{name}.svg"))
