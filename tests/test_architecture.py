"""The house keeps its floors: imports run one way, and no two files import each other.

Imports for type checking count too: a reader follows them as well. Read from the source, so that
an import inside a function is seen; that one is made later, so it is allowed to point upwards.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import tinygrad_rnn

ROOT = Path(tinygrad_rnn.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# Each floor leans only on those before it. Files that stand alone in the package belong to one.
FLOORS = (
    "errors files invocation language norms terminal",
    "engine",
    "ops",
    "graph pytree directional tables torch_names",
    "compiler",
    "nn",
    "cells",
    "optim",
    "data serialization user_code",
    "training",
    "analysis",
    "testing",
    "viz",
    "export",
    "comparison",
    "cards",
    "lessons",
    "cli",
)
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names.split()}

# What is still to be put right. Delete a line when it is; the test says so when one is not needed.
ALLOWED_UPWARDS: set[tuple[str, str]] = set()
ALLOWED_LONG: set[str] = set()
LONGEST = 400


def name_of(file: Path) -> str:
    """The module's name inside the package: `engine.op`; the package itself is empty."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in FILES}


@cache
def imports(module: str) -> frozenset[str]:
    """The modules of the package that a module imports as it is loaded or type-checked."""
    file = MODULES[module]
    package = name_of(file.parent / "__init__.py")
    found = set()
    for node in at_load(ast.parse(file.read_text(encoding="utf-8"))):
        for path in imported(node, package):
            while path not in MODULES and path:  # a name in a module: the module
                path = path.rpartition(".")[0]
            found.add(path)
    return frozenset(found - {module, ""})


def at_load(node: ast.AST) -> Iterator[ast.stmt]:
    """The import statements outside of functions, those under TYPE_CHECKING included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from at_load(child)


def imported(node: ast.stmt, package: str) -> Iterator[str]:
    """The dotted names that an import statement names, relative to the package's root."""
    if isinstance(node, ast.ImportFrom):
        if node.level:
            parts = package.split(".") if package else []
            base = parts[: len(parts) - node.level + 1]
        elif node.module and node.module.split(".")[0] == tinygrad_rnn.__name__:
            base = node.module.split(".")[1:]
        else:
            return
        base += node.module.split(".") if node.level and node.module else []
        yield from (".".join([*base, alias.name]) for alias in node.names)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] == tinygrad_rnn.__name__:
                yield ".".join(alias.name.split(".")[1:])


def floor(module: str) -> int:
    name = module.split(".")[0]
    assert name in FLOOR, f"{name} has no floor: give it one in FLOORS, and in the design"
    return FLOOR[name]


def circles() -> list[set[str]]:
    """Sets of modules that reach each other by imports (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    found: list[set[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        path.append(module)
        for other in imports(module):
            if other not in order:
                visit(other)
            if other in path:
                low[module] = min(low[module], low[other])
        if low[module] == order[module]:
            component = set(path[path.index(module) :])
            del path[path.index(module) :]
            if len(component) > 1:
                found.append(component)

    for module in MODULES:
        if module not in order:
            visit(module)
    return found


def test_no_two_files_import_each_other() -> None:
    knots = [sorted(knot) for knot in circles()]
    assert not knots, f"these files import each other: {knots}"


def upwards() -> dict[tuple[str, str], list[str]]:
    """Imports of a higher floor, by the two top folders."""
    found: dict[tuple[str, str], list[str]] = {}
    for module in MODULES:
        for other in imports(module) if module and module != "__main__" else ():
            if floor(other) > floor(module):
                between = module.split(".")[0], other.split(".")[0]
                found.setdefault(between, []).append(f"{module} imports {other}")
    return found


def test_imports_run_down_the_floors() -> None:
    new = {between: why for between, why in upwards().items() if between not in ALLOWED_UPWARDS}
    assert not new, f"a lower floor imports a higher one: {new}"


def test_every_exception_is_still_needed() -> None:
    assert upwards().keys() >= ALLOWED_UPWARDS
    for name in ALLOWED_LONG:
        assert name in MODULES and length(MODULES[name]) > LONGEST, f"{name}: short enough"


def length(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_file_is_read_in_one_sitting(name: str) -> None:
    assert name in ALLOWED_LONG or length(MODULES[name]) <= LONGEST


def test_the_reader_of_imports_sees_every_form() -> None:
    source = """
from __future__ import annotations
import numpy as np
from . import guard
from .node import Node
from ..errors import StaleValueError
if TYPE_CHECKING:
    from tinygrad_rnn.engine.op import Op
import tinygrad_rnn.ops.linalg
def later():
    from .tensor import Tensor
"""
    found = [p for node in at_load(ast.parse(source)) for p in imported(node, "engine")]
    assert found == [
        "engine.guard",
        "engine.node.Node",
        "errors.StaleValueError",
        "engine.op.Op",
        "ops.linalg",
    ]
