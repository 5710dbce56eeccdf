from __future__ import annotations

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import viz
from tinygrad_rnn.graph import Graph


def unrolled(steps=3):
    w = tg.tensor([[0.5]], requires_grad=True).named("W")
    h = tg.zeros((1, 1))
    for t in range(steps):
        with tg.scope("cell", step=t):
            h = tg.tanh(h @ w)
    return h.sum()


def test_dot_has_a_cluster_and_a_copy_of_the_parameter_for_each_step():
    source = viz.to_dot(Graph.of(unrolled())).source
    assert source.count("subgraph cluster_") == 3
    assert source.count('label="W\\n1 × 1"') == 3


def test_dot_is_the_same_on_every_run():
    first, second = (viz.to_dot(Graph.of(unrolled())).source for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("hostile", "escaped"),
    [
        ('"]; x [', '\\"]; x ['),
        ("<script>", "<script>"),
        ("a\\Nb", "a\\\\Nb"),
        ("한국어", "한국어"),
    ],
)
def test_dot_escapes_labels(hostile, escaped):
    x = tg.tensor([1.0], requires_grad=True)
    source = viz.to_dot(Graph.of(tg.tanh(x).named(hostile))).source
    assert f'[label="tanh\\n{escaped}\\n1"' in source


def test_a_label_is_never_read_as_markup():
    x = tg.tensor(1.0, requires_grad=True).named("<b>x</b>")
    assert 'label="<b>x</b>"' in viz.to_dot(Graph.of(-x)).source


def test_without_the_program_dot_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match=r"'dot' of Graphviz.*\.svg"):
        viz.to_dot(Graph.of(unrolled())).pipe(format="svg")
