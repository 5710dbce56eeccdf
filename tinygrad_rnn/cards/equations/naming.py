"""Naming: which values of a step have their own equation, and which symbols they get.

A value gets the name that its author gave it: the letter or word passed to `named`, otherwise the
variable to which it is assigned. So a card uses the names of the cell's own source.
"""

from __future__ import annotations

import ast
import linecache
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from .expression import Expression, parts_of
from .layout import Layout, Letter, Listed, Number, Script, symbol
from .layout import Mark as _Mark
from .recovery import TracedStep, Written

__all__ = ["Named", "Symbols", "named_values"]

_SHARED = 3  # a value used twice gets an equation if it has at least this many symbols
_LONG = 9  # a line with more symbols is split: its largest part gets an equation


class Named(NamedTuple):
    """A value with an equation: its symbol, and its author's name for it."""

    expression: Expression
    symbol: Layout
    says: str


class Symbols(NamedTuple):
    """The equations in order, and the symbols by the id of the expression.

    `outputs`, `next_state`: their symbols. `parts`: the meanings of labels of parts of parameters,
    such as "(f): rows 4 to 8 of W".
    """

    equations: tuple[Named, ...]
    of: dict[int, Layout]


def named_values(step: TracedStep) -> Symbols:
    """The equations of a step, each with its symbol."""
    return _Naming(step).symbols()


