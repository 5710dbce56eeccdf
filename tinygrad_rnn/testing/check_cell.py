"""check_cell: check all laws of a recurrent cell without writing a test for each."""

from __future__ import annotations

import textwrap
import traceback
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.recording.scope import PACKAGE_FOLDER
from ..tables import html_table
from .cells.runs import OutOfTime, Subject
from .laws import LAWS, ORIGIN, Broken, DoesNotApply, Law
from .laws.claims import claim_laws

if TYPE_CHECKING:
    from ..nn import Cell, Recurrent

__all__ = ["CellError", "CellReport", "LawReport", "check_cell"]


@dataclass(frozen=True)
class LawReport:
    """One law: `verdict` is "holds", "BROKEN", "excepted", "does not apply" or "not checked".

    >>> import tinygrad_rnn as tg
    >>> laws = tg.testing.check_cell(tg.nn.RNNCell, hidden_size=1).laws
    >>> laws[3].name, laws[3].says, laws[3].verdict
    ('repeat', 'the same inputs give the same results', 'holds')
    """

    name: str
    says: str
    verdict: str
    note: str = ""  # the smallest counterexample, or why it does not apply
    same_error: bool = False  # as an earlier law: the cell itself raised it


@dataclass(repr=False)
class CellReport:
    """The table of `check_cell`: every law, and the smallest counterexample of each broken one.

    >>> import tinygrad_rnn as tg
    >>> report = tg.testing.check_cell(tg.nn.RNNCell, hidden_size=2)
    >>> report.ok, len(report.broken)
    (True, 0)
    """

    cell: str
    laws: list[LawReport] = field(default_factory=list)

    @property
    def broken(self) -> list[LawReport]:
        """The laws that do not hold and were not excepted."""
        return [law for law in self.laws if law.verdict == "BROKEN"]

    @property
    def ok(self) -> bool:
        """Whether no law is broken."""
        return not self.broken

    @property
    def unchecked(self) -> list[LawReport]:
        """The laws for which there was no time left."""
        return [law for law in self.laws if law.verdict == "not checked"]

    @property
    def summary(self) -> str:
        """How many laws hold and how many are broken, such as "21 laws hold, 0 broken"."""
        holding = sum(law.verdict == "holds" for law in self.laws)
        return f"{holding} law{'s hold' if holding != 1 else ' holds'}, {len(self.broken)} broken"

    def __str__(self) -> str:
        """The table, 80 columns wide; an error or a place that several laws share is shown once."""
        told: set[str] = set()
        unchecked = f", {len(self.unchecked)} not checked" if self.unchecked else ""
        lines = [f"{self.cell}: {self.summary}{unchecked}"]
        for law in (law for law in self.laws if not law.same_error):
            lines += _wrapped(f"{law.verdict:<14}  {law.name:<13}  {law.says}", 2, 33)
            for note in law.note.splitlines():
                again = note in told and note.startswith(ORIGIN)
                told.add(note)
                lines += _wrapped(f"{ORIGIN}the same place as above" if again else note, 6, 8)
        same = [law for law in self.laws if law.same_error]
        if same:
            names = ", ".join(law.name for law in same)
            lines += _wrapped(f"{same[0].verdict:<14}  by the same error: {names}", 2, 18)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<{self.cell}: {self.summary}; print() shows them>"

    def _repr_html_(self) -> str:
        rows = [(law.verdict, law.name, law.says, law.note) for law in self.laws]
        title = f"{self.cell}: {self.summary}"
        return html_table([("verdict", "law", "says", "found"), *rows], title=title)


def _wrapped(line: str, indent: int, next_lines: int) -> list[str]:
    return textwrap.wrap(
        line,
        80,
        initial_indent=" " * indent,
        subsequent_indent=" " * next_lines,
        break_long_words=False,
        break_on_hyphens=False,
    )


class CellError(AssertionError):
    """A cell that breaks a law. `report` is the table.

    >>> import tinygrad_rnn as tg
    >>> class CutCell(tg.nn.RNNCell):
    ...     def forward(self, x, h):
    ...         return super().forward(x, h.detach())
    >>> try:
    ...     tg.testing.check_cell(CutCell, input_size=1, hidden_size=1)
    ... except CellError as error:
    ...     print([law.name for law in error.report.broken])
    ['parameters', 'inputs', 'initial state', 'far']
    """

    def __init__(self, report: CellReport) -> None:
        super().__init__(str(report))
        self.report = report


