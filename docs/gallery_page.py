"""The pages of the gallery that need no Sphinx: all cells, the comparison, and the cards.

All cells: a table to sort, and their equations. Each page is one HTML file in the language in
force, made of what was measured and committed (see make_gallery.py) and of the cells' own sources.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from gallery_cells import FAMILIES, SHARE, WINDOW, Numbers, family, made, unpack
from gallery_results import SOLVED, guess_of_adding, recorded, solves

import tinygrad_rnn as tg
from tinygrad_rnn.comparison import Comparison, Entry
from tinygrad_rnn.files import write_file
from tinygrad_rnn.language import get_language, say
from tinygrad_rnn.viz.page.document import document, theme_button

__all__ = ["write_pages"]

SITE = Path(__file__).with_name("site")


class Value(NamedTuple):
    """What a column of the table shows of a cell, by what it is sorted, and its hover text."""

    shown: str
    by: float | str
    told: str = ""
    kind: str = ""


def write_pages(source: Path, folder: Path) -> None:
    """Write cells.html, comparison.html and cards/ into a folder, of what is in docs/gallery."""
    found = recorded(source / "results.jsonl")
    numbers = json.loads((source / "cards.json").read_text(encoding="utf-8"))
    page = cells_page({name: Numbers(**row) for name, row in numbers.items()}, found)
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "cells.html", page)
    found.report(folder / "comparison.html", say("The zoo, compared"))
    unpack(source / "cards.tar.xz", folder / "cards", get_language())


def cells_page(numbers: Mapping[str, Numbers], found: Comparison) -> str:
    """The page of all cells, with what they came to in a comparison."""
    results = {
        task: {entry.cell.partition(",")[0]: entry for entry in entries}
        for task, entries in found.tasks.items()
    }
    head = [*_columns(), *((say(task).replace("_", " "), _about(task)) for task in found.tasks)]
    rows = {
        name: [*_of_card(card), *(_of_task(of.get(name)) for of in results.values())]
        for name, card in numbers.items()
    }
    there = [key for key in FAMILIES if any(family(name) == key for name in rows)]
    chips = "".join(
        f'<label><input type="checkbox" value="{key}" checked>{escape(say(FAMILIES[key]))}</label>'
        for key in there
    )
    find = escape(say("find a cell or a paper"))
    title = say("{count} recurrent cells", count=len(rows))
    equations = say(
        "What one step of each computes, recovered from the operations of a step that was run. The "
        "label in brackets is the part of a matrix that belongs to a gate."
    )
    body = (
        f"<main><header><h1>{escape(title)}</h1>{theme_button()}</header>"
        f'<p class="lead">{escape(_lead(numbers))}</p>'
        f'<div class="filters"><input type="search" placeholder="{find}" '
        f'aria-label="{find}">{chips}</div>{_table(head, rows)}'
        f'<p class="note">{_note(found)}</p><h2>{escape(say("Equations"))}</h2>'
        f'<p class="lead">{escape(equations)}</p>'
        f'<div class="cells">{"".join(_article(name) for name in rows)}</div></main>'
    )
    return document(title, body, [_site("gallery.css")], [_site("gallery.js")])


def _columns() -> list[tuple[str, str]]:
    """The columns of the cards' numbers: each with what it means."""
    return [
        (say("cell"), say("The name to give to tinygrad-rnn card, compare, plan ...")),
        (say("family"), ""),
        (say("parameters"), say("Numbers that are learned, with 4 inputs and 16 units")),
        (say("state"), say("Numbers that one step passes to the next")),
        (say("FLOPs"), say("Floating-point operations of one step, forward")),
        (say("Jacobian"), say("Of the next state by the state, read off the operations")),
        (
            say("affine"),
            say("Whether the next state is affine in the state: then all steps can run at once"),
        ),
        (
            say("horizon"),
            say(
                "Steps back at which {share:.0%} of the gradient is left: untrained, trained",
                share=SHARE,
            ),
        ),
        (
            say("exponent"),
            say("The largest Lyapunov exponent for a step: untrained, trained"),
        ),
        (
            say("truncation"),
            say(
                "Error of the gradient that goes back {steps} steps: untrained, trained",
                steps=WINDOW,
            ),
        ),
    ]


def _about(task: str) -> str:
    return say(
        "{task}: the loss on what was held out, as a share of a guess's, in the mean over the "
        "seeds; in bold if it is less than {share:.0%} under every seed",
        task=say(task).replace("_", " "),
        share=SOLVED,
    )


def _lead(numbers: Mapping[str, Numbers]) -> str:
    return say(
        "Click a column to sort by it, a name for its equations and source. Structure, memory and "
        "costs are those of the cells' cards: 4 inputs and 16 units, on sequences of the adding "
        "problem, at initialisation and after 500 updates on it, followed {steps} steps back. The "
        "last columns are of the comparison: there all have as many parameters as an LSTM of 16 "
        "units.",
        steps=max(found.steps for found in numbers.values()),
    )


