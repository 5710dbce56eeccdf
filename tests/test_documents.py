"""Every code block of README and docs is executed; every link and command leads somewhere.

Blocks marked `python`, and the `{code-cell}`s of notebooks, run in order, one namespace a file:
those that begin with `>>>` as doctests, others as scripts. Of blocks marked `sh`, each command is
looked up: scripts and modules must exist, `tinygrad-rnn` must know the options. Blocks marked
`text` are not code.
"""

from __future__ import annotations

import doctest
import io
import re
import shlex
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tinygrad_rnn as tg

ROOT = Path(__file__).parent.parent
MADE = {"_build", "api", "examples", "node_modules"}  # when the site is built
DOCUMENTS = [
    ROOT / "README.md",
    *(
        p
        for p in sorted((ROOT / "docs").glob("**/*.md"))
        if not MADE & {*p.parts[len(ROOT.parts) :]}
    ),
]
CODE = {"python", "{code-cell}"}
NEEDS = {"export.md": ("torch", "jax", "onnx", "onnxruntime")}  # the libraries that pages are about
KNOWN = {*CODE, "sh", "text", "{toctree}"}


class Block(NamedTuple):
    """A fenced block: its language, its first line's number in the file, its content."""

    language: str
    line: int
    content: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text."""
    options = r"(?::[^\n]*\n)*"  # of a directive
    found = re.finditer(
        rf"^```([{{}}\w-]*)[^\n]*\n{options}(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    return [Block(m[1], text.count("\n", 0, m.start(2)) + 1, m[2]) for m in found]


def execute(block: Block, file: str, names: dict[str, Any]) -> None:
    """Run a block of Python; errors and failures name the line in the document."""
    if not block.content.startswith(">>>"):
        exec(compile("\n" * (block.line - 1) + block.content, file, "exec"), names)
        return
    parser = doctest.DocTestParser()
    test = parser.get_doctest(block.content, names, file, file, block.line - 1)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.write, clear_globs=False)
    names.update(test.globs)
    assert runner.failures == 0, report.getvalue()


def commands(block: Block) -> list[list[str]]:
    """The commands of a `sh` block, one list of words each; comments left out."""
    lines = block.content.replace("\\\n", " ").splitlines()
    found = [shlex.split(part, comments=True) for line in lines for part in line.split("&&")]
    return [words for words in found if words]


@cache
def help_text(*command: str) -> str:
    """What `tinygrad-rnn <command> --help` prints."""
    call = [sys.executable, "-m", "tinygrad_rnn", *command, "--help"]
    return subprocess.run(call, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout


def check_command(words: list[str]) -> None:
    """Fail if a command names a script, a module or an option that does not exist."""
    program, *rest = words
    # Whoever followed the README has activated nothing: the environment's programs have a path.
    if program not in ("python3", ".ci/run"):
        assert program.startswith(".venv/bin/"), f"cannot be pasted: {words}"
    program = program.rpartition("/")[2]
    if program == "tinygrad-rnn":
        subcommand = [word for word in rest[:1] if not word.startswith("-")]
        known = help_text(*subcommand)
        for option in (word for word in rest if word.startswith("--")):
            assert re.search(rf"{option.partition('=')[0]}\b", known), f"no {option}: {words}"
    elif program in {"python", "python3"} and rest[0] == "-m":
        known = {"venv", "pip", "pytest", "tinygrad_rnn"}
        assert rest[1] in known or (ROOT / rest[1].replace(".", "/")).exists()
    elif program in {"python", "python3"}:
        assert (ROOT / rest[0]).is_file(), f"no {rest[0]}: {words}"
    else:
        assert (ROOT / words[0]).is_file(), f"what is this? {words}"


def _right(check: Any, name: str, answer: Any) -> Any:
    """The verdict on an answer that a chapter gives, which has to be right."""
    verdict = check(name, answer)
    assert verdict, f"{name}: {answer} is not right"
    return verdict


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_code_runs(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if document.parent.name == "learn" and document.name != "index.md":
        monkeypatch.setattr(tg.lessons, "check", partial(_right, tg.lessons.check))
    for needed in NEEDS.get(document.name, ()):
        pytest.importorskip(needed, reason=f"needs {needed}")
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(document.read_text(encoding="utf-8")):
        assert block.language in KNOWN, f"line {block.line}: mark the block as one of {KNOWN}"
        if block.language in CODE:
            execute(block, str(document), names)
        if block.language == "sh":
            for words in commands(block):
                check_command(words)


# The reference is made of docstrings, and the changes tell of old names: both mean the program.
GUIDES = [path for path in DOCUMENTS if path.name not in {"reference.md", "changes.md"}]


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: path.name)
def test_commands_in_the_text_can_be_pasted(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    programs = r"(?:\S*/)?(?:tinygrad-rnn|python3?|pip)"
    for line in re.findall(rf"`({programs}\s+\S[^`]*)`", re.sub(r"\s+", " ", text)):
        check_command(shlex.split(line))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://", "#")):
            path = document.parent / target.partition("#")[0]
            assert path.exists(), f"{document.name} links to {target}, which is not there"


def test_every_page_is_in_the_contents_of_the_site() -> None:
    docs = ROOT / "docs"
    pages = [path for path in DOCUMENTS if docs in path.parents]
    listed = {docs / "index.md"}
    for page in pages:
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.language == "{toctree}":
                names = [line for line in block.content.split() if "*" not in line]
                listed |= {(page.parent / f"{name}.md").resolve() for name in names}
    assert {*pages} - listed == set()


def test_readme_has_two_commands_which_ci_runs() -> None:
    readme = [*blocks((ROOT / "README.md").read_text(encoding="utf-8"))]
    lines = "".join(block.content for block in readme if block.language == "sh").splitlines()
    whole = [line for line in lines if line.startswith("python3 -m venv --without-pip .venv && ")]
    assert [line.rpartition(" ")[2] for line in whole] == ["train", "pytest"]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert all(f"readme_command {name}" in ci for name in ("train", "pytest"))


README_WIDTH = 980.0  # px that GitHub shows a picture in; a wider one is shrunk
LEAST_LABEL = 11.0  # px
SMALLER = {"map_backward_gates": 10.0}  # two steps of this one are no narrower


DRAWN = sorted((ROOT / "docs" / "images").glob("*.ko.svg"))  # by this package, in two languages


@pytest.mark.parametrize("picture", DRAWN, ids=lambda picture: picture.name)
def test_labels_can_be_read_at_the_width_of_a_readme(picture: Path) -> None:
    picture = picture.with_name(picture.name.replace(".ko", ""))
    svg = picture.read_text(encoding="utf-8")
    (view,) = re.findall(r'<svg xmlns[^>]* viewBox="([^"]+)"', svg)
    sizes = [float(px) for px in re.findall(r"font-size(?:=\"|: ?)([\d.]+)", svg)]
    shown = min(sizes) * min(1.0, README_WIDTH / float(view.split()[2]))
    assert shown >= SMALLER.get(picture.stem, LEAST_LABEL)


# What is checked above can fail.


@pytest.mark.parametrize("content", ["raise ValueError\n", ">>> 1 + 1\n3\n"])
def test_wrong_code_is_noticed(content: str) -> None:
    with pytest.raises((ValueError, AssertionError)):
        execute(Block("python", 1, content), "document.md", {})


@pytest.mark.parametrize(
    "line",
    [
        ".venv/bin/tinygrad-rnn train --no-such-option",
        ".venv/bin/python examples/none.py",
        ".venv/bin/no-such-program",
        "tinygrad-rnn train",
        "python examples/own_op.py",
    ],
)
def test_wrong_command_is_noticed(line: str) -> None:
    (words,) = commands(Block("sh", 1, line))
    with pytest.raises(AssertionError):
        check_command(words)


def test_blocks_know_their_line() -> None:
    (block,) = blocks("a\n\n```python\nx = 1\n```\n")
    assert block == Block("python", 4, "x = 1\n")