def check_cell(
    cell: Callable[..., Cell | Recurrent],
    /,
    *,
    inputs: Sequence[Any] | None = None,
    input_shape: Sequence[int] | None = None,
    step_inputs: Mapping[str, Any] | None = None,
    constants: Mapping[str, Any] | None = None,
    only: Collection[str] | None = None,
    except_for: Collection[str] = (),
    seed: int = 0,
    seconds: float = 60.0,
    **sizes: Any,
) -> CellReport:
    """Check all laws of a cell: `check_cell(MyCell)`; `sizes` are arguments for `MyCell`.

    `cell`: a class, or a function that returns a cell or a layer (`nn.Recurrent`) with any options.
    Sizes without a default that are not given are small: `input_size` 2, others 3. The cell is
    constructed in float64 (and in float32, to check dtypes), from `seed`, and run on random
    sequences of 0 to 50 steps. `inputs`: what the elements of x (T, B, input_size) are drawn from,
    such as `range(27)` for a cell that takes indices (`input_size` is then 1 unless the cell says
    otherwise); normal numbers by default. `input_shape`: the shape of one input x_t without the
    batch axis, for a cell that takes images or the like: (3, 8, 8) makes x (T, B, 3, 8, 8); by
    default (input_size,).

    `step_inputs`, `constants`: what the further inputs of a step are drawn from, by name. Give a
    shape without the batch axis for normal numbers, such as {"dt": (1,)}; a required input that is
    not given here gets normal numbers, too. Or give a function of a generator and the leading
    sizes, such as {"dt": lambda rng, *sizes: rng.exponential(size=(*sizes, 1))}. The laws of x also
    apply to step inputs, and those of a state to constants.

    Returns the table of laws, for `print`. Raises `CellError`, an AssertionError that carries the
    table, if a law is broken. A broken law is tried again with fewer steps and rows, to report a
    small counterexample. If a layer's options rule out a law, the table says why it does not apply.

    `seconds`: the time budget. Laws for which no time is left are "not checked", and a UserWarning
    says so. A run of the cell is never interrupted.

    Gradients are compared with the complex step as in `gradcheck`, per time step, along directions
    that weight every element equally. A wrong gradient is traced to its op, time step and line. For
    a cell that draws random numbers the generator is seeded; laws about rows of a batch do not
    apply to it. `except_for`: the names of laws that the cell is not meant to satisfy, such as
    "rows" for batch normalisation; they are reported, but do not raise. `only`: the names of the
    laws to check, instead of all. The `claims` that a cell declares (see `nn.claims`) are laws,
    too. ValueError for an unknown law, TypeError if the cell cannot be constructed.

    Your own test is one line:

    >>> import tinygrad_rnn as tg
    >>> def test_my_cell():
    ...     tg.testing.check_cell(tg.nn.GRUCell, input_size=1, hidden_size=2)
    >>> print(tg.testing.check_cell(tg.nn.RNNCell))  # doctest: +ELLIPSIS
    RNNCell(input_size=2, hidden_size=3): 21 laws hold, 0 broken
      holds           state          a step keeps the state's structure and dtypes
      ...

    A layer, of any cell, and a cell whose inputs are indices:

    >>> report = tg.testing.check_cell(tg.nn.LSTM, hidden_size=1, bidirectional=True)
    >>> [law.note for law in report.laws if law.name == "split"]
    ['bidirectional: an output depends on later steps, too']
    >>> class Letters(tg.nn.Cell):
    ...     def __init__(self, hidden_size):
    ...         self.hidden_size = hidden_size
    ...         self.letter = tg.nn.Embedding(27, hidden_size)
    ...         self.before = tg.nn.Linear(hidden_size, hidden_size)
    ...     def forward(self, x, h):
    ...         return tg.tanh(self.letter(x[:, 0]) + self.before(h))
    >>> tg.testing.check_cell(Letters, inputs=range(27), hidden_size=2).ok
    True
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as: that a cell runs step by step
        subject = Subject(cell, sizes, inputs, seed, input_shape, seconds, step_inputs, constants)
        laws = [*LAWS, *claim_laws(subject)]
        names = [law.name for law in laws]
        if unknown := sorted({*except_for, *(only or ())} - set(names)):
            raise ValueError(f"no law {', '.join(unknown)}; they are {', '.join(names)}")
        report = CellReport(str(subject))
        errors: list[str] = []
        report.laws = [
            _verdict(law, subject, law.name in except_for, errors)
            for law in laws
            if only is None or law.name in only
        ]
    if not report.ok:
        raise CellError(report)
    if report.unchecked:
        late = ", ".join(law.name for law in report.unchecked)
        warnings.warn(
            f"check_cell: {seconds:g} seconds were not enough for {report.cell}; not checked: "
            f"{late}. Allow more (seconds=..., or --seconds in a shell) or use smaller sizes.",
            stacklevel=2,
        )
    return report


def _verdict(law: Law, subject: Subject, excepted: bool, earlier: list[str]) -> LawReport:
    cases, note = list(law.cases), ""
    if why := _limit(law, subject, cases):
        cases = [c for c in _by_size(*cases, *law.smaller) if not _limit(law, subject, [c])]
        if not cases:
            return LawReport(law.name, law.says, "does not apply", why)
        note = f"not checked over {max(law.cases)[0]} steps: {why}"
    for number, case in enumerate(cases):
        found = _of_case(law, subject, excepted, earlier, case)
        if found.verdict == "not checked" and number:
            return replace(found, note=f"only up to {_case(*cases[number - 1])}")
        if found.verdict != "holds":
            return _smallest(found, law, subject, excepted, case)
    return LawReport(law.name, law.says, "holds", note)


def _limit(law: Law, subject: Subject, cases: Sequence[tuple[int, int]]) -> str:
    """Why some of these cases cannot be checked; "" if all can."""
    for steps, _ in cases:
        limits = subject.network.limits(steps)
        for name in law.unless:
            if name in limits:
                return limits[name]
    return ""


def _by_size(*cases: tuple[int, int]) -> list[tuple[int, int]]:
    return sorted(set(cases), key=lambda case: (case[0] * case[1], case))


def _smallest(
    found: LawReport,
    law: Law,
    subject: Subject,
    excepted: bool,
    case: tuple[int, int],
) -> LawReport:
    """The result in `case`; for a broken law, in a smaller case if it is broken there, too."""
    if found.verdict not in ("BROKEN", "excepted") or found.same_error:
        return found
    for small in _by_size(*law.smaller):
        if small[0] * small[1] < case[0] * case[1] and not _limit(law, subject, [small]):
            other = _of_case(law, subject, excepted, [], small)
            if other.verdict == found.verdict:
                return other
    return found


def _of_case(
    law: Law, subject: Subject, excepted: bool, earlier: list[str], sizes: tuple[int, int]
) -> LawReport:
    broken = "excepted" if excepted else "BROKEN"
    case = _case(*sizes)
    try:
        subject.spend()
        law.check(subject, *sizes)
    except OutOfTime:
        return LawReport(law.name, law.says, "not checked")
    except DoesNotApply as reason:
        return LawReport(law.name, law.says, "does not apply", str(reason))
    except Broken as seen:
        return LawReport(law.name, law.says, broken, f"with {case}:\n{seen}")
    except Exception as error:  # raised by the cell: a law that cannot be checked does not hold
        note, known = _error(error, earlier)
        return LawReport(law.name, law.says, broken, f"with {case}:\n{note}", known)
    return LawReport(law.name, law.says, "holds")


def _case(steps: int, rows: int) -> str:
    return f"{_counted(steps, 'step')}, {_counted(rows, 'row')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _error(error: Exception, earlier: list[str]) -> tuple[str, bool]:
    """The error that prevented the check of a law, and whether an earlier law failed with it."""
    place = _users_line(error)
    kind = f"{type(error).__name__}{f' [{place}]' if place else ''}"
    if kind in earlier:
        return f"{kind}, as above", True
    earlier.append(kind)
    told = f"{type(error).__name__}: {error}" + ("" if place in str(error) else f" [{place}]")
    return told, False


def _users_line(error: Exception) -> str:
    """The innermost line outside the package that the error passed through: "my_file.py:12"."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(PACKAGE_FOLDER)]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""
