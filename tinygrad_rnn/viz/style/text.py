"""The width of text, estimated without a font, and safe ways to write it."""

from __future__ import annotations

import math
import unicodedata
from html import escape
from typing import Any

import numpy as np

from ...language import say

__all__ = ["FEW", "escaped", "fitted", "in_brief", "in_words", "number", "power", "printable"]
__all__ += ["text_width", "wrapped"]

_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[]{}/ -`\""), frozenset("mwMW@%—→∂")


FEW = 4  # numbers that are written out at most


def text_width(text: str, size: float) -> float:
    """The width of `text` in px at a font size, for a sans-serif font; an upper estimate.

    East Asian wide letters count as wide as they are high, combining marks as nothing.

    >>> text_width("한국", 10) > text_width("ab", 10)
    True
    """
    return sum(map(_em, text)) * size


def _em(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in _NARROW:
        return 0.36
    if letter in _WIDE:
        return 0.92
    return 0.68 if letter.isupper() else 0.58


def fitted(text: str, size: float, width: float) -> str:
    """`text`, shortened with an ellipsis in its middle so that it fits into `width` px.

    >>> fitted("weight_ih_l0_reverse", 10, 60)
    'weigh…erse'
    """
    if text_width(text, size) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = text[: (kept + 1) // 2] + "…" + (text[-(kept // 2) :] if kept > 1 else "")
        if text_width(short, size) <= width:
            return short
    return "…"


def wrapped(text: str, size: float, width: float) -> list[str]:
    """`text` in lines of about `width` px; none for an empty text.

    >>> wrapped("one two three", 10, 45)
    ['one two', 'three']
    """
    lines: list[str] = []
    for word in text.split(" ") if text else ():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) * 0.93 <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def escaped(text: str) -> str:
    """`text` for SVG and HTML, in an element or an attribute; control characters are dropped.

    >>> escaped('<script>"')
    '&lt;script&gt;&quot;'
    """
    return escape("".join(c for c in text if c.isprintable()), quote=True)


def printable(text: str) -> str:
    """`text` without control characters and spaces of no width.

    >>> printable("a\\x07b")
    'ab'
    """
    return "".join(c for c in text if c.isprintable()).replace("\u200b", "")


def number(value: float) -> str:
    """A coordinate with at most one decimal.

    >>> number(3.0), number(2.25)
    ('3', '2.2')
    """
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def power(exponent: int) -> str:
    """Ten to an integer power.

    >>> power(-6)
    '10⁻⁶'
    """
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def in_brief(value: Any) -> str:
    """A few numbers as they are; of more, their mean.

    >>> import numpy as np
    >>> in_brief(np.array([1.0, -2.5])), in_brief(np.ones((3, 4)))
    ('[1, −2.5]', 'mean 1')
    """
    flat = np.ravel(value)
    if flat.size > FEW:
        return say("mean {value}", value=_number(float(np.mean(flat))))
    numbers = ", ".join(_number(float(v)) for v in flat)
    return numbers if np.ndim(value) == 0 or flat.size == 1 else f"[{numbers}]"


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def in_words(value: float) -> str:
    r"""A share or a factor, in words for the reader.

    >>> in_words(0.25), in_words(3.2e-9), in_words(0.0)
    ('25\xa0%', '3\xa0·\xa010⁻⁹', 'nothing')
    """
    if value == 0:
        return say("nothing")
    if 1e-3 <= value <= 1.0:
        return f"{100 * value:.2g}\u00a0%" if value < 0.995 else "100\u00a0%"
    exponent = math.floor(math.log10(value))
    digit = round(value / 10.0**exponent)
    if digit == 10:
        digit, exponent = 1, exponent + 1
    return f"{digit}\u00a0·\u00a0{power(exponent)}" if abs(exponent) > 3 else f"{value:.3g}"
