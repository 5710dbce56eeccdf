"""PyTorch's keywords beside NumPy's: `dim=` for `axis=`, `keepdim=` for `keepdims=`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["DIFFERENT", "numpys_keywords", "takes_axis", "takes_dim"]

F = TypeVar("F", bound=Callable[..., Any])

_NUMPYS = {"dim": "axis", "dims": "axis", "keepdim": "keepdims", "shifts": "shift"}
_PYTORCHS = {"axis": "dim", "keepdims": "keepdim"}

DIFFERENT: dict[str, str] = {}
"""Functions whose result with `dim=` is another one in PyTorch: how to write each of the two here.

It is filled from the table of PyTorch's names.
"""


def numpys_keywords(
    name: str, keywords: Mapping[str, Any], known: Collection[str]
) -> dict[str, Any]:
    """The keywords of a call of `name`, PyTorch's ones by their names in NumPy.

    `known`: the keywords that it takes. TypeError where PyTorch means something else, or if one
    is given by both of its names.
    """
    found = _renamed(name, keywords, known, _NUMPYS)
    if name in DIFFERENT and (given := keywords.keys() - found.keys()):
        raise TypeError(f"{name}({min(given)}=...): {DIFFERENT[name]}")
    return found


def _renamed(
    name: str, keywords: Mapping[str, Any], known: Collection[str], names: Mapping[str, str]
) -> dict[str, Any]:
    """The keywords that `name` takes; TypeError if one is given by both of its names."""
    found: dict[str, Any] = {}
    for given, value in keywords.items():
        other = names.get(given, given)
        here = given if given in known or other not in known else other
        if here in found:
            raise TypeError(f"{name}(): {here!r} is given twice, once as {given!r}")
        found[here] = value
    return found


def takes_axis(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for a function with PyTorch's `dim=`: it takes NumPy's `axis=`, as there."""
    name, known = function.__name__, frozenset(signature(function).parameters)

    @wraps(function)
    def with_axis(*inputs: Any, **keywords: Any) -> Any:
        return function(*inputs, **_renamed(name, keywords, known, _PYTORCHS))

    return with_axis


if TYPE_CHECKING:  # a type checker knows NumPy's names only

    def takes_dim(function: F) -> F:
        """See below."""
        return function

else:

    def takes_dim(function: F) -> F:
        """Decorator: let `function` take PyTorch's `dim=` and `keepdim=`, too."""
        name, known = function.__name__, frozenset(signature(function).parameters)

        @wraps(function)
        def with_dim(*inputs: Any, **keywords: Any) -> Any:
            if keywords and not known.issuperset(keywords):
                keywords = numpys_keywords(name, keywords, known)
            return function(*inputs, **keywords)

        return with_dim
