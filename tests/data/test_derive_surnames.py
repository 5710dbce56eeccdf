"""The command that derives the packaged surnames."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest

from tinygrad_rnn.data.derive_surnames import clean_surname, keep_at_most, main, shared_names
from tinygrad_rnn.data.names import PACKAGED_SURNAMES
from tinygrad_rnn.invocation import install_command


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (" Nováková ", "Nováková"),
        ("Mu\u0308ller", "Müller"),
        ("O’Neill", "O'Neill"),
        ("CHIANG", "Chiang"),
        ("van 't Riet", "van 't Riet"),
        ("St-Jean", "St-Jean"),
        ("I", None),
        ("Este, van", None),
        ("Akyerε", None),
        ("Иванов", None),
        ("Koch 2", None),
        ("", None),
    ],
)
def test_cleaning_an_entry(entry: str, name: str | None) -> None:
    assert clean_surname(entry) == name


def test_the_choice_of_names_is_sorted_and_does_not_depend_on_their_order() -> None:
    names = [f"Name{number}" for number in range(100)]
    chosen = keep_at_most(names, 10)
    assert chosen == sorted(chosen) == keep_at_most(reversed(names), 10)
    assert len(chosen) == 10
    assert set(chosen) != set(names[:10])
    assert keep_at_most(names, 1000) == sorted(names)


def test_shared_names_are_those_of_several_languages() -> None:
    assert shared_names({"B": ["x", "y"], "A": ["y", "z"]}) == {"y": ["A", "B"]}


def test_without_faker_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "faker", None)
    assert main([str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err == (
        "error: deriving the surnames needs the faker package, which is not installed: "
        f"{install_command('data')}\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["a", "b"]])
def test_wrong_arguments_show_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: python -m tinygrad_rnn.data.derive_surnames")


def test_deriving_again_gives_the_packaged_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("faker", reason="needs faker")
    readme = (PACKAGED_SURNAMES / "README.md").read_text(encoding="utf-8")
    if f" {metadata.version('faker')} " not in readme:
        pytest.skip("the packaged surnames come from another version of faker")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    derived = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert derived == {path.name: path.read_bytes() for path in PACKAGED_SURNAMES.iterdir()}
