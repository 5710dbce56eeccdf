"""The chart of a history, and the report of any training."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, viz
from tinygrad_rnn.data import PaddedBatches, Windows
from tinygrad_rnn.training import Training
from tinygrad_rnn.viz.charts.history import ticks

VALUES = st.floats(width=32) | st.just(math.nan) | st.floats(-1e-12, 1e-12)


@given(st.lists(st.dictionaries(st.sampled_from(["train_a", "val_a", "b"]), VALUES), max_size=6))
def test_any_history_is_drawn(rows: list[dict[str, float]]) -> None:
    chart = viz.plot_history(rows)
    names = {name.removeprefix("train_").removeprefix("val_") for row in rows for name in row}
    assert {panel.title for panel in chart.panels} == names
    ET.fromstring(chart.svg())
    assert "nan" not in re.sub(r"<title>.*?</title>", "", chart.svg())


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_within(low: float, span: float) -> None:
    found = ticks(low, low + span)
    slack = 1e-9 * max(abs(low), span)
    assert 1 <= len(found) <= 6
    assert all(low - slack <= tick <= low + span + slack for tick, _ in found)
    assert len({label for _, label in found}) == len(found)


def test_training_and_validation_share_a_panel() -> None:
    rows = [{"epoch": 1, "train_loss": 2.0, "val_loss": 3.0, "seconds": 1.0, "rate": 0.1}]
    chart = viz.plot_history(rows)
    assert [panel.title for panel in chart.panels] == ["loss", "rate"]
    for text in ("training", "validation"):
        assert f">{text}<" in chart.svg()
    assert [panel.title for panel in viz.plot_history(rows, ["rate"]).panels] == ["rate"]
    with pytest.raises(KeyError, match="no metric 'accuracy' was measured; there are loss, rate"):
        viz.plot_history(rows, ["accuracy"])


class Reader(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        self.embedding, self.layer = nn.Embedding(5, 3), layer
        self.readout = nn.Linear(4, 2)

    def forward(self, batch: Any) -> Any:
        outputs, _ = self.layer(self.embedding(batch.inputs), lengths=batch.lengths)
        return self.readout(outputs[-1])


def trained(model: nn.Module, loss: Any, data: Any, **options: Any) -> Training:
    made = Training(model, loss, data, optimizer=optim.SGD(model.parameters()), **options)
    made.train_epoch()
    return made


def test_the_report_of_a_training_shows_what_its_layer_reads(tmp_path: Path) -> None:
    model = Reader(nn.GRU(3, 4))
    data = PaddedBatches([[1, 2, 3], [4, 1]], [0, 1], batch_size=2)
    loss = lambda model, batch: nn.cross_entropy(model(batch), batch.labels)
    training = trained(model, loss, data, validation=data)
    viz.training_report(tmp_path / "report.html", {"reader": training}, "<A> training")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;A&gt; training" in page
    for text in ("History", "Gradient flow", "reset gate", "Connectivity"):
        assert text in page
    assert model.training and "forward" not in vars(model.layer)


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(1, 2, bidirectional=True, num_layers=2),
        nn.RNN(1, 4, batch_first=True),
        nn.GRU(1, 4, reverse=True),
        nn.Linear(1, 4),
    ],
    ids=["both ways", "batch first", "reverse", "none"],
)
def test_any_layer_or_none(layer: nn.Module, tmp_path: Path) -> None:
    def loss(model: Any, batch: Any) -> Any:
        found = model(batch.inputs)
        return tg.square(found[0] if isinstance(found, tuple) else found).mean()

    data = Windows(np.sin(np.arange(30.0)), 12, batch_size=4)
    model = nn.Module()
    model.layer = layer  # type: ignore[attr-defined]
    model.forward = lambda x: layer(x)  # type: ignore[method-assign]
    training = trained(model, loss, data)
    page = viz.training_report(tmp_path / "report.html", {"": training}).read_text("utf-8")
    assert "History" in page
    assert ("Gradient flow" in page) == (not isinstance(layer, nn.Linear))
