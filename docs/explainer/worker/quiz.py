"""Questions: the faults of the gym, each a network whose backward pass has one slip in it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from tinygrad_rnn.language import say, use_language
from tinygrad_rnn.lessons import gym

__all__ = ["faults", "mend", "solution"]


def faults() -> dict[str, Any]:
    """All of them: the network, and the text with the slip."""
    return {"faults": [{"network": fault.network, "text": fault.text()} for fault in gym.FAULTS]}


def mend(fault: int, text: str, language: str = "en") -> dict[str, Any]:
    """What is still wrong in a text that is to be mended."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / gym.FAULTS[fault].file
        path.write_text(text, encoding="utf-8")
        with use_language(language):
            found = gym.inspect_file(path)
        wrong = [told.replace(str(path), path.name) for told in found.wrong]
    return {"mended": found.mended, "wrong": wrong, "steps": found.steps}


def solution(fault: int, language: str = "en") -> dict[str, Any]:
    """A hint, and what the wrong part should be."""
    found = gym.FAULTS[fault]
    with use_language(language):
        hint = say(found.hint)
    return {"name": found.name, "hint": hint, "was": found.wrong, "is": found.right}
