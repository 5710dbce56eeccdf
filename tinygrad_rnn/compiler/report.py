"""Report: a plan as text. What runs at which stage, its name, its source line, its cost."""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..tables import html_table
from .ir.cost import Cost, cost
from .ir.instruction import Instruction, Origin
from .ir.printing import Printer, input_names
from .ir.schedule import STAGES, Schedule
from .ir.step import Step
from .ir.structure import structure_of
from .pipeline import printed
from .runtime.scan import CompiledStep

__all__ = ["STAGES", "PlanLine", "PlanReport", "StateLine", "report"]

_WIDTH, _NARROWEST = 80, 12


@dataclass(frozen=True)
class PlanLine:
    """One instruction of a schedule.

    `direction`: "forward" or "backward". `stage`: "once", "before", "loop", "after" or "total".
    `name`: the author's name for the value, otherwise its op with a number. `call`: the op and its
    inputs. `shape`: of one step's value. `cost`: of all steps together. `sources`: its source
    lines, `file.py:12`; several if one instruction computes values of several lines.
    """

    direction: str
    stage: str
    name: str
    call: str
    shape: tuple[int, ...]
    cost: Cost
    sources: tuple[str, ...]


@dataclass(frozen=True)
class StateLine:
    """One property of a next state: its Jacobian, or whether it is affine.

    `name`: the author's name for the next state. `kind`: for a Jacobian "diagonal", "dense",
    "block" or "permuted"; `on`: the state with respect to which it is taken; `axes`: the axes of
    the blocks. Otherwise `kind` is "affine", "not affine", or "delayed input", which depends on no
    state. `because`: the operation that causes it; `sources`: its source lines. The batch, axis 0,
    does not count: each row depends only on itself.
    """

    name: str
    kind: str
    on: str = ""
    axes: tuple[int, ...] = ()
    because: str = ""
    sources: tuple[str, ...] = ()

    @property
    def property(self) -> str:
        """The property in words: "dense in h", "block in h, along axis 1", "not affine"."""
        along = f", along axis {', '.join(map(str, self.axes))}" if self.axes else ""
        return f"{self.kind} in {self.on}{along}" if self.on else self.kind


_STAGE_NUMBERS = (2, 3)
_LINE_NUMBERS = (2, 3, 4, 5, 6)


