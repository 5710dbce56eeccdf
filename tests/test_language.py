"""Every text of a picture, a report or an exercise is in the catalogue of each language."""

from __future__ import annotations

import ast
import json
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import cells, language, nn, viz
from tinygrad_rnn.cards.equations.equations import KINDS
from tinygrad_rnn.cards.formal import PASSES
from tinygrad_rnn.cards.glossary import GLOSSARY
from tinygrad_rnn.cards.measured.speed import NAMES
from tinygrad_rnn.cards.measured.trained import NO_SIZE, NO_VECTORS, NOT_TRAINED
from tinygrad_rnn.comparison.charts import WHEN
from tinygrad_rnn.comparison.report import PLACE
from tinygrad_rnn.comparison.table import HEAD
from tinygrad_rnn.data import tasks
from tinygrad_rnn.language import LANGUAGES, say, use_language
from tinygrad_rnn.lessons.exercise import EXERCISES
from tinygrad_rnn.lessons.gym import FAULTS
from tinygrad_rnn.viz.charts.history import PARTS
from tinygrad_rnn.viz.model.levels import LEVELS
from tinygrad_rnn.viz.page.html import KEYS as PAGE_KEYS
from tinygrad_rnn.viz.page.html import WORDS

ROOT = Path(tg.__file__).parent
DOCS = Path(__file__).parent.parent / "docs"
sys.path.insert(0, str(DOCS))
from gallery_cells import FAMILIES  # noqa: E402

OTHERS = [name for name in LANGUAGES if name != "en"]
VERDICTS = ("vanishes", "explodes")
METRICS = ("loss", "accuracy", "gradient norm", "learning rate")


def said() -> Iterator[str]:
    """What `say` is called with: literals, or constants of the module by name."""
    for path in [*ROOT.rglob("*.py"), *DOCS.glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
                given = node.args[0]
                for text in (given.body, given.orelse) if isinstance(given, ast.IfExp) else [given]:
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield text.value
                    elif isinstance(text, ast.Name) and text.id in constants:
                        yield constants[text.id]


def names_in_cells() -> set[str]:
    """The words that PyTorch's three cells give their values."""
    found: set[str] = set()
    for cell in (nn.RNNCell(2, 3), nn.LSTMCell(2, 3), nn.GRUCell(2, 3)):
        for by_name in viz.gates(nn.Recurrent(cell), tg.zeros(2, 1, 2)).values():
            found |= {name for name in by_name if len(name) > 1}
    return found


def texts() -> set[str]:
    """All that may be looked up."""
    found = {
        *said(),
        *PAGE_KEYS,
        *WORDS,
        *LEVELS,
        *PARTS.values(),
        *METRICS,
        *VERDICTS,
        *names_in_cells(),
    }
    for lesson in viz.LESSONS.values():
        found |= {lesson.question, lesson.look, *lesson.why, *lesson.turn}
        found |= {knob.label for knob in lesson.knobs}
    found |= {fault.hint for fault in FAULTS}
    found |= {text for entry in GLOSSARY.values() for text in entry}
    found |= {*KINDS.values(), *PASSES.values(), *NAMES.values()}  # cards
    found |= {"as it is", "at initialisation", "trained", NO_SIZE, NO_VECTORS, NOT_TRAINED}
    found |= {*WHEN.values(), *HEAD, *PLACE, *tasks.discover()}  # comparisons
    found |= {*FAMILIES.values(), "dense", "block", "permuted", "diagonal", "none"}  # the gallery
    for asked in EXERCISES.values():
        found |= {asked.text, asked.hint, asked.because}
        found |= {answer for answer in [asked.answer()] if isinstance(answer, str)}
    return found


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("name", OTHERS)
def test_every_text_is_translated_and_no_other(name: str) -> None:
    path = ROOT / "locale" / f"{name}.json"
    catalogue = json.loads(path.read_text(encoding="utf-8"))
    known = texts()
    assert not known - catalogue.keys(), sorted(known - catalogue.keys())
    assert not catalogue.keys() - known, sorted(catalogue.keys() - known)


@pytest.mark.parametrize("name", OTHERS)
def test_a_translation_has_the_values_of_its_text(name: str) -> None:
    catalogue = json.loads((ROOT / "locale" / f"{name}.json").read_text(encoding="utf-8"))
    for text, other in catalogue.items():
        assert fields(text) == fields(other), text


def test_a_language_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"'xx', but should be one of en, ko"), use_language("xx"):
        pass


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYGRAD_RNN_LANGUAGE", "ko")
    assert language.get_language() == "ko" and say("step") != "step"
    monkeypatch.setenv("TINYGRAD_RNN_LANGUAGE", "tlh")
    with pytest.raises(ValueError, match=r"TINYGRAD_RNN_LANGUAGE is 'tlh'"):
        language.get_language()


def test_a_picture_in_korean_has_korean_words_and_the_same_boxes() -> None:
    picture = viz.bptt(nn.LSTM(2, 3), tg.zeros(2, 1, 2), level="gates")
    english = picture.svg()
    with use_language("ko"):
        korean, page = picture.svg(), picture.html()
    words = "".join(ElementTree.fromstring(korean).itertext())
    assert "망각 게이트" in words and "forget gate" not in words
    assert english.count("<rect") == korean.count("<rect")
    assert '<html lang="ko">' in page
    assert picture.svg() == english


def test_an_exercise_in_korean() -> None:
    with use_language("ko"):
        assert str(tg.lessons.question("lstm.1")).startswith("문제 lstm.1.")
        assert repr(tg.lessons.check("lstm.1", 0.9)).startswith("아직")
        assert tg.lessons.check("shapes.1", "다대일") and tg.lessons.check(
            "shapes.1", "many to one"
        )


def test_names_of_the_users_own_stay_as_they_are() -> None:
    assert cells  # the zoo is imported
    with use_language("ko"):
        assert say("my own gate") == "my own gate"
