"""Card: everything known about a cell, on one page."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..compiler.backends.executor import executing_on
from ..compiler.report import PlanReport
from ..files import write_file
from ..language import say
from ..nn.recurrent.cell import Cell
from ..testing import CellReport
from ..viz.page.document import document, theme_button
from ..viz.style.text import escaped
from .equations import Equations
from .equations.equations import recovered
from .formal import (
    equations_section,
    laws_of,
    laws_section,
    numbers,
    picture_of,
    pictures_section,
    structure_section,
    words_of,
)
from .glossary import glossary
from .measured import Dynamics, Measurements, TaskMaker
from .section import Drawn, Section
from .subject import Subject

__all__ = ["PARTS", "Card", "card", "equations"]

PARTS = ("equations", "structure", "pictures", "gradient", "learning", "speed", "laws")

_ROWS = 2


def equations(
    cell: Cell,
    *,
    inputs: Sequence[Any] | None = None,
    input_shape: Sequence[int] | None = None,
    step_inputs: Mapping[str, Any] | None = None,
    constants: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Equations:
    """The equations of one step of a cell, recovered from a trace of it.

    Printing them gives LaTeX; a notebook shows them typeset. The arguments are those of
    `testing.check_cell`. They describe the inputs, if a cell needs others than normal numbers of
    its `input_size`.

    >>> import tinygrad_rnn as tg
    >>> found = equations(tg.nn.GRUCell(3, 4))
    >>> print(found.lines[-1].latex())
    h_{t} = (1 - z_{t}) \\odot n_{t} + z_{t} \\odot h_{t-1}
    >>> found.error < 1e-6  # read back and evaluated, against the cell
    True
    """
    return _recovered(Subject(cell, inputs, input_shape, step_inputs, constants, seed))


def _recovered(subject: Subject) -> Equations:
    given = subject.given(1, _ROWS)
    modes = [module.training for module in subject.cell.modules()]
    subject.cell.eval()
    try:
        state = subject.reached(_ROWS)
        return recovered(subject.cell, given.x, state, given.inputs, given.constants)
    finally:
        for module, mode in zip(subject.cell.modules(), modes):
            module.training = mode


@dataclass(eq=False)
class Card:
    """The facts about a cell; made by `card`. `html` is a page, which a notebook shows.

    What was found is kept, and drawn in the language in force when the page is asked for.

    `plan`: None for a cell that runs op by op. `laws`: None if they were not checked. `dynamics`:
    the memory horizon, the Lyapunov spectrum and the errors of truncation, for the cell at
    initialisation and trained. `seconds`: how long the card took to make.

    >>> import tinygrad_rnn as tg
    >>> found = tg.card(tg.nn.RNNCell(2, 3), only=["equations"])
    >>> [section.title for section in found.sections], found.laws
    (['Equations'], None)
    """

    cell: str
    about: str
    equations: Equations
    plan: PlanReport | None
    laws: CellReport | None = None
    dynamics: Sequence[Dynamics] = ()
    seconds: float = 0.0
    command: str = ""
    _head: Callable[[], str] = field(default=str, repr=False)
    _drawn: list[Drawn] = field(default_factory=list, repr=False)

    @property
    def head(self) -> str:
        """Sizes and costs of a step, as HTML."""
        return self._head()

    @property
    def sections(self) -> list[Section]:
        """The parts of the page."""
        return [drawn() for drawn in self._drawn]

    def html(self) -> str:
        """The page: it needs no network."""
        sections = self.sections
        links = "".join(f'<a href="#{s.name}">{escaped(s.title)}</a>' for s in sections)
        used = [entry for s in sections for entry in s.means]
        means = glossary(["parameters", "state", "flops", *used])
        meaning = escaped(say("What the numbers mean"))
        made = escaped(say("Made in {seconds:.0f} seconds.", seconds=self.seconds))
        body = (
            f'<main><header><div><p class="kind">{escaped(say("cell"))}</p>'
            f"<h1>{escaped(self.cell)}</h1></div>"
            f"{theme_button()}</header>"
            f'<p class="lead">{escaped(self.about)}</p>{self.head}'
            f'<nav>{links}<a href="#means">{meaning}</a></nav>'
            f"{''.join(s.html() for s in sections)}"
            f'<section id="means"><h2>{meaning}</h2><dl>{means}</dl></section>'
            f'<p class="foot">{made}{self.command}</p></main>'
        )
        return document(self.cell, body, [_file("card.css")], [_file("card.js")])

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page, which should end in `.html`. ValueError for another ending."""
        target = Path(path)
        if target.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"{target.name!r} should end in .html")
        write_file(target, self.html())
        return target

    def _repr_html_(self) -> str:
        page = escape(self.html(), quote=True)
        return (
            f'<iframe srcdoc="{page}" title="{escaped(self.cell)}" style="width:100%;height:80vh;'
            'border:1px solid #8886;border-radius:8px"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<card of {self.cell}; save('card.html') writes it>"


def card(
    cell: Cell,
    *,
    inputs: Sequence[Any] | None = None,
    input_shape: Sequence[int] | None = None,
    step_inputs: Mapping[str, Any] | None = None,
    constants: Mapping[str, Any] | None = None,
    task: TaskMaker | None = None,
    only: Collection[str] | None = None,
    quick: bool = False,
    seed: int = 0,
    progress: bool = False,
) -> Card:
    """Collect everything about a cell on one page.

    The page shows the equations of a step; parameters and FLOPs; what follows from the structure of
    its Jacobian; pictures; the gradient through time, at initialisation and trained; learning and
    speed, compared with an LSTM; the laws. It takes a minute or two; `quick` skips or shortens the
    slow parts and takes about 20 seconds.

    `inputs`, `input_shape`, `step_inputs`, `constants`: as for `testing.check_cell`. `task`: the
    task to learn, a function of `data.tasks` or one like it; adding over 30 steps by default.
    `only`: the parts to write, from "equations", "structure", "pictures", "gradient", "learning",
    "speed" and "laws". `progress`: show a progress bar. Training and timing use new cells, made
    with the same arguments; the given cell does not change.

    TypeError if it is not a cell or cannot run on such inputs, ValueError for an unknown part.
    Errors that the cell raises in a step are passed on.

    >>> import tinygrad_rnn as tg
    >>> found = card(tg.nn.RNNCell(2, 3), only=["equations", "structure"])
    >>> print(found.equations.lines[0].latex())
    h_{t} = \\tanh (W_{ih} x_{t} + b_{ih} + W_{hh} h_{t-1} + b_{hh})
    >>> "</html>" in found.html()
    True
    """
    if unknown := sorted({*(only or ())} - {*PARTS}):
        raise ValueError(f"a card has no part {unknown[0]!r}; it has {', '.join(PARTS)}")
    start = time.perf_counter()
    subject = Subject(cell, inputs, input_shape, step_inputs, constants, seed)
    arguments = {
        "inputs": inputs,
        "input_shape": input_shape,
        "step_inputs": step_inputs,
        "constants": constants,
    }
    found = _recovered(subject)  # a cell that cannot take a step fails here
    plan, why_not = _planned(subject)
    made = Card(_title(cell), words_of(cell), found, plan)
    made._head = partial(numbers, subject, plan)
    measurements = Measurements(subject, task, quick, seed)

    def laws() -> Drawn:
        made.laws = laws_of(subject, 5.0 if quick else 60.0, **arguments)
        return partial(laws_section, made.laws)

    def gradient() -> Drawn:
        drawn, made.dynamics = measurements.gradient()
        return drawn

    parts: dict[str, Callable[[], Drawn]] = {
        "equations": lambda: partial(equations_section, found, made.about),
        "structure": lambda: partial(structure_section, plan, why_not),
        "pictures": lambda: partial(pictures_section, picture_of(subject)),
        "gradient": gradient,
        "learning": measurements.learning,
        "speed": measurements.speed,
        "laws": laws,
    }
    chosen = {name: part for name, part in parts.items() if only is None or name in only}
    made._drawn = list(_found(chosen, progress))
    made.seconds = time.perf_counter() - start
    return made


def _found(parts: Mapping[str, Callable[[], Drawn]], progress: bool) -> Iterator[Drawn]:
    with tqdm(total=len(parts), disable=not progress, leave=False, unit=" parts") as bar:
        for name, part in parts.items():
            bar.set_description(name)
            yield part()
            bar.update()


def _title(cell: Cell) -> str:
    return f"{type(cell).__name__}({cell.extra_repr()})"


def _planned(subject: Subject) -> tuple[PlanReport | None, str]:
    """The plan of the cell, or why there is none.

    The plan is that of the NumPy executor, whose loop contains only what has to be in it. A
    compiled loop also contains what is cheaper there, which would hide the structure.
    """
    shape = subject.input_shape
    with executing_on("numpy"):
        try:
            plan = subject.cell.plan(
                1,
                100,
                input_size=shape if len(shape) != 1 else shape[0],
                input_dtype=subject.input_dtype,
                step_inputs=subject.further,
                constants=subject.constants,
            )
        except ValueError as error:
            return None, str(error)
    return plan, ""


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
