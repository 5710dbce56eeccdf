"""Notation: an expression as it is written in the literature.

Sums, products, powers and the common functions have their usual signs. Any other op is written as a
function with its own name and its attributes as a subscript. `reading` parses this notation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ...engine.primitives.primitive import Primitive
from .expression import Expression, is_product
from .layout import Fraction, Group, Layout, Letter, Listed, Mark, Number, Root, Row, Script

__all__ = ["TOP", "Function", "Notation"]

# How tightly a form binds: inside a tighter one it is put in brackets.
_RELATION, _SUM, _ELEMENTWISE, _PRODUCT, _POWER, _ATOM = range(6)

TOP = Mark("\\top", "⊤")
_TIMES = Mark("\\odot", "⊙")
_THIN = Mark("\\,", "\u2062")  # an invisible multiplication sign
_RELATIONS = {
    "greater": Mark(">", ">"),
    "greater_equal": Mark("\\geq", "≥"),
    "less": Mark("<", "<"),
    "less_equal": Mark("\\leq", "≤"),
    "equal": Mark("=", "="),
    "not_equal": Mark("\\neq", "≠"),
}
_FUNCTIONS = {"sigmoid": "sigma", "maximum": "max", "minimum": "min"}
_COMMANDS = {"tanh", "exp", "log", "cos", "sin", "max", "min", "sinh", "cosh", "tan", "arctan"}


class Function(NamedTuple):
    """The op behind the name of a function."""

    op: Primitive
    attributes: Mapping[str, Any]
    output: int | None


class Written(NamedTuple):
    layout: Layout
    binds: int


class Name(Letter):
    """The name of a function."""

    def latex(self) -> str:
        if self.text in _COMMANDS or self.text == "sigma":
            return f"\\{self.text}"
        escaped = self.text.replace("_", "\\_")
        return f"\\operatorname{{{escaped}}}"


class Notation:
    """Writes expressions; `symbols`: the symbols of those that have one, by id.

    `functions`: the ops behind the function names written so far, by their LaTeX.
    """

    def __init__(self, symbols: Mapping[int, Layout]) -> None:
        self.symbols = symbols
        self.functions: dict[str, Function] = {}

    def write(self, e: Expression) -> Layout:
        """Write the expression itself, even if it has a symbol."""
        return self._form(e).layout

    def _any(self, e: Expression) -> Written:
        found = self.symbols.get(id(e))
        return self._form(e) if found is None else Written(found, _ATOM)

    def _at_least(self, e: Expression, binds: int) -> Layout:
        """In brackets if it binds less."""
        written = self._any(e)
        return written.layout if written.binds >= binds else Group((written.layout,))

    def _form(self, e: Expression) -> Written:
        if e.leaf is not None:
            return (
                self._number(e.sample.item())
                if e.is_number
                else Written(self.symbols[id(e)], _ATOM)
            )
        assert e.op is not None
        name = e.op.name
        if is_product(e):
            found = self._product(*e.inputs)
        elif name in _RELATIONS:
            a, b = (self._at_least(x, _SUM) for x in e.inputs)
            found = Written(Row((a, _RELATIONS[name], b)), _RELATION)
        else:
            form: Callable[[Expression], Written | None] | None = getattr(self, f"_op_{name}", None)
            found = None if form is None else form(e)
        return self._function(e) if found is None else found

    # Numbers

    def _number(self, x: Any) -> Written:
        if isinstance(x, bool | int):
            return self._signed(Number(str(abs(int(x)))), x < 0)
        if not math.isfinite(x):
            return self._signed(Mark("\\infty", "∞"), x < 0)
        digits, _, exponent = np.format_float_scientific(abs(x), trim="-").partition("e")
        if -4 <= int(exponent) < 6:
            return self._signed(Number(np.format_float_positional(abs(x), trim="-")), x < 0)
        power = Script(Number("10"), above=Number(str(int(exponent))))
        if digits == "1":
            return Written(power, _POWER) if x > 0 else self._signed(power, True)
        whole = Row((Number(digits), Mark("\\times", "×"), power))
        return Written(whole, _PRODUCT) if x > 0 else self._signed(whole, True)

    def _signed(self, of: Layout, is_negative: bool) -> Written:
        minus = Mark("-", "−", "prefix")
        return Written(Row((minus, of)), _SUM) if is_negative else Written(of, _ATOM)

    # Forms of their own

    def _op_add(self, e: Expression) -> Written:
        a, b = e.inputs
        right = self._any(b)
        if isinstance(right.layout, Row) and right.layout.pieces[0] == Mark("-", "−", "prefix"):
            right = Written(Group((right.layout,)), _ATOM)
        return self._sum(self._at_least(a, _SUM), Mark("+", "+"), right, _SUM)

    def _op_sub(self, e: Expression) -> Written:
        a, b = e.inputs
        return self._sum(self._at_least(a, _SUM), Mark("-", "−"), self._any(b), _ELEMENTWISE)

    def _sum(self, left: Layout, sign: Mark, right: Written, binds: int) -> Written:
        """Terms of a sum share one row."""
        second = right.layout if right.binds >= binds else Group((right.layout,))
        before = left.pieces if isinstance(left, Row) and _is_sum(left) else (left,)
        after = second.pieces if isinstance(second, Row) and _is_sum(second) else (second,)
        return Written(Row((*before, sign, *after)), _SUM)

    def _op_neg(self, e: Expression) -> Written:
        return Written(
            Row((Mark("-", "−", "prefix"), self._at_least(e.inputs[0], _ELEMENTWISE))), _SUM
        )

    def _op_mul(self, e: Expression) -> Written:
        a, b = e.inputs
        if b.is_scalar and not a.is_scalar:
            a, b = b, a
        minus = self._negated(a)
        if minus is not None:  # -a ⊙ b, without brackets
            return Written(Row((Mark("-", "−", "prefix"), minus(b))), _SUM)
        if a is b:
            return self._op_square(e)
        if not a.is_scalar:
            return self._chain(_TIMES, a, b, _ELEMENTWISE, _PRODUCT)
        left, right = self._any(a), self._any(b)
        if right.binds == _ELEMENTWISE:  # 2 x ⊙ y is the same, either way
            return Written(Row((self._at_least(a, _POWER), _THIN, right.layout)), _ELEMENTWISE)
        second = self._at_least(b, _PRODUCT)
        if isinstance(left.layout, Number) and isinstance(_first(second), Number):
            return Written(Row((left.layout, Mark("\\cdot", "·"), second)), _PRODUCT)
        return Written(Row((self._at_least(a, _POWER), _THIN, second)), _PRODUCT)

    _op_hadamard = _op_mul

    def _negated(self, e: Expression) -> Callable[[Expression], Layout] | None:
        """For a factor -a without a symbol, that writes a ⊙ b."""
        if e.op is None or e.op.name != "neg" or id(e) in self.symbols or e.is_scalar:
            return None
        inner = e.inputs[0]
        return lambda b: self._chain(_TIMES, inner, b, _ELEMENTWISE, _PRODUCT).layout

    def _chain(self, mark: Mark, a: Expression, b: Expression, own: int, inner: int) -> Written:
        left, right = self._at_least(a, own), self._at_least(b, inner)
        return Written(Row((left, mark, right)), own)

    def _op_div(self, e: Expression) -> Written:
        a, b = (self._any(x).layout for x in e.inputs)
        return Written(Fraction(a, b), _POWER)

    def _op_pow(self, e: Expression) -> Written | None:
        a, b = e.inputs
        if not b.is_number:
            return None
        return Written(Script(self._base(a), above=self._any(b).layout), _POWER)

    def _op_square(self, e: Expression) -> Written:
        return Written(Script(self._base(e.inputs[0]), above=Number("2")), _POWER)

    def _base(self, e: Expression) -> Layout:
        """The base of a power: in brackets unless it is a plain letter."""
        found = self._at_least(e, _ATOM)
        is_plain = isinstance(found, Letter | Group | Number) or (
            isinstance(found, Script) and found.above is None
        )
        return found if is_plain else Group((found,))

    def _op_sqrt(self, e: Expression) -> Written:
        return Written(Root(self._any(e.inputs[0]).layout), _ATOM)

    def _op_abs(self, e: Expression) -> Written:
        return Written(Group((self._any(e.inputs[0]).layout,), "|", "|"), _ATOM)

    def _op_concatenate(self, e: Expression) -> Written | None:
        if e.attributes != {"axis": -1} or len(e.shape) != 1:
            return None
        pieces = tuple(self._any(x).layout for x in e.inputs)
        return Written(Group(pieces, "[", "]", ";"), _ATOM)

    def _op_transpose(self, e: Expression) -> Written | None:
        if len(e.shape) != 2 or tuple(e.attributes["axes"])[-2:] != (-1, -2):
            return None
        return Written(self._transposed(e.inputs[0]), _POWER)

    def _transposed(self, e: Expression) -> Layout:
        found = self._base(e)
        return Script(found, above=TOP)

    def _product(self, a: Expression, b: Expression) -> Written | None:
        if a.rows and len(a.shape) == 1 and not b.rows and len(b.shape) == 2:
            if _is_transpose(b):
                return self._beside(self._at_least(b.inputs[0], _POWER), a)
            return self._beside(self._transposed(b), a)
        if (len(a.shape) == 2 and len(b.shape) == 2) or (
            not b.rows and len(a.shape) == 2 and b.shape
        ):
            return self._beside(self._at_least(a, _POWER), b)
        return None

    def _beside(self, left: Layout, right: Expression) -> Written:
        return Written(Row((left, self._at_least(right, _PRODUCT))), _PRODUCT)

    def _op_einsum(self, e: Expression) -> Written | None:
        """Products of a matrix and a vector, and of two vectors, in each row."""
        if len(e.inputs) != 2 or not all(x.rows for x in e.inputs):
            return None
        terms, _, out = e.attributes["subscripts"].replace(" ", "").partition("->")
        a, b = terms.split(",")
        if not out or a[0] != b[0] or a[0] != out[0] or "." in terms:
            return None
        (a, b, out), (x, y) = (a[1:], b[1:], out[1:]), e.inputs
        if len(a) < len(b):
            (a, x), (b, y) = (b, y), (a, x)
        if len(a) == 2 and len(b) == 1 and len(out) == 1 and {b, out} == set(a):
            matrix = self._at_least(x, _POWER) if a == out + b else self._transposed(x)
            return self._beside(matrix, y)
        if len(a) == len(b) == 1 and out == a + b and a != b:
            return Written(Row((self._at_least(x, _POWER), self._transposed(y))), _PRODUCT)
        if len(a) == len(b) == 1 and out == b + a and a != b:
            return Written(Row((self._at_least(y, _POWER), self._transposed(x))), _PRODUCT)
        if a == b and len(a) == 1 and not out:
            return self._beside(self._transposed(x), y)
        return None

    # Functions

    def _function(self, e: Expression) -> Written:
        arguments = Group(tuple(self._any(x).layout for x in e.inputs))
        return Written(Row((self._name(e), arguments)), _ATOM)

    def _name(self, e: Expression) -> Layout:
        """The name of an op, with the attributes that distinguish it from others."""
        assert e.op is not None
        what = Function(e.op, e.attributes, e.output)
        base = Name(_FUNCTIONS.get(e.op.name, e.op.name))
        first: Layout | None = None
        for words in (_attributes(e, all_of_them=False), _attributes(e, all_of_them=True)):
            pieces = tuple(map(Letter, words))
            name: Layout = Script(base, Listed(pieces)) if pieces else base
            if e.output is not None:
                above = Number(str(e.output + 1))
                name = Script(base, Listed(pieces) if pieces else None, above)
            first = first or name
            known = self.functions.setdefault(name.latex(), what)
            if known.op is what.op and _same(known, what):
                return name
        raise AssertionError(f"two functions are called {first}")


_USUAL = (("axis", -1), ("axis", (-1,)), ("keepdims", True), ("keepdims", False))


def _same(a: Function, b: Function) -> bool:
    return a.output == b.output and repr(a.attributes) == repr(b.attributes)


def _attributes(e: Expression, all_of_them: bool) -> list[str]:
    found = []
    assert e.op is not None
    for name, value in e.attributes.items():
        if name == "shape" and isinstance(value, tuple) and (not e.rows or not all_of_them):
            found.append("×".join(map(str, value[1:] if e.rows else value)))
        elif name in ("unfold", "pad") and not all_of_them:
            continue
        elif all_of_them or ((name, value) not in _USUAL and value is not None and name != "dtype"):
            found.append(f"{name}={value}".replace(" ", ""))
    return [word for word in found if word]


def _is_transpose(e: Expression) -> bool:
    return e.op is not None and e.op.traits.permutation is not None


def _is_sum(row: Row) -> bool:
    marks = [p for p in row.pieces if isinstance(p, Mark)]
    return any(p.command in "+-" and p.form == "infix" for p in marks)


def _first(layout: Layout) -> Layout:
    while isinstance(layout, Row):
        layout = layout.pieces[0]
    if isinstance(layout, Script):
        return _first(layout.base)
    return layout
