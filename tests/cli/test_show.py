from __future__ import annotations

from pathlib import Path

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.cli.commands.show import _KNOBS, _LESSONS
from tinygrad_rnn.viz import LESSONS

from .conftest import Fails


def test_it_writes_and_names_a_page_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", "truncation", "--truncate", "7"]) == 0
    assert f"Open {(tmp_path / 'truncation.html').as_uri()}" in capsys.readouterr().out
    assert "Cut every 7 steps" in (tmp_path / "truncation.html").read_text(encoding="utf-8")


def test_the_ending_says_the_form(tmp_path: Path) -> None:
    assert main(["show", "no-future", "--out", str(tmp_path / "a.svg")]) == 0
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_command_knows_all_lessons_and_their_knobs() -> None:
    assert list(_LESSONS) == list(LESSONS)
    names = {knob.name.replace("_", "-") for lesson in LESSONS.values() for knob in lesson.knobs}
    assert set(_KNOBS) == names


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["vanish"], "invalid choice: 'vanish'"),
        (["gates", "--truncate", "3"], "'gates' has no truncate; it has forget-bias, steps"),
        (["vanishing", "--steps", "0"], "steps is 0, but must be a whole number from 2"),
        (["vanishing", "--out", "a.gif"], "'a.gif' should end in .html or .svg"),
    ],
)
def test_what_cannot_be_shown(options: list[str], expected: str, fails: Fails) -> None:
    assert expected in fails("show", *options)


def test_a_lesson_in_korean(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["show", "truncation", "--lang", "ko"]) == 0
    page = (tmp_path / "truncation.html").read_text(encoding="utf-8")
    assert "잘라 낸 역전파는 무엇을 잃는가?" in page and "--lang ko" in page
    assert "잘라 낸 역전파는 무엇을 잃는가?" in capsys.readouterr().out
    monkeypatch.setenv("TINYGRAD_RNN_LANGUAGE", "xx")
    assert main(["show", "truncation"]) == 2
    assert "TINYGRAD_RNN_LANGUAGE is 'xx'" in capsys.readouterr().err
