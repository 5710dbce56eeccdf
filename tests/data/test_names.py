"""Loading a folder of names, and the packaged surnames."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn.data import DataError, NameData, load_names
from tinygrad_rnn.data.names import PACKAGED_SURNAMES

SHARED_NAMES = Path(__file__).parents[2] / ".." / "shared" / "data" / "names"


def write_classes(folder: Path, **classes: str | bytes) -> Path:
    for name, content in classes.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{name}.txt").write_bytes(data)
    return folder


def load_error(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_names(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture(scope="module")
def packaged() -> NameData:
    return load_names()


def test_items_keep_file_order_and_classes_are_sorted(tmp_path: Path) -> None:
    write_classes(tmp_path, Dutch="Vos\nBlom\n", Czech="Novák\nBeran\nDušek\n")
    data = load_names(tmp_path)
    assert data.classes == ("Czech", "Dutch")
    assert data.items == ("Novák", "Beran", "Dušek", "Vos", "Blom")
    assert data.labels.tolist() == [0, 0, 0, 1, 1]
    assert data.labels.dtype == np.int64


def test_alphabet_is_every_character_sorted_once(tmp_path: Path) -> None:
    write_classes(tmp_path, A="ba\nab c\n", B="éa\nb\n")
    assert load_names(tmp_path).alphabet == " abcé"


def test_blank_lines_white_space_and_doubled_items_are_dropped(tmp_path: Path) -> None:
    write_classes(tmp_path, A="\n  Vos \r\n\t\nBlom\r\nVos\n\n", B="x\ny")
    assert load_names(tmp_path).items == ("Vos", "Blom", "x", "y")


def test_an_item_of_two_classes_stays_in_both(tmp_path: Path) -> None:
    write_classes(tmp_path, A="Simon\nVos", B="Simon\nRoy")
    data = load_names(tmp_path)
    assert [data.classes[label] for label in data.labels[np.array(data.items) == "Simon"]] == [
        "A",
        "B",
    ]


def test_items_and_class_names_are_nfc_normalised(tmp_path: Path) -> None:
    composed, decomposed = "Müller", unicodedata.normalize("NFD", "Müller")
    write_classes(tmp_path, **{decomposed: f"{decomposed}\n{composed}\nx\n", "A": "a\nb\n"})
    data = load_names(tmp_path)
    assert data.items == ("a", "b", composed, "x")
    assert data.classes == ("A", composed)


def test_a_byte_order_mark_is_no_part_of_the_first_item(tmp_path: Path) -> None:
    write_classes(tmp_path, A="\ufeffVos\nBlom\n", B="x\ny\n")
    assert load_names(tmp_path).items[0] == "Vos"


def test_other_and_hidden_files_and_folders_are_ignored(tmp_path: Path) -> None:
    write_classes(tmp_path, A="a\nb\n", B="x\ny\n", **{"._A": b"\x00\x05\xff"})
    (tmp_path / "README.md").write_text("no names here")
    (tmp_path / "C.txt").mkdir()
    assert load_names(tmp_path).classes == ("A", "B")


def test_a_folder_may_be_given_as_text(tmp_path: Path) -> None:
    write_classes(tmp_path, A="a\nb\n", B="x\ny\n")
    assert load_names(str(tmp_path)).items == load_names(tmp_path).items


def test_missing_folder(tmp_path: Path) -> None:
    folder = tmp_path / "absent"
    assert load_error(folder) == (
        f"no folder {str(folder)!r} (expected a folder with "
        "one UTF-8 text file <Class>.txt a class, one item a line)"
    )


def test_file_instead_of_folder(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("a\n")
    assert load_error(file).startswith(f"{str(file)!r} is not a folder (expected a folder with")


def test_folder_without_text_file(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("a\n")
    assert load_error(tmp_path).startswith(f"no .txt file in {str(tmp_path)!r} (expected")


def test_single_class(tmp_path: Path) -> None:
    write_classes(tmp_path, Dutch="a\nb\n")
    assert load_error(tmp_path).startswith(f"only one class in {str(tmp_path)!r}: 'Dutch.txt'")


@pytest.mark.parametrize("content", [b"", b"\n \n\t\n", b"\xef\xbb\xbf"])
def test_file_without_item(tmp_path: Path, content: bytes) -> None:
    write_classes(tmp_path, A=content, B="x\ny\n")
    path = str(tmp_path / "A.txt")
    assert load_error(tmp_path) == f"{path!r} has no item (expected one item a line)"


@pytest.mark.parametrize("content", ["Vos", "Vos\n\nVos \n"])
def test_class_with_one_item(tmp_path: Path, content: str) -> None:
    write_classes(tmp_path, A=content, B="x\ny\n")
    assert load_error(tmp_path).startswith(
        f"{str(tmp_path / 'A.txt')!r} has one item only, 'Vos' (a class needs at least two"
    )


@pytest.mark.parametrize(
    ("content", "line", "byte", "where", "offset"),
    [
        (b"\xe9tienne\nb\n", 1, "e9", 1, 0),
        ("Vos\nÉva".encode() + b"\xff\nb\n", 2, "ff", 5, 8),
        (b"\xef\xbb\xbfVos\nM\xfcller\n", 2, "fc", 2, 8),
        (b"Vos\nBl\xc3", 2, "c3", 3, 6),
    ],
)
def test_bytes_that_are_not_utf8(
    tmp_path: Path, content: bytes, line: int, byte: str, where: int, offset: int
) -> None:
    write_classes(tmp_path, A=content, B="x\ny\n")
    assert load_error(tmp_path) == (
        f"{str(tmp_path / 'A.txt')!r}, line {line}: byte 0x{byte} at byte {where} of the line "
        f"(offset {offset} in the file) is not UTF-8 (save the file as UTF-8)"
    )


def test_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classes(tmp_path, A="a\nb\n", B="x\ny\n")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert load_error(tmp_path) == f"cannot read {str(tmp_path / 'A.txt')!r}: Permission denied"


def test_two_files_of_the_same_class_name(tmp_path: Path) -> None:
    write_classes(
        tmp_path, **{unicodedata.normalize(form, "Ü"): "a\nb\n" for form in ("NFC", "NFD")}
    )
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system normalises file names")
    assert load_error(tmp_path).startswith(f"two files in {str(tmp_path)!r} stand for class 'Ü'")


def test_packaged_set_has_many_balanced_enough_classes(packaged: NameData) -> None:
    sizes = np.bincount(packaged.labels)
    assert len(packaged.classes) == len(sizes) >= 15
    assert sizes.min() >= 40
    assert sizes.max() <= 1000
    assert len(packaged.items) == len(packaged.labels) >= 5000


def test_packaged_names_are_nfc_and_latin(packaged: NameData) -> None:
    assert all(unicodedata.is_normalized("NFC", item) for item in packaged.items)
    for character in packaged.alphabet:
        assert character in " '-" or unicodedata.name(character).startswith("LATIN ")
    assert not any(item.isupper() for item in packaged.items)


def test_packaged_files_are_sorted_without_doubles_and_small() -> None:
    files = sorted(PACKAGED_SURNAMES.glob("*.txt"))
    for path in files:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines == sorted(set(lines)), path.name
    assert sum(path.stat().st_size for path in files) < 300_000


def test_packaged_readme_counts_what_is_there(packaged: NameData) -> None:
    readme = (PACKAGED_SURNAMES / "README.md").read_text(encoding="utf-8")
    for name, size in zip(packaged.classes, np.bincount(packaged.labels), strict=True):
        assert f"| {name} | {size} |" in readme
    assert "Permission is hereby granted, free of charge" in readme
    assert "Copyright (c) 2012 Daniele Faraglia" in readme


@pytest.mark.skipif(not SHARED_NAMES.is_dir(), reason="the folder of names is not here")
def test_eighteen_classes_of_names_load() -> None:
    data = load_names(SHARED_NAMES)
    assert len(data.classes) == 18
    assert np.bincount(data.labels).min() >= 2


def test_importing_the_data_package_loads_no_optional_dependency() -> None:
    command = (
        "import sys, tinygrad_rnn.data; "
        "print([name for name in ('faker', 'hypothesis', 'pytest') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
