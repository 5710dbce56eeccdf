"""The explainer's Python module, which is no part of the package, natively."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOME = Path(__file__).parents[2] / "docs" / "explainer"


@pytest.fixture(scope="session")
def cells() -> dict[str, str]:
    """The texts to start from, by name, in their order."""
    order = (HOME / "cells" / "order.txt").read_text().split()
    return {name: (HOME / "cells" / f"{name}.py").read_text() for name in order}


@pytest.fixture(scope="session")
def explainer() -> Iterator[Any]:
    """The package `explainer`, as the worker imports it."""
    folder = HOME / "worker"
    spec = importlib.util.spec_from_file_location(
        "explainer", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["explainer"] = package
    spec.loader.exec_module(package)
    yield package
    for name in [name for name in sys.modules if name.split(".")[0] == "explainer"]:
        del sys.modules[name]


@pytest.fixture
def ask(explainer: Any) -> Callable[..., Any]:
    """Ask as the page does."""
    from importlib import import_module

    api = import_module("explainer.api")

    def ask(what: str, **arguments: Any) -> Any:
        return json.loads(api.ask(json.dumps({"what": what, **arguments})))

    ask("reset")
    return ask
