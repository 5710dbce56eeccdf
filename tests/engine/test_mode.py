"""The current mode: a change of one setting keeps the others."""

from __future__ import annotations

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.engine.recording.mode import Mode, ModeChange, current_mode


@pytest.mark.parametrize("change", [lambda: ModeChange(grad=False), lambda: tg.scope("inside")])
def test_a_change_of_one_setting_keeps_the_others(change) -> None:
    outer = {name: object() for name in Mode.__slots__ if name not in ("scope", "observer")}
    with ModeChange(**outer), change():
        now = current_mode()
        kept = {name: getattr(now, name) for name in outer}
    assert kept == outer | ({"grad": False} if kept["grad"] is False else {})
