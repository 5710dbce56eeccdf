"""Every public name has a docstring with an example, and every example is right."""

from __future__ import annotations

import doctest
import importlib
import io
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import tinygrad_rnn as tg

# Plain values, and what another name explains (Graph.to_dot). Modules are looked into instead.
WITHOUT_EXAMPLE = {"tinygrad_rnn.data.PADDING", "tinygrad_rnn.graph_dot.digraph"}


def modules(package: ModuleType = tg) -> Iterator[ModuleType]:
    """Every module of the package."""
    yield package
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def public_modules() -> list[ModuleType]:
    """The package, the modules right below it that list public names, and those they list."""
    found = [module for module in modules() if module.__name__.count(".") <= 1]
    found = [module for module in found if hasattr(module, "__all__")]
    for module in found:
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


PUBLIC = public_names()
EXAMPLES = [
    test
    for module in modules()
    for test in doctest.DocTestFinder(exclude_empty=True).find(module)
    if test.examples
]


@pytest.mark.parametrize("module", public_modules(), ids=lambda module: module.__name__)
def test_lists_of_public_names_are_sorted_true_and_documented(module: ModuleType) -> None:
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name), f"{module.__name__}.__all__ lists {name}, which is not there"


@pytest.mark.parametrize("path", [path for path in PUBLIC if path not in WITHOUT_EXAMPLE])
def test_public_name_is_explained_by_an_example(path: str) -> None:
    explanation = PUBLIC[path].__doc__ or ""
    assert ">>>" in explanation, f"the docstring of {path} has no example (>>>)"
    assert not explanation.lstrip().startswith(">>>"), f"{path}: say what it is before the example"


def test_names_without_example_are_public() -> None:
    assert set(PUBLIC) >= WITHOUT_EXAMPLE


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_gives_what_it_shows(example: doctest.DocTest) -> None:
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=report.write)
    assert runner.failures == 0, report.getvalue()
