"""Reading: LaTeX of the notation, evaluated with NumPy, to show that the equations are right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .notation import Function

__all__ = ["Value", "evaluated"]

Array = Any
_TOKEN = re.compile(r"\\operatorname\{[^}]*\}|\\[a-zA-Z]+|\\,|\d+(?:\.\d+)?|.")
_RELATIONS: Mapping[str, Callable[..., Array]] = {
    ">": np.greater,
    "\\geq": np.greater_equal,
    "<": np.less,
    "\\leq": np.less_equal,
    "=": np.equal,
    "\\neq": np.not_equal,
}


class Value(NamedTuple):
    """A value whose first axis is the batch if it has `rows`; a vector may be transposed."""

    array: Array
    rows: bool = False
    transposed: bool = False

    @property
    def axes(self) -> int:
        """Those of one row."""
        return int(np.ndim(self.array)) - self.rows


def evaluated(latex: str, symbols: Mapping[str, Value], functions: Mapping[str, Function]) -> Value:
    """The value of an expression. `symbols`, `functions`: the meanings of its letters and names.

    Sums and products with the sign ⊙ are elementwise and broadcast as in NumPy. Adjacent factors
    are multiplied as matrices and vectors, from the right. ValueError if it cannot be parsed.

    >>> half = Value(np.array([0.5, 1.0]))
    >>> evaluated("1 - 2 \\\\, x_{t}^{2}", {"x_{t}": half}, {}).array
    array([ 0.5, -1. ])
    """
    reader = _Reader(latex, symbols, functions)
    found = reader.relation()
    reader.end()
    return found


class _Reader:
    """Reads from left to right, one method for each level of precedence."""

    def __init__(
        self, text: str, symbols: Mapping[str, Value], functions: Mapping[str, Function]
    ) -> None:
        self.text, self.place = text, 0
        self.symbols, self.functions = symbols, functions
        self.names = sorted({*symbols, *functions}, key=len, reverse=True)

    # Tokens

    def peek(self) -> str:
        """The next token: a symbol or the name of a function as a whole."""
        while self.text.startswith(" ", self.place):
            self.place += 1
        for name in self.names:
            end = self.place + len(name)
            if self.text.startswith(name, self.place):
                if (
                    name[-1].isalpha()
                    and name.startswith("\\")
                    and self.text[end : end + 1].isalpha()
                ):
                    continue  # the beginning of a longer command
                return name
        found = _TOKEN.match(self.text, self.place)
        return found[0] if found else ""

    def take(self, *expected: str) -> str:
        """The next token, which is one of these."""
        token = self.peek()
        if expected and token not in expected:
            raise ValueError(f"expected {' or '.join(expected)} at {self.text[self.place :]!r}")
        self.place += len(token)
        return token

    def end(self) -> None:
        """Check that nothing is left."""
        if self.peek():
            raise ValueError(f"cannot read {self.text[self.place :]!r} in {self.text!r}")

    # Levels

    def relation(self) -> Value:
        """a > b."""
        left = self.sum()
        if self.peek() in _RELATIONS:
            relation = _RELATIONS[self.take()]
            return _elementwise(relation, left, self.sum())
        return left

    def sum(self) -> Value:
        """- a + b - c."""
        if self.peek() == "-":
            self.take()
            total = _elementwise(np.negative, self.products())
        else:
            total = self.products()
        while self.peek() in ("+", "-"):
            sign = np.add if self.take() == "+" else np.subtract
            total = _elementwise(sign, total, self.products())
        return total

    def products(self) -> Value:
        """a ⊙ b."""
        found = self.product()
        while self.peek() == "\\odot":
            self.take()
            found = _elementwise(np.multiply, found, self.product())
        return found

    def product(self) -> Value:
        """A B v, from the right; 2 \\, v."""
        left = self.power()
        token = self.peek()
        if token in ("\\,", "\\cdot", "\\times"):
            self.take()
            return _elementwise(np.multiply, left, self.product())
        if token and token not in (
            ")",
            "}",
            ",",
            ";",
            "]",
            "\\odot",
            "\\rvert",
            "+",
            "-",
            *_RELATIONS,
        ):
            return _product(left, self.product())
        return left

    def power(self) -> Value:
        """a^{2}, a^{\\top}."""
        base = self.atom()
        if self.peek() != "^":
            return base
        self.take("^")
        self.take("{")
        if self.peek() == "\\top":
            self.take()
            found = _transposed(base)
        else:
            found = _elementwise(np.power, base, self.sum())
        self.take("}")
        return found

    def atom(self) -> Value:
        """A symbol, a number, a call, or something in brackets."""
        token = self.take()
        if token in self.symbols:
            return self.symbols[token]
        if token in self.functions:
            self.take("(")
            return _call(self.functions[token], self.several(",", ")"))
        if token == "(":
            found = self.relation()
            self.take(")")
            return found
        if token == "[":
            pieces = self.several(";", "]")
            rows = any(v.rows for v in pieces)
            return Value(np.concatenate([v.array for v in pieces], axis=-1), rows)
        if token == "\\frac":
            return _elementwise(np.divide, self.braced(), self.braced())
        if token == "\\sqrt":
            return _elementwise(np.sqrt, self.braced())
        if token == "\\lvert":
            found = self.relation()
            self.take("\\rvert")
            return _elementwise(np.abs, found)
        if token == "\\infty":
            return Value(np.inf)
        if token[:1].isdigit():
            return Value(float(token) if "." in token else int(token))
        raise ValueError(f"cannot read {token!r} in {self.text!r}")

    def braced(self) -> Value:
        """{a}."""
        self.take("{")
        found = self.relation()
        self.take("}")
        return found

    def several(self, between: str, closing: str) -> list[Value]:
        """a, b)."""
        found = [self.relation()]
        while self.take(between, closing) == between:
            found.append(self.relation())
        return found


def _elementwise(function: Callable[..., Array], *values: Value) -> Value:
    arrays = [np.asarray(v.array, np.float64) if np.ndim(v.array) == 0 else v.array for v in values]
    return Value(function(*arrays), any(v.rows for v in values))


def _call(function: Function, values: list[Value]) -> Value:
    found = function.op.value(*(v.array for v in values), **function.attributes)
    if function.output is not None:
        found = found[function.output]
    return Value(found, any(v.rows for v in values))


def _transposed(v: Value) -> Value:
    if v.axes == 1:
        return v._replace(transposed=True)
    return v._replace(array=np.swapaxes(v.array, -1, -2))


def _product(a: Value, b: Value) -> Value:
    """Of matrices and vectors, in each row."""
    rows = a.rows or b.rows
    first = "..." if a.rows or a.axes > 2 else ""
    second = "..." if b.rows or b.axes > 2 else ""
    if (a.axes == 1 and not a.transposed) or a.axes == 0 or b.axes == 0:
        if not (b.transposed and a.axes == 1):
            raise ValueError(f"a product of shapes {np.shape(a.array)} and {np.shape(b.array)}")
    if b.transposed:
        return Value(np.einsum(f"{first}i,{second}j->...ij", a.array, b.array), rows)
    if a.transposed:
        subscripts = "i,...i->..." if b.axes == 1 else "i,...ij->...j"
        return Value(np.einsum(first + subscripts, a.array, b.array), rows)
    if b.axes == 1:
        return Value(np.einsum(f"{first}ij,{second}j->...i", a.array, b.array), rows)
    return Value(np.matmul(a.array, b.array), rows)
