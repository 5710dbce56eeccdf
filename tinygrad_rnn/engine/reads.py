"""Reads: which values a gradient rule looks at, so that only these are watched for changes."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

__all__ = ["values_read"]


def values_read(rule: Callable[..., Any], names: list[str]) -> Iterator[str]:
    """Which of `names` (the output, then the inputs) `rule` reads the value of.

    `x.shape`, `x.ndim`, `x.size` and `x.dtype` read no value. A rule that is no plain function,
    or that hands a parameter to an inner function, is taken to read it.
    """
    code: CodeType | None = getattr(rule, "__code__", None)
    if code is None:
        yield from names
        return
    starred = code.co_varnames[code.co_argcount + code.co_kwonlyargcount :][:1]
    has_star = bool(code.co_flags & inspect.CO_VARARGS)
    parameters = [*code.co_varnames[1 : code.co_argcount], *(starred if has_star else ())]
    meaning = dict(zip(parameters, names, strict=False))
    if has_star:  # `*xs` stands for every input from its place on
        meaning.pop(starred[0], None)
    read = {name for parameter, name in meaning.items() if parameter in code.co_cellvars}
    instructions = list(dis.get_instructions(code))
    for instruction, following in zip(instructions, [*instructions[1:], None], strict=True):
        if not instruction.opname.startswith("LOAD_FAST"):
            continue
        loaded = (
            instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
        )
        only_form = following is not None and following.argval in ("shape", "ndim", "size", "dtype")
        for parameter in loaded[: len(loaded) - only_form]:
            if has_star and parameter == starred[0]:
                read.update(names[len(parameters) - 1 :])
            elif parameter in meaning:
                read.add(meaning[parameter])
    if has_star and starred[0] in code.co_cellvars:
        read.update(names[len(parameters) - 1 :])
    yield from read
