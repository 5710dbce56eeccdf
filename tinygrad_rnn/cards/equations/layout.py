"""Layout: mathematics on the page, written as MathML, which browsers draw, and as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape, unescape

__all__ = ["Fraction", "Group", "Layout", "Letter", "Listed", "Mark", "Number", "Root", "Row"]
__all__ += ["Script", "symbol"]

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
_LETTERS = {name: unescape(f"&{name};") for name in _GREEK.split()}


class Layout:
    """A piece of mathematics."""

    def latex(self) -> str:
        """In LaTeX's math mode; equal Layouts have equal LaTeX."""
        raise NotImplementedError

    def mathml(self) -> str:
        """As an element of MathML Core."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.latex()


@dataclass(frozen=True)
class Letter(Layout):
    """A letter, a Greek one by its name, or a word, which is upright."""

    text: str

    def latex(self) -> str:
        """See `Layout`."""
        if self.text in _LETTERS:
            return f"\\{self.text}"
        if len(self.text) == 1:
            return self.text
        escaped = re.sub(r"([#$%&_{} ])", r"\\\1", self.text)
        return f"\\mathrm{{{escaped}}}"

    def mathml(self) -> str:
        """See `Layout`."""
        if self.text in _LETTERS:
            return f"<mi>{_LETTERS[self.text]}</mi>"
        return f"<mi>{escape(self.text)}</mi>"


@dataclass(frozen=True)
class Number(Layout):
    """A number, or digits."""

    text: str

    def latex(self) -> str:
        """See `Layout`."""
        return self.text

    def mathml(self) -> str:
        """See `Layout`."""
        return f"<mn>{escape(self.text)}</mn>"


@dataclass(frozen=True)
class Mark(Layout):
    """An operator or a comma: in LaTeX, and as a character."""

    command: str
    character: str
    form: str = "infix"
    grows: bool = True  # with its contents

    def latex(self) -> str:
        """See `Layout`."""
        return self.command

    def mathml(self) -> str:
        """See `Layout`."""
        form = "" if self.form == "infix" else f' form="{self.form}"'
        fixed = "" if self.grows else ' stretchy="false"'
        return f"<mo{form}{fixed}>{escape(self.character)}</mo>"


@dataclass(frozen=True)
class Row(Layout):
    """Pieces side by side."""

    pieces: tuple[Layout, ...]

    def latex(self) -> str:
        """See `Layout`."""
        return " ".join(piece.latex() for piece in self.pieces)

    def mathml(self) -> str:
        """See `Layout`."""
        return f"<mrow>{''.join(piece.mathml() for piece in self.pieces)}</mrow>"


@dataclass(frozen=True)
class Listed(Layout):
    """Subscripts, with commas between, or nothing."""

    pieces: tuple[Layout, ...]
    comma: str = ","

    def latex(self) -> str:
        """See `Layout`."""
        return self.comma.join(piece.latex() for piece in self.pieces)

    def mathml(self) -> str:
        """See `Layout`."""
        comma = '<mo separator="true" rspace="0">,</mo>' if self.comma else ""
        return f"<mrow>{comma.join(piece.mathml() for piece in self.pieces)}</mrow>"


@dataclass(frozen=True)
class Script(Layout):
    """A base with a subscript, a superscript, or both."""

    base: Layout
    below: Layout | None = None
    above: Layout | None = None

    def latex(self) -> str:
        """See `Layout`."""
        below = "" if self.below is None else f"_{{{self.below.latex()}}}"
        above = "" if self.above is None else f"^{{{self.above.latex()}}}"
        return f"{self.base.latex()}{below}{above}"

    def mathml(self) -> str:
        """See `Layout`."""
        scripts = [s for s in (self.below, self.above) if s is not None]
        tag = {2: "msubsup", 1: "msub" if self.above is None else "msup"}[len(scripts)]
        return f"<{tag}>{self.base.mathml()}{''.join(s.mathml() for s in scripts)}</{tag}>"


@dataclass(frozen=True)
class Fraction(Layout):
    """A quotient."""

    over: Layout
    under: Layout

    def latex(self) -> str:
        """See `Layout`."""
        return f"\\frac{{{self.over.latex()}}}{{{self.under.latex()}}}"

    def mathml(self) -> str:
        """See `Layout`."""
        return f"<mfrac>{self.over.mathml()}{self.under.mathml()}</mfrac>"


@dataclass(frozen=True)
class Root(Layout):
    """A square root."""

    of: Layout

    def latex(self) -> str:
        """See `Layout`."""
        return f"\\sqrt{{{self.of.latex()}}}"

    def mathml(self) -> str:
        """See `Layout`."""
        return f"<msqrt>{self.of.mathml()}</msqrt>"


@dataclass(frozen=True)
class Group(Layout):
    """Pieces separated by commas or another mark, in brackets that grow with them."""

    pieces: tuple[Layout, ...]
    opening: str = "("
    closing: str = ")"
    between: str = ","

    def latex(self) -> str:
        """See `Layout`."""
        inside = f"{self.between} ".join(piece.latex() for piece in self.pieces)
        names = {"|": ("\\lvert", "\\rvert")}
        opening, closing = names.get(self.opening, (self.opening, self.closing))
        return f"{opening} {inside} {closing}" if "\\" in opening else f"{opening}{inside}{closing}"

    def mathml(self) -> str:
        """See `Layout`."""
        comma = f'<mo separator="true">{escape(self.between)}</mo>'
        inside = comma.join(piece.mathml() for piece in self.pieces)
        grows = "" if "<mfrac>" in inside or "<msqrt>" in inside else ' stretchy="false"'
        return (
            f'<mrow><mo form="prefix"{grows}>{escape(self.opening)}</mo>{inside}'
            f'<mo form="postfix"{grows}>{escape(self.closing)}</mo></mrow>'
        )


def symbol(name: str, subscripts: Sequence[Layout] = ()) -> Layout:
    """A name in a program as a symbol: `h`, `gamma_x`, `weight_ih`, `gate.linear.bias`.

    Everything after the first underscore or dot is a subscript. A weight is W and a bias is b, as
    in the literature.

    >>> symbol("weight_ih").latex(), symbol("gamma_x", [Letter("t")]).latex()
    ('W_{ih}', '\\\\gamma_{x,t}')
    """
    *path, last = name.split(".")
    first, *rest = [w for w in re.split(r"_|(?<=[a-zA-Z])(?=\d+$)", last) if w] or [last or "u"]
    base = {"weight": "W", "bias": "b"}.get(first, first)
    words = [*rest, *path]
    below = [*map(_subscript, words), *subscripts]
    return Script(_base(base), _joined(below)) if below else _base(base)


def _base(text: str) -> Layout:
    return Letter(text)


def _subscript(word: str) -> Layout:
    if word.isdigit():
        return Number(word)
    if word in _LETTERS or len(word) == 1:
        return Letter(word)
    return Listed(tuple(map(Letter, word)), "") if len(word) == 2 else Letter(word)


def _joined(pieces: Sequence[Layout]) -> Layout:
    return pieces[0] if len(pieces) == 1 else Listed(tuple(pieces))