class _Naming:
    def __init__(self, step: TracedStep) -> None:
        self.step = step
        self.results = [*step.next_state, *step.outputs]
        self.order = _in_order(step)
        self.author = _authors_names(step.written)
        self.of: dict[int, Layout] = {}
        self.taken: set[str] = {"\\sigma"}

    def symbols(self) -> Symbols:
        equations = self._with_equations()
        for e in self.order:
            if e.leaf is not None and e.leaf.kind in ("parameter", "constant", "input", "drawn"):
                self._leaf(e)
        self._states()
        for e in equations:
            if id(e) not in self.of:
                self._put(e, self._name(e))
        self._parts(equations)
        named = [Named(e, self.of[id(e)], self.author.get(id(e), ("", ""))[0]) for e in equations]
        return Symbols(tuple(named), self.of)

    # Which

    def _with_equations(self) -> list[Expression]:
        uses = Counter(id(x) for e in self.order for x in e.inputs)
        chosen = {id(e) for e in self.results if e.leaf is None}
        chosen |= {i for i, (says, _) in self.author.items() if says}
        for e in self.order:  # a part belongs to something that has a symbol
            if _is_piece(e) and e.inputs[0].leaf is None and not _is_piece(e.inputs[0]):
                chosen.add(id(e.inputs[0]))
        size: dict[int, int] = {}
        for e in self.order:
            if e.leaf is not None or _is_piece(e):
                size[id(e)] = 0 if e.is_number else 1
                continue
            parts = {id(x): 1 if id(x) in chosen else size[id(x)] for x in e.inputs}
            own = sum(1 if id(x) in chosen else size[id(x)] for x in e.inputs)
            for x in sorted(e.inputs, key=lambda x: -parts[id(x)]):
                if own <= _LONG or parts[id(x)] < _SHARED:
                    break
                if id(x) not in chosen:
                    chosen.add(id(x))
                    own -= size[id(x)] - 1
            size[id(e)] = own
            has_name = own > 1 and any(self.author.get(id(e), ()))
            if uses[id(e)] > 1 and (own >= _SHARED or has_name):
                chosen.add(id(e))
        return [e for e in self.order if id(e) in chosen and e.leaf is None and not _is_piece(e)]

    # By which symbols

    def _put(self, e: Expression, name: str, *subscripts: Layout) -> None:
        """The symbol of that name, with a number if it is taken."""
        time = [Letter("t")] if e.rows and not subscripts else list(subscripts)
        for number in range(1, 1000):
            text = name if number == 1 else f"{name}_{number}"
            found = symbol(text, time)
            if found.latex() not in self.taken:
                self.taken.add(found.latex())
                self.of[id(e)] = found
                return

    def _leaf(self, e: Expression) -> None:
        assert e.leaf is not None
        if e.leaf.kind == "drawn":
            self._put(e, "xi")
        else:
            self._put(e, "K" if e.leaf.name == "constant" else e.leaf.name)

    def _states(self) -> None:
        """Name each leaf of the previous state after its successor: h_{t-1} after h_t."""
        before = Listed((Letter("t"), _Mark("-", "−"), Number("1")), "")
        for k, (old, new) in enumerate(zip(self.step.state, self.step.next_state, strict=True)):
            name = self._name(new) if new.leaf is None else ""
            name = name or ("s" if len(self.step.state) == 1 else f"s_{k + 1}")
            if new.leaf is None and not _is_piece(new) and id(new) not in self.of:
                self._put(new, name)
            if id(old) not in self.of:
                self._put(old, name, before)

    def _name(self, e: Expression) -> str:
        says, variable = self.author.get(id(e), ("", ""))
        if says and (len(says) == 1 or not variable):
            return says.replace(" ", "-") if says.isidentifier() else _word(says)
        return variable or "u"

    # Parts of parameters

    def _parts(self, equations: Sequence[Expression]) -> None:
        users: dict[tuple[int, int, int], set[int]] = {}
        reach = {id(e): _inside(e, equations) for e in equations}
        for owner, inside in reach.items():
            for x in inside:
                found = parts_of(x)
                if found is not None:
                    section, size = found
                    users.setdefault((size, section.start, section.stop), set()).add(owner)
        counts = Counter(owner for owners in users.values() for owner in owners)
        for e in self.order:
            if _is_piece(e) and id(e) not in self.of:
                self._put_part(e, users, counts)

    def _put_part(
        self, e: Expression, users: dict[tuple[int, int, int], set[int]], counts: Counter[int]
    ) -> None:
        base = self.of[id(e.inputs[0])]
        found = parts_of(e)
        label: Layout
        if found is None:
            place = _picked(e) if e.output is None else e.output
            label = Number(str((place or 0) + 1))
        else:
            section, size = found
            owners = users.get((size, section.start, section.stop), set())
            length = section.stop - section.start
            if len(owners) == 1 and counts[next(iter(owners))] == 1:
                label = _without_time(self.of[next(iter(owners))])
            elif length and not size % length and not section.start % length:
                label = Number(str(section.start // length + 1))
            else:
                label = Letter(f"{section.start}:{section.stop}")
            own_axes = e.sample.ndim - e.rows
            if own_axes > 1 and section.axis != -own_axes:
                label = Listed((*[Letter(":")] * (own_axes + section.axis), label))
        brackets = _Mark("(", "(", "prefix", False), _Mark(")", ")", "postfix", False)
        above = Listed((brackets[0], label, brackets[1]), "")
        if isinstance(base, Script) and base.above is None:
            found_symbol = Script(base.base, base.below, above)
        elif isinstance(base, Script):
            assert base.above is not None
            found_symbol = Script(base.base, base.below, Listed((base.above, above), ""))
        else:
            found_symbol = Script(base, None, above)
        for number in range(1, 100):
            if found_symbol.latex() not in self.taken:
                break
            found_symbol = Script(
                found_symbol.base, found_symbol.below, Listed((above, Number(str(number))))
            )
        self.taken.add(found_symbol.latex())
        self.of[id(e)] = found_symbol


def _is_piece(e: Expression) -> bool:
    """Whether it is a part of something, or one of several outputs of an op."""
    if len(e.inputs) != 1:
        return False
    return parts_of(e) is not None or e.output is not None or _picked(e) is not None


def _picked(e: Expression) -> int | None:
    """The number of a slice that is picked along the first axis of a row: W[0], x[:, 0]."""
    template = e.attributes.get("template", ())
    if e.rows and template[:1] == (slice(None),):
        template = template[1:]
    is_one = len(template) == 1 and isinstance(template[0], int) and template[0] >= 0
    return template[0] if is_one and not isinstance(template[0], bool) else None


def _inside(e: Expression, equations: Sequence[Expression]) -> list[Expression]:
    """The expressions in an equation, down to those with their own equations."""
    ends = {id(x) for x in equations}
    found: dict[int, Expression] = {}
    waiting = list(e.inputs)
    while waiting:
        x = waiting.pop()
        if id(x) not in found and (id(x) not in ends):
            found[id(x)] = x
            waiting += x.inputs
    return [*found.values()]


def _in_order(step: TracedStep) -> list[Expression]:
    """All expressions behind the results, in the order in which the author wrote them."""
    needed = {id(e) for result in (*step.next_state, *step.outputs) for e in result.behind()}
    found: dict[int, Expression] = {}
    for root in (*(w.expression for w in step.written), *step.next_state, *step.outputs):
        if id(root) in needed and id(root) not in found:
            found |= {id(e): e for e in root.behind() if id(e) not in found}
    return [*found.values()]


def _without_time(of: Layout) -> Layout:
    """f of f_t."""
    if not isinstance(of, Script) or of.below is None:
        return of
    if not isinstance(of.below, Listed):
        return of.base
    rest = of.below.pieces[:-1]
    return Script(of.base, Listed(rest) if len(rest) > 1 else rest[0])


def _word(says: str) -> str:
    return says.replace(".", " ").replace("_", " ")


# What the author called a value


def _authors_names(written: Iterable[Written]) -> dict[int, tuple[str, str]]:
    """By id: the words passed to `named` for a value, and the variable to which it is assigned."""
    found: dict[int, tuple[str, str]] = {}
    for w in written:
        if w.expression.leaf is not None:
            continue
        says, variable = found.get(id(w.expression), ("", ""))
        if w.is_last and not variable:
            variable = _variable(w.line, w.output)
        found[id(w.expression)] = (says or w.name or "", variable)
    return found


def _variable(line: str | None, output: int | None) -> str:
    """The variable on the left of the statement in that line; "" if there is no single one."""
    file, _, number = (line or "").rpartition(":")
    if not number.isdigit():
        return ""
    for first, last, names in _assignments(file):
        if first <= int(number) <= last:
            if len(names) == 1 and output is None:
                return names[0]
            if len(names) > 1 and output is not None and output < len(names):
                return names[output]
    return ""


@cache
def _assignments(file: str) -> list[tuple[int, int, list[str]]]:
    """First line, last line and the variables of each assignment; inner ones first."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            if all(isinstance(name, ast.Name) for name in names):
                words = [name.id for name in names if isinstance(name, ast.Name)]
                found.append((node.lineno, node.end_lineno or node.lineno, words))
    return sorted(found, key=lambda a: a[1] - a[0])
