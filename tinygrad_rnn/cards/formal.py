"""The sections of a card that need no training: equations, structure, pictures, laws."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

from .. import pytree, viz
from ..compiler.report import PlanReport
from ..language import say
from ..nn.recurrent.cell import Cell
from ..testing import CellError, CellReport, check_cell
from ..viz.page.document import drawing_svg
from ..viz.style.text import escaped
from .equations import Equations
from .equations.notation import Function
from .glossary import linked
from .section import Section, Tile, table, tiles
from .structure import facts
from .subject import Subject

__all__ = [
    "counted",
    "equations_section",
    "laws_of",
    "laws_section",
    "numbers",
    "picture_of",
    "pictures_section",
    "structure_section",
    "words_of",
]

PICTURE_STEPS = 5
PASSES = {"forward": "FLOPs a step, forward", "backward": "FLOPs a step, backward"}


def counted(number: float) -> str:
    """1,234 or 12.3 M."""
    for unit, size in (("G", 1e9), ("M", 1e6)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:,.0f}"


def words_of(cell: Cell) -> str:
    """The first paragraph of the cell's documentation, or ""."""
    text = inspect.getdoc(type(cell)) if type(cell).__doc__ else ""
    return " ".join((text or "").split("\n\n")[0].split())


def numbers(subject: Subject, plan: PlanReport | None) -> str:
    """The tiles at the top: sizes and costs of a step."""
    cell = subject.cell
    state = sum(leaf.size for leaf in pytree.leaves(cell.initial_state(1)))
    found = [
        Tile(counted(sum(p.size for p in cell.parameters())), say("parameters"), "parameters"),
        Tile(counted(state), say("numbers of state"), "state"),
    ]
    if plan is not None:
        steps = plan.steps * plan.batch_size
        for direction in PASSES:
            flops = plan.total(direction).flops / steps
            found.append(Tile(counted(flops), say(PASSES[direction]), "flops"))
    return tiles(found)


def equations_section(found: Equations, words: str) -> Section:
    """The equations, the meanings of their letters, and LaTeX to copy."""
    says = {line.left.latex(): line.says for line in found.lines if len(line.says) > 1}
    lines = "".join(
        f'<div class="equation"><div class="pan"><math display="block"><mrow>{line.left.mathml()}'
        f"<mo>=</mo>{line.right.mathml()}</mrow></math></div>"
        f"<small>{escaped(say(says.get(line.left.latex(), '')))}</small></div>"
        for line in found.lines
    )
    where = table(
        (say("symbol"), say("stands for"), say("shape")),
        [
            (f"<math>{m.symbol.mathml()}</math>", escaped(m.says), _shape(m.shape))
            for m in found.meanings
        ],
        "where",
    )
    known = {name: f for name, f in found.functions.items() if _told(f)}
    functions = table(
        (say("function"), say("is")),
        [(f"<code>{escaped(f.op.name)}</code>", escaped(_told(f))) for f in known.values()],
        "where",
    )
    refused = ""
    if found.refusal:
        told = say(
            "These are the equations of the step that was traced; another may have others: {why}.",
            why=found.refusal,
        )
        refused = f'<p class="alarm">{escaped(told)}</p>'
    error = found.error
    exact = say("exactly") if error == 0 else say("to {error:.1g}", error=error)
    true = say(
        "Parsed again and evaluated with NumPy, they give the same result as the cell, {exactly}.",
        exactly=linked(exact, "equations"),
    )
    if not error < 1e-4:
        wrong = say("Parsed again and evaluated, they differ from the cell by {by:.2g}.", by=error)
        true = f"<b class='alarm'>{wrong}</b>"
    source = escaped(found.latex())
    content = (
        f'{refused}<div class="equations">{lines}</div><p>{true}</p>'
        f"<details><summary>{escaped(say('Meanings of the letters'))}</summary>{where}"
        f"{functions if known else ''}</details>"
        f'<details><summary>LaTeX</summary><button class="copy" type="button" '
        f'data-copied="{escaped(say("copied"))}" '
        f'data-selected="{escaped(say("selected: copy with Ctrl+C"))}">{say("copy")}</button>'
        f"<pre>{source}</pre></details>"
    )
    about = say("What one step computes, recovered from the operations of a traced step.")
    return Section("equations", say("Equations"), about, content, ("equations",))


