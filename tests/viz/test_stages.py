"""The picture of a plan: well formed, complete, and safe with any name."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn, viz


class Named(nn.Cell):
    hidden_size = 2
    input_size = 2

    def forward(self, x, h):
        return tg.tanh(x + h).named('<b>"&')


def texts(picture) -> list[str]:
    root = ElementTree.fromstring(picture.svg())
    return [e.text or "" for e in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_instruction_is_drawn() -> None:
    plan = nn.LSTMCell(3, 4).plan()
    drawn = texts(viz.stages(plan))
    for line in plan.lines:
        assert line.name in drawn
    assert {"forward", "backward", "the loop: step by step"} <= set(drawn)


def test_names_are_escaped() -> None:
    assert '<b>"&' in texts(viz.stages(Named().plan()))


def test_it_is_saved_by_its_ending(tmp_path) -> None:
    picture = viz.stages(nn.RNNCell(3, 4).plan())
    assert picture.save(tmp_path / "plan.svg").read_text(encoding="utf-8") == picture.svg()
    with pytest.raises(ValueError, match=r"should end in \.svg"):
        picture.save(tmp_path / "plan.gif")
