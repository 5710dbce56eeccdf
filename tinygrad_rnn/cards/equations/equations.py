"""Equations: what one step of a cell computes, as it would be printed in a paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ... import pytree
from ...engine.tensor import Tensor
from ...language import say
from ...nn.recurrent.cell import Cell
from .expression import Expression
from .layout import Layout
from .naming import named_values
from .notation import Function, Notation
from .reading import Value, evaluated
from .recovery import TracedStep, traced_step

__all__ = ["Equation", "Equations", "recovered"]

Array = Any

KINDS = {
    "input": "input",
    "parameter": "parameter",
    "constant": "constant",
    "drawn": "random numbers of",
    "state": "the state before the step",
}
"""What leaves of an expression are called, by their kind."""


class Equation(NamedTuple):
    """One line: the symbol, its definition, and the author's name for it, if there is one.

    >>> import tinygrad_rnn as tg
    >>> line = tg.cards.equations(tg.nn.LSTMCell(3, 4)).lines[4]
    >>> line.latex(), line.says
    ('c_{t} = f_{t} \\\\odot c_{t-1} + i_{t} \\\\odot g_{t}', 'c')
    """

    left: Layout
    right: Layout
    says: str

    def latex(self, equals: str = "=") -> str:
        """The line in LaTeX."""
        return f"{self.left.latex()} {equals} {self.right.latex()}"


class Meaning(NamedTuple):
    """What a symbol stands for: its kind, "parameter", its name, and its shape in one row."""

    symbol: Layout
    kind: str
    name: str
    shape: tuple[int, ...]

    @property
    def says(self) -> str:
        """In words: "parameter weight_ih"."""
        return f"{say(self.kind)} {self.name}".strip()


@dataclass(frozen=True, eq=False)
class Equations:
    """The equations of a step of a cell, from its trace. `str()` gives LaTeX; a notebook shows it.

    They describe one row of a batch. Vectors are columns: W x is a matrix times a vector, ⊙ the
    elementwise product. `meanings`: the meanings of symbols that no line defines. `functions`: the
    ops behind the names of functions. `refusal`: why another step may have other equations, for
    example because of a branch that depends on data; None for a step that is always the same.

    >>> import tinygrad_rnn as tg
    >>> found = tg.cards.equations(tg.cells.MinGRUCell(3, 4))
    >>> [(meaning.symbol.latex(), meaning.says) for meaning in found.meanings][:3]
    [('x_{t}', 'input x'), ('h_{t-1}', 'the state before the step'), ('W_{ih}', \
'parameter weight_ih')]
    >>> found.mathml()[:6]
    '<math '
    """

    cell: str
    lines: tuple[Equation, ...]
    meanings: tuple[Meaning, ...]
    functions: Mapping[str, Function]
    refusal: str | None
    _step: TracedStep
    _symbols: Mapping[int, Layout]

    def latex(self) -> str:
        """All lines, as LaTeX's `aligned`."""
        lines = " \\\\\n".join(line.latex("&=") for line in self.lines)
        return f"\\begin{{aligned}}\n{lines}\n\\end{{aligned}}"

    def __str__(self) -> str:
        return self.latex()

    def __repr__(self) -> str:
        return f"<{len(self.lines)} equations of {self.cell}; print() shows them>"

    def mathml(self) -> str:
        """All lines as an element that browsers draw, with nothing to load."""
        rows = "".join(
            f'<mtr><mtd style="text-align:right">{line.left.mathml()}</mtd><mtd><mo>=</mo></mtd>'
            f'<mtd style="text-align:left">{line.right.mathml()}</mtd></mtr>'
            for line in self.lines
        )
        return f'<math display="block"><mtable>{rows}</mtable></math>'

    def _repr_html_(self) -> str:
        return self.mathml()

    def evaluate(self) -> tuple[list[Array], list[Array]]:
        """The outputs and the next state of the traced step, from the lines as they are printed.

        The LaTeX of each line is parsed and evaluated with NumPy, line by line.
        """
        values = {
            self._symbols[id(e)].latex(): Value(e.sample, e.rows)
            for e in self._leaves()
            if id(e) in self._symbols
        }
        pieces = self._pieces()
        for line in self.lines:
            self._put_pieces(values, pieces)
            values[line.left.latex()] = evaluated(line.right.latex(), values, self.functions)
        self._put_pieces(values, pieces)

        def value(e: Expression) -> Array:
            found = self._symbols.get(id(e))
            return e.sample if found is None else values[found.latex()].array

        step = self._step
        return [*map(value, step.outputs)], [*map(value, step.next_state)]

    @cached_property
    def error(self) -> float:
        """How far `evaluate` is from the cell, relative to the largest number of each result."""
        outputs, state = self.evaluate()
        pairs = zip([*outputs, *state], [*self._step.outputs, *self._step.next_state], strict=True)
        return max((_difference(found, e.sample) for found, e in pairs), default=0.0)

    def _leaves(self) -> Iterator[Expression]:
        step = self._step
        for result in (*step.next_state, *step.outputs, *step.state, *step.inputs.values()):
            yield from (e for e in result.behind() if e.leaf is not None)

    def _pieces(self) -> list[Expression]:
        """Parts of symbols, which have their own symbols."""
        lines = {line.left.latex() for line in self.lines}
        found: dict[int, Expression] = {}
        for result in (*self._step.next_state, *self._step.outputs):
            for e in result.behind():
                named = self._symbols.get(id(e))
                if e.leaf is None and named is not None and named.latex() not in lines:
                    found[id(e)] = e
        return [*found.values()]

    def _put_pieces(self, values: dict[str, Value], pieces: Sequence[Expression]) -> None:
        for e in pieces:
            name = self._symbols[id(e)].latex()
            base = self._symbols[id(e.inputs[0])].latex()
            if name not in values and base in values:
                assert e.op is not None
                found = e.op.value(values[base].array, **e.attributes)
                found = found if e.output is None else found[e.output]
                values[name] = Value(found, values[base].rows)


def _difference(a: Array, b: Array) -> float:
    if not np.size(b):
        return 0.0
    a = np.broadcast_to(np.asarray(a, np.float64), np.shape(b))
    size = float(np.max(np.abs(b), initial=0.0, where=np.isfinite(b))) or 1.0
    return float(np.max(np.abs(a - b), initial=0.0, where=np.isfinite(b))) / size


def recovered(
    cell: Cell,
    x: Tensor,
    state: Any,
    inputs: Mapping[str, Tensor],
    constants: Mapping[str, Tensor],
) -> Equations:
    """The equations of a step on x (1, B, ...), from the state (B, ...)."""
    step = traced_step(cell, x, state, inputs, constants)
    found = named_values(step)
    notation = Notation(found.of)
    lines = tuple(
        Equation(named.symbol, notation.write(named.expression), named.says)
        for named in found.equations
    )
    return Equations(
        type(cell).__name__,
        lines,
        tuple(_meanings(step, found.of)),
        notation.functions,
        step.refusal,
        step,
        found.of,
    )


def _meanings(step: TracedStep, symbols: Mapping[int, Layout]) -> Iterator[Meaning]:
    seen: set[int] = set()
    before = pytree.leaves([*step.inputs.values(), *step.state])
    behind = [e for result in (*step.next_state, *step.outputs) for e in result.behind()]
    for e in (*before, *behind):
        if e.leaf is None or id(e) in seen or id(e) not in symbols:
            continue
        seen.add(id(e))
        name = "" if e.leaf.kind == "state" else e.leaf.name
        yield Meaning(symbols[id(e)], KINDS.get(e.leaf.kind, e.leaf.kind), name, e.shape)
