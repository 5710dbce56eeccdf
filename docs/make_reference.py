"""Write docs/reference.md: every public name with the first line of its docstring.

python docs/make_reference.py
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import tinygrad_rnn as tg

REFERENCE = Path(__file__).with_name("reference.md")
INSIDE = {
    f"tinygrad_rnn.{name}"
    for name in ("cli", "files", "invocation", "tables", "terminal", "torch_names", "user_code")
}
"""Modules whose names are for their neighbours."""

_HEAD = """\
# Reference

Every public name, and in one line what it is. `help(tg.softmax)` shows the whole text: shapes,
errors, source, and an example that is run by the tests. In this list `tg` is `tinygrad_rnn`.

This page is made from the docstrings by `python docs/make_reference.py`.
"""


def modules(package: ModuleType = tg) -> Iterator[ModuleType]:
    """Every module of the package, but for those of an extra that is not installed."""
    yield package
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            try:
                yield importlib.import_module(found.name)
            except ModuleNotFoundError as missing:
                if (missing.name or package.__name__).startswith(package.__name__):
                    raise


def public_modules() -> list[ModuleType]:
    """The package, the modules right below it that list public names, and those they list."""
    found = [module for module in modules() if module.__name__.count(".") <= 1]
    found = [m for m in found if hasattr(m, "__all__") and m.__name__ not in INSIDE]
    for module in found:  # which grows as it is walked
        listed = (getattr(module, name) for name in module.__all__)
        found += [x for x in listed if isinstance(x, ModuleType) and x not in found]
    return found


def public_names() -> dict[str, Any]:
    """Every public object that is no module, once, by the first path that leads to it."""
    found: dict[str, Any] = {}
    for module in public_modules():
        for name in module.__all__:
            value = getattr(module, name)
            if not isinstance(value, ModuleType) and not any(value is x for x in found.values()):
                found[f"{module.__name__}.{name}"] = value
    return found


def reference() -> str:
    """The page, grouped by the module that is imported, then by the one that defines a name."""
    lines = [_HEAD]
    home = ""
    group = None
    names = public_names()
    order = {module.__name__: place for place, module in enumerate(public_modules())}

    def key(path: str) -> tuple[int, str]:
        return order[path.rpartition(".")[0]], getattr(names[path], "__module__", "")

    for path in sorted(names, key=key):
        module, _, name = path.rpartition(".")
        value = names[path]
        defined_in = getattr(value, "__module__", module)
        if module != home:
            home, group = module, None
            lines.append(f"\n## {_short(module)}\n\n{_first_line(importlib.import_module(module))}")
        if defined_in != group:
            group = defined_in
            is_home = group == home or not group.startswith("tinygrad_rnn")
            title = "" if is_home else f"**{_first_line(importlib.import_module(group))}**\n"
            lines.append(f"\n{title}")
        lines.append(f"- `{_short(module)}.{name}{_signature(value)}`: {_first_line(value)}")
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def _short(path: str) -> str:
    return path.replace("tinygrad_rnn", "tg", 1)


def _first_line(value: Any) -> str:
    if not inspect.getdoc(value) or isinstance(value, int | str):
        return f"the constant {value!r}."
    paragraph = " ".join(inspect.getdoc(value).split("\n\n")[0].split())
    return paragraph.replace("``", "`")


def _signature(value: Any) -> str:
    """The names of the parameters; defaults and types are left to `help`."""
    if inspect.isclass(value) and issubclass(value, Exception):
        return ""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return ""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    shown = (stars.get(p.kind, "") + p.name for p in parameters if not p.name.startswith("_"))
    return f"({', '.join(shown)})"


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
