"""Names: which globals and which attributes a function's code can read, found in its bytecode."""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

from ..trace.calls import home_of

__all__ = ["Names", "names_in"]


class Names(NamedTuple):
    """What a code object names.

    `chains`: globals, each with the chain of attributes read from it: `np.random.rand` is ("np",
    "random", "rand"). `attributes`: all names after a dot. `imports`: modules. `dynamic`: whether
    names may be computed at run time, as with getattr. `writes`: whether it may change something
    other than its local variables.
    """

    chains: frozenset[tuple[str, ...]]
    attributes: frozenset[str]
    imports: frozenset[str]
    dynamic: bool
    writes: bool


_DYNAMIC = {"vars", "__dict__", "attrgetter", "locals", "globals", "eval", "exec"}
_BY_STRING = {"getattr", "hasattr", "setattr", "delattr"}
_WRITING = {
    "DELETE_ATTR", "DELETE_DEREF", "DELETE_GLOBAL", "DELETE_SUBSCR", "STORE_ATTR", "STORE_GLOBAL",
    "STORE_SUBSCR",
}  # fmt: skip
_MUTATORS = {
    "__setattr__", "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop",
    "popitem", "popleft", "put", "remove", "set", "setattr", "setdefault", "update",
}  # fmt: skip
_ATTRIBUTE = {"LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR"}
_GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"}


@lru_cache(maxsize=4096)
def names_in(code: CodeType) -> Names:
    """The names in this code, without those of functions defined in it, which have their own code.

    >>> import numpy as np
    >>> sorted(names_in((lambda x: np.linalg.norm(x.data)).__code__).chains)
    [('np', 'linalg', 'norm')]
    """
    chains: set[tuple[str, ...]] = set()
    attributes: set[str] = set()
    imports: set[str] = set()
    by_user = home_of(code.co_filename) == "user"
    writes = by_user and not _MUTATORS.isdisjoint(code.co_names)
    chain: tuple[str, ...] = ()
    for instruction in dis.get_instructions(code):
        opname = instruction.opname
        writes |= opname in _WRITING and home_of(code.co_filename) != "python"
        writes |= opname == "STORE_DEREF" and instruction.argval in code.co_freevars
        if instruction.opname in _GLOBAL:
            chain = (instruction.argval,)
            chains.add(chain)
        elif instruction.opname in _ATTRIBUTE:
            attributes.add(instruction.argval)
            if chain:
                chains.discard(chain)
                chain = (*chain, instruction.argval)
                chains.add(chain)
        elif instruction.opname == "IMPORT_NAME":
            imports.add(instruction.argval)
        elif instruction.opname not in ("CACHE", "PUSH_NULL", "EXTENDED_ARG"):
            chain = ()
    dynamic = not _DYNAMIC.isdisjoint(code.co_names)
    if not _BY_STRING.isdisjoint(code.co_names):
        attributes.update(c for c in code.co_consts if isinstance(c, str) and c.isidentifier())
        dynamic = dynamic or home_of(code.co_filename) == "user"
    return Names(frozenset(chains), frozenset(attributes), frozenset(imports), dynamic, writes)
