from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.data import load_names, pad
from tinygrad_rnn.nn import GRUCell
from tinygrad_rnn.training.names import Corpus, Trained

from .conftest import Fails


def report(run: Path, out: Path, *options: str) -> str:
    assert main(["report", str(run), "--out", str(out), *options]) == 0
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("report") / "a.html"
    return report(run_folder, out, "--name", "Kowalski", "--cell", "gru")


def test_it_names_a_page_that_opens_and_says_whether_the_answer_is_right(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.html"
    page = report(run_folder, out, "--name", "Kowalski", "--cell", "gru")
    assert capsys.readouterr().out.endswith(f"Open {out.as_uri()}\n")
    assert "“Kowalski” is Polish." in page
    assert re.search(r"gru: Polish <b>✓ right|gru: \w+ <b>✗ wrong: it is Polish", page)


def test_the_accuracy_and_the_confusion_matrix_are_those_of_the_held_out_names(
    page: str, run_folder: Path, names_folder: Path
) -> None:
    trained = Trained.load(run_folder)
    corpus = Corpus.of(load_names(str(names_folder)), trained.settings.seed)
    model, part = trained.model("gru", GRUCell), corpus.held_out
    said = model.probabilities(*pad(part.codes)).argmax(axis=1)
    assert f"gru {(said == part.labels).mean():.1%}" in page
    for true, name in enumerate(corpus.classes):
        of_class = part.labels == true
        count = int((said[of_class] == true).sum())
        assert f"{name}, predicted {name}: {count} of {of_class.sum()}" in page
    assert int(np.sum(said == part.labels)) == round(trained.accuracies["gru"] * len(part))


def test_the_lesson_is_in_its_order(page: str) -> None:
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "How good are they?",
        "Which classes are confused?",
        "Right and wrong",
        "Gradient flow",
        "And over a hundred letters?",
        "Gates",
        "Backpropagation through time",
        "The parts of the gradient",
        "Connectivity",
    ]
    assert "t = 0 · K" in page and "What is left of the gradient" in page


def test_a_name_that_nobody_knows_is_answered_all_the_same(
    run_folder: Path, tmp_path: Path
) -> None:
    page = report(run_folder, tmp_path / "a.html", "--name", "Katokato", "--cell", "gru")
    assert "is in none of the lists" in page and "✓" not in page


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["no/such/run"], "no run 'no/such/run'"),
        (["RUN", "--name", "Ж"], "Ж"),
        (["RUN", "--out", "a.svg"], "--out is 'a.svg', but should end in .html"),
        (["RUN", "--cell", "rnn"], "holds no cell 'rnn'; it holds: gru, lstm"),
    ],
)
def test_what_cannot_be_reported(
    options: list[str], expected: str, run_folder: Path, fails: Fails
) -> None:
    given = [str(run_folder) if option == "RUN" else option for option in options]
    assert expected in fails("report", *given)
