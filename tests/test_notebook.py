"""In a notebook: what a cell shows, each thing once, and as wide as the page."""

from __future__ import annotations

import re
import textwrap
import warnings

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz
from tinygrad_rnn.data import load_names
from tinygrad_rnn.tables import html_table, text_table
from tinygrad_rnn.testing import check_cell, gradcheck
from tinygrad_rnn.training.names import Corpus

CELLS = {  # what a notebook's cell says -> what it must show
    "import numpy as np, tinygrad_rnn as tg\nfrom tinygrad_rnn import nn, viz": "",
    "net = nn.Sequential(nn.Embedding(5, 3), nn.LSTM(3, 4), nn.Identity())\nnet": "weight_ih",
    "nn.RNNCell(3, 4).plan(batch_size=2, steps=10)": "in the loop, step by step",
    "tg.testing.gradcheck(tg.tanh, [[0.5, -1.0]])": "gradient right: 2 elements",
    "tg.testing.check_cell(nn.RNNCell, hidden_size=1)": "laws hold",
    "viz.plot_gates(viz.gates(nn.GRU(2, 3), tg.randn(4, 1, 2)), 'name')": "<svg",
    "viz.connectivity(nn.LSTM(1, 2), tg.randn(4, 1, 1))": "largest singular value",
    "viz.bptt(nn.LSTM(2, 3), tg.randn(30, 1, 2))": "<svg",
    "from tinygrad_rnn.training.names import Corpus\n"
    "Corpus.of(tg.data.load_names(), seed=0)": "held out",
    "x = nn.Parameter([4.0])\n"
    "tg.training.fit(nn.Module(), lambda m, b: (x * x).sum(), [0], epochs=2,\n"
    "                optimizer=tg.optim.SGD([x]))": "train_loss",
}


def test_a_notebook_shows_each_thing_once(tmp_path) -> None:
    reason = "nbclient and ipykernel are not installed (extra: dev)"
    nbclient = pytest.importorskip("nbclient", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    from nbformat import v4

    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in CELLS])
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "."}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the kernel's own machinery
        client.execute()
    for cell, expected in zip(notebook.cells, CELLS.values(), strict=True):
        shown = [out for out in cell.outputs if out.output_type == "execute_result"]
        drawn = [out for out in cell.outputs if "image/svg+xml" in out.get("data", {})]
        assert len(shown) == bool(expected), (cell.source, cell.outputs)
        assert len(drawn) == (expected == "<svg"), cell.source
        if shown:
            forms = dict(shown[0].data)
            rich = forms.get("text/html") or forms.get("image/svg+xml") or ""
            assert expected in rich, cell.source
            assert len(forms["text/plain"]) < 3000


def test_pictures_on_one_page_do_not_mix_up_their_parts() -> None:
    lstm, identifiers = nn.LSTM(2, 3), []
    for picture in (
        viz.bptt(lstm, tg.randn(30, 1, 2)),
        viz.bptt(lstm, tg.randn(3, 1, 2), level="gates"),
        viz.plot_gates(viz.gates(lstm, tg.randn(4, 1, 2))),
    ):
        svg = picture._repr_mimebundle_()["image/svg+xml"]
        own = re.findall(r'<(?!marker)\w+ id="([^"]+)"', svg)
        assert {*re.findall(r'href="#([\w-]+)', svg)} <= {*own}
        identifiers += own
    assert len(identifiers) == len(set(identifiers)) > 0


def shapes_of_rows(text: str) -> set[int]:
    """How many cells the rows of a table of HTML have."""
    return {len(re.findall("<t[hd] ", row)) for row in re.findall("<tr>(.*?)</tr>", text)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.LSTM(2, 3),
        lambda: nn.LSTMCell(2, 3).plan(batch_size=1, steps=3),
        lambda: gradcheck(tg.tanh, [[0.5]]),
        lambda: check_cell(nn.RNNCell, hidden_size=1),
        lambda: viz.connectivity(nn.GRU(1, 2), tg.randn(3, 1, 1)),
        lambda: Corpus.of(load_names(), seed=0),
    ],
)
def test_reports_are_short_in_text_and_tables_in_html(make) -> None:
    shown = make()
    assert len(repr(shown)) < 400
    tables = shown._repr_html_().split("<table>")[1:]
    assert tables and all(len(shapes_of_rows(table)) <= 2 for table in tables)


def test_data_does_not_print_itself_whole() -> None:
    data = load_names()
    assert len(repr(data)) < 80 and len(repr(Corpus.of(data).train)) < 80


def test_tables() -> None:
    rows = [("name", "n"), ("<b>", "1"), ("  a & b", "20")]
    assert text_table(rows, right=[1]) == "name      n\n<b>       1\n  a & b  20"
    found = html_table(rows, title="a < b")
    assert "&lt;b&gt;" in found and "a &amp; b" in found and "a &lt; b" in found


def test_a_summary_counts_what_is_shared_once_and_runs_only_to_look() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.LSTM(3, 4), nn.Identity())
    net.again = net[0]
    net[1].requires_grad_(False)
    summary = net.summary()
    fixed = sum(p.size for p in net[1].parameters())
    assert (summary.parameters, summary.learned) == (12 + fixed, 12)
    assert f"{fixed} of them fixed" in str(summary)
    assert ("  again: Linear (the same again)", "", "") in summary.rows
    del net.again
    before = {name: array.copy() for name, array in net.state_dict().items()}
    rows = {name: shape for name, shape, _ in net.summary(tg.zeros(5, 2, 3)).rows}
    assert rows["  0: Linear"] == "(5, 2, 3)"
    assert rows["  1: LSTM"] == "(5, 2, 4), (1, 2, 4), (1, 2, 4)"
    for module in net.modules():
        assert "forward" not in vars(module)
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    with pytest.raises(ValueError):
        net.summary(tg.zeros(5, 2, 7))
    assert all("forward" not in vars(module) for module in net.modules())


def test_a_summary_is_a_table() -> None:
    expected = """
        layer        shape   parameters
        ModuleList                   12
          0: Linear                   6
            weight   (2, 2)           4
            bias     (2,)             2
          1: Linear                   6
            weight   (2, 2)           4
            bias     (2,)             2
        12 parameters, 48 bytes"""
    layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    assert str(layers.summary()) == textwrap.dedent(expected).strip()