def _told(function: Function) -> str:
    """The first line of an op's documentation."""
    text = (function.op.__doc__ or "").strip().splitlines()
    return text[0] if text else ""


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or say("number")


def structure_section(plan: PlanReport | None, why_not: str) -> Section:
    """What follows from how the next state depends on the state."""
    about = say("How the next state depends on the state, and what follows.")
    if plan is None:
        told = say("The structure is unknown: {why}", why=why_not)
        return Section(
            "structure", say("Structure"), about, f'<p class="alarm">{escaped(told)}</p>'
        )
    found = facts(plan)
    each = "".join(
        f"<li><b>{escaped(f.says)}</b> {escaped(f.therefore)} "
        f"{linked(say('what this means'), f.means)}</li>"
        for f in found
    )
    return Section(
        "structure",
        say("Structure"),
        about,
        f'<ul class="facts">{each}</ul>',
        tuple(f.means for f in found),
    )


def picture_of(subject: Subject) -> viz.Picture:
    """Backpropagation through a few steps."""
    given = subject.given(PICTURE_STEPS, 1)
    model = subject.model(given, unroll=True)
    return viz.bptt(model, given.x, level="gates", fold=3, title="")


def pictures_section(picture: viz.Picture) -> Section:
    """One step, and backpropagation through a few."""
    figures = []
    several = say(
        "{count} steps: forward from the left, the gradient from the right", count=PICTURE_STEPS
    )
    for level, prefix, caption in (
        ("rolled", "r", say("One step, with the state fed back")),
        ("gates", "g", several),
    ):
        svg = drawing_svg(picture.drawing(level, prefix))
        figures.append(
            f"<figure><figcaption>{escaped(caption)}</figcaption>"
            f"<div class='pan'>{svg}</div></figure>"
        )
    about = say(
        "Boxes are operations. Coloured lines are the gradient of the last state; wider means "
        "larger. Where it thins out to the left, less is learnt from earlier steps."
    )
    return Section("pictures", say("Pictures"), about, "".join(figures))


# Laws


def laws_of(subject: Subject, seconds: float, **arguments: Any) -> CellReport:
    """The table of laws of the cell, in a small size if it takes sizes."""
    if not subject.is_plain and subject.choices is None:
        arguments["input_shape"] = subject.input_shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the table says what was not checked
        try:
            return check_cell(lambda: _small(subject), seconds=seconds, **arguments)
        except CellError as error:
            return error.report


def _small(subject: Subject) -> Cell:
    """The cell again, with an input of 2 and a state of 3 where it takes these sizes."""
    takes = inspect.signature(type(subject.cell).__init__).parameters
    sizes: dict[str, Any] = {"hidden_size": 3} if "hidden_size" in takes else {}
    if "input_size" in takes and subject.is_plain:
        sizes["input_size"] = 2
    try:
        return subject.again(**sizes)
    except (TypeError, ValueError):
        return subject.again()


def laws_section(report: CellReport) -> Section:
    """The table of laws."""
    marks = {"holds": "ok", "BROKEN": "bad"}
    rows = [
        (
            f'<span class="verdict {marks.get(law.verdict, "none")}">{escaped(law.verdict)}</span>',
            escaped(law.name),
            escaped(law.says) + (f"<pre>{escaped(law.note)}</pre>" if law.note else ""),
        )
        for law in report.laws
    ]
    holding = sum(law.verdict == "holds" for law in report.laws)
    broken = len(report.broken)
    head = tiles(
        [
            Tile(str(holding), say("laws hold"), "laws"),
            Tile(str(broken), say("laws broken"), "laws"),
        ]
    )
    about = say("Laws that every cell must satisfy, and claims by the author of this one.")
    whole = table((say("verdict"), say("law"), say("it says")), rows, "laws")
    if report.ok:
        whole = f"<details><summary>{escaped(say('All laws'))}</summary>{whole}</details>"
    return Section("laws", say("Laws"), about, head + whole, ("laws",))