@dataclass(frozen=True, repr=False)
class PlanReport:
    """What a scan of a cell computes, at which stage, and at what cost; made by `Cell.plan`.

    `str` of it is a table by stage and one by source line. FLOPs and bytes are those of a whole run
    of `steps` steps on a batch, counted from shapes: a ufunc is one operation per element, a matrix
    product two for each pair of factors; bytes are the reads and writes of each instruction.

    >>> import tinygrad_rnn as tg
    >>> plan = tg.nn.RNNCell(3, 4).plan(batch_size=2, steps=10)
    >>> [line.call for line in plan.lines if (line.direction, line.stage) == ("forward", "loop")]
    ['matmul(h before, transpose 2)', 'add(matmul 2, add 2)', 'tanh(add 3)']
    >>> for line in plan.state:
    ...     print(f"{line.name}: {line.property}, because of {line.because}")
    h: dense in h, because of matmul
    h: not affine, because of tanh
    >>> plan.total("forward", "loop").flops  # 10 x 2 x 4 elements: products of 4, add, tanh
    800
    """

    cell: str
    batch_size: int
    steps: int
    lines: tuple[PlanLine, ...]
    state: tuple[StateLine, ...] = ()
    passes: str = ""  # the step after each pass of the compiler, if requested

    def total(self, direction: str | None = None, stage: str | None = None) -> Cost:
        """The cost of one direction or stage, or of both and all."""
        return _sum(
            line.cost
            for line in self.lines
            if direction in (None, line.direction) and stage in (None, line.stage)
        )

    def by_source(self) -> dict[str, dict[str, Cost]]:
        """For each source line `file.py:12`, the cost of each direction, and of the "loop".

        The cost of an instruction that several lines share is divided between them. Instructions
        without a source line, such as sums of gradients, are under "".
        """
        found: dict[str, dict[str, Cost]] = {}
        for line in self.lines:
            sources = line.sources or ("",)
            share = Cost(line.cost.flops // len(sources), line.cost.bytes // len(sources))
            for source in sources:
                costs = found.setdefault(source, {})
                for key in (line.direction, *(["loop"] if line.stage == "loop" else [])):
                    costs[key] = costs.get(key, Cost(0, 0)) + share
        return dict(sorted(found.items(), key=lambda item: _place(item[0])))

    def __str__(self) -> str:
        title = f"{self.cell}, {self.steps} steps, batch of {self.batch_size}"
        by_stage, by_line = self._stage_rows(), self._line_rows()
        tables = [
            *_table(self._state_rows(), (), long=4),
            "",
            *_table(by_stage, _STAGE_NUMBERS, long=0),
            "",
            *_table(by_line, _LINE_NUMBERS, long=1),
        ]
        passes = [self.passes, ""] if self.passes else []
        return "\n".join([title, "", *passes, *tables])

    def __repr__(self) -> str:
        everything = self.total()
        return (
            f"<plan of {self.cell}: {self.steps} steps, batch of {self.batch_size}, "
            f"{len(self.lines)} instructions, {_count(everything.flops)}FLOP; print() shows it>"
        )

    def _repr_html_(self) -> str:
        title = f"{self.cell}, {self.steps} steps, batch of {self.batch_size}"
        tables = [(self._state_rows(), ()), (self._stage_rows(), _STAGE_NUMBERS)]
        tables.append((self._line_rows(), _LINE_NUMBERS))
        titles = title, "", ""
        return "".join(html_table(*table, t) for table, t in zip(tables, titles, strict=True))

    def _state_rows(self) -> list[Sequence[str]]:
        rows: list[Sequence[str]] = [("next state", "is", "because of", "written at", "")]
        for line in self.state:
            text = _text(line.sources[0]) if line.sources else ""
            rows.append((line.name, line.property, line.because, _briefly(line.sources), text))
        return rows

    def _stage_rows(self) -> list[Sequence[str]]:
        rows: list[Sequence[str]] = [("", "shape", "FLOPs", "bytes", "written at")]
        for direction in dict.fromkeys(line.direction for line in self.lines):
            for stage, title in STAGES.items():
                lines = [x for x in self.lines if (x.direction, x.stage) == (direction, stage)]
                if not lines:
                    continue
                rows.append((f"{direction.upper()}: {title}", "", *self._cost(direction, stage)))
                for line in lines:
                    written = f"{line.name} = {line.call}"
                    shape = "x".join(map(str, line.shape)) or "number"
                    costs = _counted(line.cost) if line.cost.bytes else ("-", "-")
                    rows.append((f"  {written}", shape, *costs, _briefly(line.sources)))
            rows.append((f"{direction.upper()}: all", "", *self._cost(direction)))
        rows.append(("ALL", "", *self._cost()))
        return rows

    def _line_rows(self) -> list[Sequence[str]]:
        rows: list[Sequence[str]] = [
            ("line of the cell", "", "forward", "backward", "in loops", "bytes", "share")
        ]
        everything = self.total().flops or 1
        for source, costs in self.by_source().items():
            zero = Cost(0, 0)
            ahead, back = costs.get("forward", zero), costs.get("backward", zero)
            both = ahead + back
            rows.append(
                (
                    _base(source) if source else "-",
                    _text(source) if source else "(gradients added up, and the like)",
                    _count(ahead.flops),
                    _count(back.flops),
                    _count(costs.get("loop", zero).flops),
                    _count(both.bytes),
                    f"{both.flops / everything:.0%}",
                )
            )
        return rows

    def _cost(self, direction: str | None = None, stage: str | None = None) -> tuple[str, str]:
        return _counted(self.total(direction, stage))


def report(
    compiled: CompiledStep,
    leaf_names: Sequence[str | None],
    batch_size: int,
    steps: int,
    passes: bool,
) -> PlanReport:
    """The plan of a compiled step. `leaf_names`: the names of the tensors that it reads.

    `passes`: whether to include the step after each pass.
    """
    step = compiled.step
    printer = Printer(input_names(step, leaf_names))
    backward = compiled.backward.schedule if compiled.backward is not None else None
    lines = [
        *_lines(printer, "forward", compiled.forward.schedule, steps),
        *_lines(printer, "backward", backward, steps),
    ]
    state = tuple(_state(printer, step))
    text = printed(step, leaf_names) if passes else ""
    return PlanReport(step.label, batch_size, steps, tuple(lines), state, text)


def _state(printer: Printer, step: Step) -> Iterator[StateLine]:
    names = [printer.name(carry).removesuffix(" before") for carry in step.carry]

    def reason(because: Instruction | None) -> tuple[str, tuple[str, ...]]:
        return ("", ()) if because is None else (_op_written(because), _sources(because))

    for name, found in zip(names, structure_of(step), strict=True):
        for part in found.dependences:
            axes, on = tuple(part.axes), names[part.carry]
            yield StateLine(name, part.kind, on, axes, *reason(part.because))
        if not found.dependences:
            yield StateLine(name, "delayed input")
        else:
            kind = "affine" if found.not_affine is None else "not affine"
            yield StateLine(name, kind, "", (), *reason(found.not_affine))


def _op_written(because: Instruction) -> str:
    """The operation and, where the author wrote another, that: "tanh (in sigmoid)"."""
    if not isinstance(because.origin, Origin) or because.op_name in because.origin.op.split(","):
        return because.op_name
    return f"{because.op_name} (in {because.origin.op})"


def _lines(
    printer: Printer, direction: str, schedule: Schedule | None, steps: int
) -> Iterator[PlanLine]:
    for stage in STAGES if schedule is not None else ():
        assert schedule is not None
        for value in schedule.stages[stage]:
            yield PlanLine(
                direction,
                stage,
                printer.name(value),
                printer.call(value),
                value.shape,
                cost(value, steps, schedule.time_varying, stage == "loop"),
                _sources(value),
            )


def _sources(value: Instruction) -> tuple[str, ...]:
    """The source lines of the value: `cell.py:12,14` is two."""
    if value.origin is None or not value.origin.line:
        return ()
    file, _, numbers = value.origin.line.rpartition(":")
    return tuple(f"{file}:{number}" for number in numbers.split(","))


def _place(source: str) -> tuple[str, int]:
    file, _, number = source.rpartition(":")
    return file, int(number or 0)


def _text(source: str) -> str:
    """The text of that line."""
    return linecache.getline(*_place(source)).strip()


def _base(source: str) -> str:
    file, number = _place(source)
    return f"{os.path.basename(file)}:{number}"


def _briefly(sources: Sequence[str]) -> str:
    if not sources:
        return ""
    numbers = ",".join(str(_place(source)[1]) for source in sources)
    return f"{os.path.basename(_place(sources[0])[0])}:{numbers}"


def _sum(costs: Iterable[Cost]) -> Cost:
    return sum(costs, Cost(0, 0))


def _counted(of: Cost) -> tuple[str, str]:
    return _count(of.flops), _count(of.bytes)


def _count(number: int) -> str:
    """Three significant digits with k, M, G or T."""
    value = float(number)
    for unit in ("", "k", "M", "G"):
        if value < 999.5:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}T"


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _table(rows: Sequence[Sequence[str]], right: Sequence[int], long: int) -> Iterator[str]:
    """The rows as lines; column `long` is shortened so that they fit 80 columns."""
    columns = max(map(len, rows))
    cells = [[*row, *[""] * (columns - len(row))] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(columns)]
    too_wide = sum(widths) + 2 * (columns - 1) - _WIDTH
    widths[long] = max(widths[long] - max(too_wide, 0), _NARROWEST)
    for row in cells:
        row[long] = _short(row[long], widths[long])
    for number, row in enumerate(cells):
        padded = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(padded).rstrip()
        if number == 0:
            yield "-" * (sum(widths) + 2 * (columns - 1))