def _note(found: Comparison) -> str:
    told = say(
        "> n: more than n steps, the longest distance measured; part of the state is then passed "
        "on almost unchanged. −∞: nothing is passed on. An exponent above 0 means that the "
        "gradient explodes. In bold: solved, below {share:.0%} of the loss of a guess under every "
        "seed. A guess has 100% in the mean, and for the adding problem {guess:.0%} on the 160 "
        "held-out sequences: a cell with about as much has learnt nothing, and one with much more "
        "was trained at too large a rate. A single number is that at initialisation, of a "
        "cell that fits no task of vectors. A cell's speed depends on the machine:",
        share=SOLVED,
        guess=guess_of_adding(found.recipe),
    )
    times = say("compares it with an LSTM.")
    return f"{escape(told)} <code>tinygrad-rnn card NAME</code> {escape(times)}"


def _table(head: Sequence[tuple[str, str]], rows: Mapping[str, Sequence[Value]]) -> str:
    top = "".join(
        f'<th scope="col" title="{escape(about)}"><button type="button">{escape(name)}</button>'
        "</th>"
        for name, about in head
    )
    body = "".join(
        f'<tr data-name="{name}" data-family="{family(name)}">{"".join(map(_td, values))}</tr>'
        for name, values in rows.items()
    )
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _td(value: Value) -> str:
    told = f' title="{escape(value.told)}"' if value.told else ""
    kind = f' class="{value.kind}"' if value.kind else ""
    return f'<td data-by="{escape(str(value.by))}"{told}{kind}>{value.shown}</td>'


def _of_card(found: Numbers) -> list[Value]:
    jacobian, _, affine = found.structure.partition(", ")
    order = [*FAMILIES].index(family(found.name))
    flops = found.forward_flops
    return [
        Value(f'<a href="#{found.name}">{found.name}</a>', found.name, kind="name"),
        Value(escape(say(FAMILIES[family(found.name)])), order, kind="text"),
        Value(f"{found.parameters:,}", found.parameters),
        Value(f"{found.state:,}", found.state),
        Value("" if flops is None else f"{flops:,.0f}", -1 if flops is None else flops),
        Value(escape(say(jacobian)), jacobian, kind="text"),
        Value(say("yes") if affine == "affine" else say("no"), affine, kind="text"),
        _pair(
            [f"&gt; {found.steps}" if n < 0 else str(n) for n in found.horizon],
            [found.steps + 1 if n < 0 else n for n in found.horizon],
        ),
        _pair(
            ["−∞" if x is None else f"{x:.2g}".replace("-", "−") for x in found.exponent],
            [-1e9 if x is None else x for x in found.exponent],
        ),
        _pair([f"{x:.2g}" for x in found.truncation], found.truncation),
    ]


def _pair(shown: Sequence[str], values: Sequence[float]) -> Value:
    """Untrained and trained; sorted by the latter."""
    return Value(" → ".join(shown), values[-1] if values else -1e9)


def _of_task(entry: Entry | None) -> Value:
    if entry is None or not entry.loss.values:
        return Value("", 1e9)
    part = entry.loss.mean / entry.baseline
    told = say(
        "loss {loss:.3g}, a guess {guess:.3g}; {parameters:,} parameters, {units} units",
        loss=entry.loss,
        guess=entry.baseline,
        parameters=entry.parameters,
        units=entry.hidden_size,
    )
    shown = f"{part:.0%}" if part >= 0.1 else f"{100 * part:.2g}%"
    return Value(shown, part, told, "solved" if solves(entry) else "")


def _article(name: str) -> str:
    cell = made(name)
    kind = type(cell)
    found = tg.cards.equations(cell)
    lines = "".join(
        f'<div class="pan"><math display="block"><mrow>{line.left.mathml()}<mo>=</mo>'
        f"{line.right.mathml()}</mrow></math></div>"
        for line in found.lines
    )
    about, paper, source = _text(kind)
    path = kind.__module__.replace(".", "/") + ".py"
    return (
        f'<article id="{name}" data-name="{name}" data-family="{family(name)}">'
        f"<h3>{escape(kind.__name__)}</h3><p>{escape(about)}</p>"
        f'<p class="paper">{escape(paper)}</p><div class="equations">{lines}</div>'
        f'<p><a href="cards/{name}.html">{escape(say("Card"))}</a></p>'
        f"<details><summary>{escape(path)}</summary><pre>{escape(source)}</pre></details></article>"
    )


def _text(kind: type[tg.nn.Cell]) -> tuple[str, str, str]:
    """The first sentence of a cell's documentation, its paper, and its source without them."""
    paragraphs = [" ".join(part.split()) for part in (inspect.getdoc(kind) or "").split("\n\n")]
    dated = (part for part in paragraphs[1:] if re.match(r"[^>=]* (19|20)\d\d, ", part))
    paper = re.split(r"(?<! al)\. ", next(dated, ""))[0]
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    documented = tree.body[0]
    assert isinstance(documented, ast.ClassDef)
    if ast.get_docstring(documented):
        del documented.body[0]
    return paragraphs[0], paper, ast.unparse(tree)


def _site(name: str) -> str:
    return (SITE / name).read_text(encoding="utf-8")
