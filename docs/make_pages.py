"""The pages of the site that are made, not written: the reference, and the examples as notebooks.

Sphinx calls `setup` (see conf.py), which makes them anew at each build under docs/api/ and
docs/examples/; Git ignores both. The gallery's own pages are put beside the others at the end.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))
from gallery_page import write_pages
from make_reference import public_modules, public_names


def setup(app: Sphinx) -> None:
    """Make the pages before Sphinx looks for sources; read docstrings as they are written."""
    make_api(Path(app.srcdir) / "api")
    make_examples(Path(app.srcdir) / "examples")
    app.connect("autodoc-process-docstring", as_restructured_text)
    app.connect("autodoc-process-signature", as_written)
    app.connect("build-finished", add_gallery)


def add_gallery(app: Sphinx, error: Exception | None) -> None:
    """The pages of the gallery that need no Sphinx, beside the others."""
    if error is None and app.builder.format == "html":
        write_pages(Path(app.srcdir) / "gallery", Path(app.outdir) / "gallery")


def make_api(folder: Path) -> None:
    """One page for each public module: its names, each with signature, text and example."""
    names = public_names()
    for module in public_modules():
        path = module.__name__
        inside = [name for name in names if name.rpartition(".")[0] == path]
        if not inside:
            continue
        title = path.replace("tinygrad_rnn", "tg", 1)
        lines = [title, "=" * len(title), "", *_text(module.__doc__ or ""), ""]
        group = ""
        for name in sorted(inside, key=lambda name: getattr(names[name], "__module__", "") or ""):
            home = getattr(names[name], "__module__", "") or ""
            if home.startswith("tinygrad_rnn") and home not in (group, path):
                group = home
                heading = _text((importlib.import_module(home).__doc__ or home).split("\n")[0])[0]
                lines += [heading, "-" * len(heading), ""]
            lines += [*_directive(name, names[name]), ""]
        _write(folder / f"{title}.rst", "\n".join(lines))


def make_examples(folder: Path) -> None:
    """Each program under examples/ as a notebook: its text, its code in cells, what it prints."""
    programs = sorted((folder.parent.parent / "examples").glob("*.py"))
    for program in programs:
        _write(folder / f"{program.stem}.md", _notebook(program))
    names = "\n".join(program.stem for program in programs)
    _write(folder / "index.md", f"# Examples\n\n```{{toctree}}\n:maxdepth: 1\n\n{names}\n```\n")


def _notebook(program: Path) -> str:
    text = program.read_text(encoding="utf-8")
    tree = ast.parse(text)
    lines = text.splitlines()
    title, _, rest = (ast.get_docstring(tree) or program.stem).partition("\n")
    cells: list[list[str]] = [[]]
    first = tree.body[1].lineno - 1  # after the docstring
    for node in tree.body[1:]:
        if _runs_main(node):
            break
        assert node.end_lineno is not None
        starts = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if starts and cells[-1]:
            cells.append([])
        cells[-1] += lines[first : node.end_lineno]
        if starts:
            cells.append([])
        first = node.end_lineno
    quick = '["--quick"]' if "--quick" in text else ""
    shown = ["```{code-cell}\n" + "\n".join(cell).strip("\n") + "\n```" for cell in cells if cell]
    return "\n\n".join(
        [
            "---\nfile_format: mystnb\nkernelspec: {name: python3}\n---",
            f"# {title.rstrip('.')}",
            f"The program `examples/{program.name}`. {rest.strip()}",
            f"```{{code-cell}}\n:tags: [remove-cell]\n__file__ = {str(program)!r}\n```",
            *shown,
            f"```{{code-cell}}\nmain({quick})\n```\n",
        ]
    )


def _runs_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)


def _write(page: Path, text: str) -> None:
    """Write a page if it has changed: Sphinx reads again what is newer."""
    page.parent.mkdir(exist_ok=True)
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def _directive(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield f".. autoclass:: {name}"
        yield "   :members:"
        if issubclass(value, BaseException):
            yield "   :show-inheritance:"
    elif callable(value):
        yield f".. autofunction:: {name}"
    else:
        yield f".. py:data:: {name}\n   :value: {value!r:.60}"


def as_written(
    app: Any, kind: str, name: str, value: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """The parameters of a class are those of its `__init__`, also where `__new__` takes any."""
    if kind != "class" or signature is None:
        return None
    parameters = [*inspect.signature(value.__init__).parameters.values()][1:]
    return str(inspect.Signature(parameters)).replace("'", ""), ""


def as_restructured_text(
    app: Any, kind: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """The docstrings are plain text with code in backticks: no asterisk in them is emphasis."""
    lines[:] = [*_text("\n".join(lines))]


def _text(docstring: str) -> list[str]:
    """The lines of a docstring as reStructuredText: code and equations stay as they are written."""
    found: list[str] = []
    for paragraph in inspect.cleandoc(docstring).split("\n\n"):
        lines = paragraph.split("\n")
        if _is_equations(lines):
            found += ["::", "", *(f"    {line}" for line in lines)]
        elif lines[0].startswith("    ") and found and not found[-2].startswith(" "):
            found += ["::", "", *lines]
        elif lines[0].lstrip().startswith(">>>"):
            found += lines
        else:
            found += _escaped(paragraph).split("\n")
        found.append("")
    return found


def _is_equations(lines: list[str]) -> bool:
    """Whether each line is an equation, or goes on with the one above."""
    starts = [re.match(r"[^\s.;:`]+( [^\s.;:`]+){0,3}\s+= ", line) for line in lines]
    return bool(starts[0]) and all(
        start or line.startswith("  ") for start, line in zip(starts, lines)
    )


def _escaped(text: str) -> str:
    """Text in which no asterisk or underscore is markup, and what is in backticks is code."""
    parts = re.split(r"(``?[^`]*``?)", text)
    parts[::2] = [re.sub(r"([*|\\]|_(?=\W|$))", r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [f"``{part.strip('`')}``" for part in parts[1::2]]
    return re.sub(r"(?m)^( *)\\\* ", r"\1* ", "".join(parts))  # a list is a list
