from __future__ import annotations

import os
from pathlib import Path

import pytest

from tinygrad_rnn.files import write_file


def test_writes_text_and_bytes(tmp_path: Path) -> None:
    write_file(tmp_path / "a", "W_xh, Wójcik\n")
    write_file(str(tmp_path / "b"), b"\x00\xff")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "W_xh, Wójcik\n"
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_others_may_read_it_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_file(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_was_there_stays_if_writing_fails(
    stop: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    write_file(path, "old")

    def fail(_: int) -> None:
        raise stop

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(stop)) as caught:
        write_file(path, "new")
    if isinstance(caught.value, OSError):
        assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_file(tmp_path / "no" / "file", "")
    assert caught.value.filename == str(tmp_path / "no" / "file")
