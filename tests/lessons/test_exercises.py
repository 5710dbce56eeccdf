"""Every exercise of the guide has a page that answers it, and knows right from wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.lessons.exercise import EXERCISES

PAGES = (Path(__file__).parent.parent.parent / "docs" / "learn").glob("[0-9]*.md")
ANSWERED = set(
    re.findall(r'lessons\.check\("([\w.-]+)"', "".join(p.read_text("utf-8") for p in PAGES))
)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_true_answer_is_right_and_another_is_not(name: str) -> None:
    right = EXERCISES[name].answer()
    assert name in ANSWERED
    assert tg.lessons.check(name, right)
    wrong = "none of them" if isinstance(right, str) else 2 * right + 1
    assert not tg.lessons.check(name, wrong)
    with pytest.raises(TypeError, match="the answer"):
        tg.lessons.check(name, "three" if not isinstance(right, str) else 3)


def test_every_exercise_on_a_page_is_there() -> None:
    assert ANSWERED - {*EXERCISES} == set()


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'lstm\.1'"):
        tg.lessons.question("lsmt.1")
