"""What a setting (a learning rate, a count, a switch) may be: each function checks one kind.

Each takes the setting's name and its value and returns the value as a plain Python number, bool or
tuple, fit for JSON. A plain Python float also keeps float32 arithmetic in float32, which a
`np.float64` would not. TypeError for the wrong kind of value, ValueError for one out of range.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

Check = Callable[[str, Any], Any]


def number(name: str, value: Any) -> float:
    """Any real number but NaN."""
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}: {value!r}")
    if math.isnan(value):
        raise ValueError(f"{name} is NaN")
    return float(value)


def limit(name: str, value: Any) -> float:
    """A number of at least 0, or infinity."""
    if not (found := number(name, value)) >= 0.0:
        raise ValueError(f"{name} must be at least 0, not {found}")
    return found


def non_negative(name: str, value: Any) -> float:
    """A finite number of at least 0."""
    if not (found := limit(name, value)) < math.inf:
        raise ValueError(f"{name} must be finite, not {found}")
    return found


def fraction(name: str, value: Any) -> float:
    """A number of at least 0 and below 1, such as a rate of decay."""
    if not (found := limit(name, value)) < 1.0:
        raise ValueError(f"{name} must be below 1, not {found}")
    return found


def two_fractions(name: str, value: Any) -> tuple[float, float]:
    """A pair of fractions, as a tuple or a list."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise TypeError(f"{name} must be a pair of numbers, not {value!r}")
    return fraction(f"{name}[0]", value[0]), fraction(f"{name}[1]", value[1])


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def count(name: str, value: Any) -> int:
    """An integer of at least 0."""
    try:
        found = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if found < 0:
        raise ValueError(f"{name} must be at least 0, not {found}")
    return found


def positive_count(name: str, value: Any) -> int:
    """An integer of at least 1."""
    if (found := count(name, value)) < 1:
        raise ValueError(f"{name} must be at least 1, not {found}")
    return found


def choice(*known: str) -> Check:
    """A check for one of the words `known`."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
        return value

    return check


def optional(check: Check) -> Check:
    """A check for None or for what `check` takes."""
    return lambda name, value: None if value is None else check(name, value)


def list_of(check: Check) -> Check:
    """A check for a list or tuple, each item of which passes `check`."""

    def check_each(name: str, value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise TypeError(f"{name} must be a list, not {value!r}")
        return [check(f"{name}[{i}]", item) for i, item in enumerate(value)]

    return check_each


def one_or_list_of(check: Check) -> Check:
    """A check for what `check` takes, or a list of it."""
    items = list_of(check)
    return lambda name, value: (items if isinstance(value, list | tuple) else check)(name, value)
