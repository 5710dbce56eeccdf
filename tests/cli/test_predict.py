from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import tinygrad_rnn as tg
from tinygrad_rnn.cli import main

from .conftest import NAMES, Fails


def predicted(out: str) -> dict[str, dict[str, float]]:
    """By name, the languages with their probabilities, in the order of the output."""
    blocks = [block.splitlines() for block in out.split("\n\n")[1:]]
    found = {
        name: [re.match(r"  (\S+) +([\d.]+)%", line) for line in lines] for name, *lines in blocks
    }
    return {
        name: {m[1]: float(m[2]) / 100 for m in matches if m} for name, matches in found.items()
    }


def test_ranks_the_languages(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(run_folder), "Kowalski", "Rossi", "Sato"]) == 0
    ranked = predicted(capsys.readouterr().out)
    assert [next(iter(languages)) for languages in ranked.values()] == [
        "Polish",
        "Italian",
        "Japanese",
    ]
    for languages in ranked.values():
        assert set(languages) == set(NAMES)
        assert list(languages.values()) == sorted(languages.values(), reverse=True)
        assert sum(languages.values()) == pytest.approx(1, abs=0.002)


def test_every_cell_of_a_run_can_be_asked(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for cell in ("gru", "lstm"):
        assert main(["predict", str(run_folder), "Nowak", "--cell", cell, "--top", "1"]) == 0
        out = capsys.readouterr().out
        assert out.startswith(cell)
        assert list(predicted(out)["Nowak"]) == ["Polish"]


def test_asks_the_cell_that_was_best(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = {}
    for cell in ("gru", "lstm"):
        lines = (run_folder / cell / "metrics.jsonl").read_text().splitlines()
        last[cell] = json.loads(lines[-1])["val_accuracy"]
    assert main(["predict", str(run_folder), "Nowak"]) == 0
    asked = capsys.readouterr().out.partition(",")[0]
    assert last[asked] == max(last.values())


def test_the_model_file_itself_will_do(run_folder: Path) -> None:
    assert main(["predict", str(run_folder / "gru" / "checkpoint.safetensors"), "Nowak"]) == 0


def test_unknown_letter_and_the_names_beside_it(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(run_folder), "Nowễk", "Nowak"]) == 2
    said = capsys.readouterr()
    assert list(predicted(said.out)) == ["Nowak"]
    assert len(said.err.splitlines()) == 1
    assert "'ễ' (U+1EC5) at position 4 of 'Nowễk'" in said.err


@pytest.mark.parametrize("name", ["", "Now\udcffak", "日本"])
def test_names_that_cannot_be_read(name: str, run_folder: Path, fails: Fails) -> None:
    fails("predict", run_folder, name)


def test_decomposed_accents_are_the_same_letters(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = []
    for name in ("W\u00f3jcik", "Wo\u0301jcik"):
        assert main(["predict", str(run_folder), name]) == 0
        answers.append(list(predicted(capsys.readouterr().out).values()))
    assert answers[0] == answers[1]


def test_missing_model(tmp_path: Path, fails: Fails) -> None:
    assert "no/such/run" in fails("predict", "no/such/run", "Nowak")
    assert "holds no trained model" in fails("predict", tmp_path, "Nowak")


def test_damaged_model(run_folder: Path, tmp_path: Path, fails: Fails) -> None:
    content = (run_folder / "gru" / "checkpoint.safetensors").read_bytes()
    flipped = bytearray(content)
    flipped[-100] ^= 1
    damaged = {
        "empty": b"",
        "truncated": content[: len(content) // 2],
        "flipped": bytes(flipped),
        "text": b"these are not weights at all, but a text",
    }
    for name, data in damaged.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(data)
        message = fails("predict", path, "Nowak")
        assert f"{name}.safetensors" in message
        assert "damaged" in message


def test_model_of_something_else(run_folder: Path, tmp_path: Path, fails: Fails) -> None:
    saved = tg.load(run_folder / "gru" / "checkpoint.safetensors")
    foreign = tmp_path / "foreign.safetensors"
    save_file(saved["model"], foreign, {"format": "pt"})
    assert "not one that tinygrad_rnn wrote" in fails("predict", foreign, "Nowak")
    other = tmp_path / "other.safetensors"
    tg.save({**saved, "about": {"what": "an image classifier"}}, other)
    assert "does not hold the models of a training run" in fails("predict", other, "Nowak")
    saved["about"]["settings"]["hidden_size"] = 7
    tg.save(saved, other)
    assert "weight_hh_l0 has shape" in fails("predict", other, "Nowak")


def test_models_of_several_runs(run_folder: Path, tmp_path: Path, fails: Fails) -> None:
    for name in ("gru", "lstm"):
        saved = tg.load(run_folder / name / "checkpoint.safetensors")
        saved["about"]["settings"]["dropout"] = 0.5 if name == "gru" else 0.0
        (tmp_path / name).mkdir()
        tg.save(saved, tmp_path / name / "checkpoint.safetensors")
    assert "holds models of several runs" in fails("predict", tmp_path, "Nowak")


def test_options(run_folder: Path, fails: Fails) -> None:
    assert "holds no cell 'rnn'; it holds: gru, lstm" in fails(
        "predict", run_folder, "Nowak", "--cell", "rnn"
    )
    assert "--top is 0" in fails("predict", run_folder, "Nowak", "--top", "0")
    assert "NAME" in fails("predict", run_folder)


def test_weights_that_are_not_finite(run_folder: Path, tmp_path: Path, fails: Fails) -> None:
    saved = tg.load(run_folder / "gru" / "checkpoint.safetensors")
    saved["model"]["readout.weight"] = np.full_like(saved["model"]["readout.weight"], np.nan)
    tg.save(saved, tmp_path / "nan.safetensors")
    message = fails("predict", tmp_path / "nan.safetensors", "Nowak")
    assert "not finite; train it again with a smaller --learning-rate" in message
