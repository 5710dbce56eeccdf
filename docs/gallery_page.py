"""The page of the gallery with all cells: a table to sort, and their equations; one HTML file."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from gallery_cells import FAMILIES, SHARE, WINDOW, Numbers, family, made

import tinygrad_rnn as tg
from tinygrad_rnn.comparison import Entry
from tinygrad_rnn.files import write_file
from tinygrad_rnn.viz.page.document import document, theme_button

__all__ = ["write_page"]

SITE = Path(__file__).with_name("site")
COLUMNS = (
    ("cell", "The name to give to tinygrad-rnn card, compare, plan ..."),
    ("family", ""),
    ("parameters", "Numbers that are learned, with 4 inputs and 16 units"),
    ("state", "Numbers that are handed from a step to the next"),
    ("FLOPs", "Floating-point operations of one step, forward"),
    ("Jacobian", "Of the next state by the state, read off the operations"),
    ("affine", "Whether the next state is affine in the state: then all steps can run at once"),
    ("horizon", f"Steps back at which {SHARE:.0%} of the gradient is left: untrained, trained"),
    ("exponent", "The largest Lyapunov exponent for a step: untrained, trained"),
    ("truncation", f"Error of the gradient that goes back {WINDOW} steps: untrained, trained"),
)


class Value(NamedTuple):
    """What a column of the table shows of a cell, by what it is sorted, and its hover text."""

    shown: str
    by: float | str
    told: str = ""
    kind: str = ""


def write_page(
    path: Path,
    numbers: Mapping[str, Numbers],
    tasks: Mapping[str, Sequence[Entry]],
    share: float,
    guess: float,
) -> None:
    """Write the page.

    `share`: of the loss that a guess has, below which a task is solved. `guess`: that of the guess
    for the adding problem on the sequences that were held out, which are few.
    """
    results = {
        task: {entry.cell.partition(",")[0]: entry for entry in entries}
        for task, entries in tasks.items()
    }
    head = [*COLUMNS, *((task.replace("_", " "), _about(task, share)) for task in tasks)]
    rows = {
        name: [*_of_card(found), *(_of_task(of.get(name), share) for of in results.values())]
        for name, found in numbers.items()
    }
    there = [key for key in FAMILIES if any(family(name) == key for name in rows)]
    chips = "".join(
        f'<label><input type="checkbox" value="{key}" checked>{escape(FAMILIES[key])}</label>'
        for key in there
    )
    body = (
        f"<main><header><h1>{len(rows)} cells</h1>{theme_button()}</header>"
        f'<p class="lead">{_lead(numbers)}</p>'
        f'<div class="filters"><input type="search" placeholder="find a cell or a paper" '
        f'aria-label="find a cell or a paper">{chips}</div>{_table(head, rows)}'
        f'<p class="note">{_note(share, guess)}</p><h2>Equations</h2>'
        '<p class="lead">What one step of '
        "each computes, recovered from the operations of a step that was run. The label in "
        "brackets is the part of a matrix that belongs to a gate.</p>"
        f'<div class="cells">{"".join(_article(name) for name in rows)}</div></main>'
    )
    rules = [_site("gallery.css")]
    write_file(path, document(f"{len(rows)} recurrent cells", body, rules, [_site("gallery.js")]))


def _about(task: str, share: float) -> str:
    return (
        f"{task.replace('_', ' ')}: the loss on what was held out, as a share of a guess's, in the "
        f"mean over the seeds; in bold if it is less than {share:.0%} under every seed"
    )


def _lead(numbers: Mapping[str, Numbers]) -> str:
    steps = max(found.steps for found in numbers.values())
    return (
        "Click a column to sort by it, a name for its equations and source. Structure, memory and "
        "costs are those of the cells' cards: 4 inputs and 16 units, on sequences of the adding "
        f"problem, at initialisation and after 500 updates on it, followed {steps} steps back. The "
        "last columns are of the comparison: there all have as many parameters as an LSTM of 16 "
        "units."
    )


def _note(share: float, guess: float) -> str:
    return (
        "&gt; n: more than n steps, as far as was looked; part of the state is then handed on "
        "nearly or wholly unchanged. −∞: nothing is handed on. Above 0 an exponent says that the "
        f"gradient explodes. In bold: solved, below {share:.0%} of the loss of a guess under "
        "every seed. A guess has 100% in the mean, and for the adding problem "
        f"{guess:.0%} on the 160 sequences that were held out: who has about as much has learnt "
        "nothing, and who has much more was trained at too large a rate. One number instead of "
        "two: at initialisation, of a cell that fits no task of vectors. A cell's speed depends on "
        "the machine: <code>tinygrad-rnn card NAME</code> times it beside an LSTM."
    )


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
        Value(escape(FAMILIES[family(found.name)]), order, kind="text"),
        Value(f"{found.parameters:,}", found.parameters),
        Value(f"{found.state:,}", found.state),
        Value("" if flops is None else f"{flops:,.0f}", -1 if flops is None else flops),
        Value(jacobian, jacobian, kind="text"),
        Value("yes" if affine == "affine" else "no", affine, kind="text"),
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


def _of_task(entry: Entry | None, share: float) -> Value:
    if entry is None or not entry.loss.values:
        return Value("", 1e9)
    part = entry.loss.mean / entry.baseline
    solved = not entry.diverged and max(entry.loss.values) < share * entry.baseline
    told = (
        f"loss {entry.loss:.3g}, a guess {entry.baseline:.3g}; {entry.parameters:,} parameters, "
        f"{entry.hidden_size} units"
    )
    shown = f"{part:.0%}" if part >= 0.1 else f"{100 * part:.2g}%"
    return Value(shown, part, told, "solved" if solved else "")


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
        f'<p><a href="cards/{name}.html">Card</a></p>'
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
