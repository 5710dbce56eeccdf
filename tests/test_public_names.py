"""Every public name has a docstring with an example, and every example is right."""

from __future__ import annotations

import doctest
import io
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

MAKE_REFERENCE = Path(__file__).parent.parent / "docs" / "make_reference.py"
reference = runpy.run_path(str(MAKE_REFERENCE))

PUBLIC = reference["public_names"]()
WITHOUT_EXAMPLE = {"tinygrad_rnn.data.PADDING", "tinygrad_rnn.viz.LESSONS"}  # plain values
EXAMPLES = [
    test
    for module in reference["modules"]()
    for test in doctest.DocTestFinder(exclude_empty=True).find(module)
    if test.examples
]


@pytest.mark.parametrize("module", reference["public_modules"](), ids=lambda m: m.__name__)
def test_listed_names_exist_once_and_their_module_is_explained(module: ModuleType) -> None:
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name), f"{module.__name__}.__all__ lists {name}, which is not there"


@pytest.mark.parametrize("path", [path for path in PUBLIC if path not in WITHOUT_EXAMPLE])
def test_public_name_is_explained_by_an_example(path: str) -> None:
    explanation = PUBLIC[path].__doc__ or ""
    assert ">>>" in explanation, f"the docstring of {path} has no example (>>>)"
    assert not explanation.lstrip().startswith(">>>"), f"{path}: say what it is before the example"


def test_names_without_example_are_public() -> None:
    assert set(PUBLIC) >= WITHOUT_EXAMPLE


def test_every_name_in_the_reference_is_reached_from_the_package() -> None:
    written = reference["REFERENCE"].read_text(encoding="utf-8")
    names = re.findall(r"^(?:- `|## )tg\.([\w.]+)", written, re.MULTILINE)
    assert len(names) > 300
    code = (
        "import sys, tinygrad_rnn as tg; from functools import reduce\n"
        "for name in sys.stdin.read().split(): reduce(getattr, name.split('.'), tg)"
    )  # in a process that has imported the package alone
    subprocess.run([sys.executable, "-c", code], input="\n".join(names), text=True, check=True)


def test_reference_lists_every_public_name() -> None:
    written = reference["REFERENCE"].read_text(encoding="utf-8")
    assert written == reference["reference"](), "run: python docs/make_reference.py"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_gives_what_it_shows(
    example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=report.write)
    assert runner.failures == 0, report.getvalue()
