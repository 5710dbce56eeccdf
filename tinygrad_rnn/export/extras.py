"""Libraries that exports need, and the extras that install them."""

from __future__ import annotations

import importlib
from typing import Any

from ..invocation import install_command

__all__ = ["imported"]


def imported(module: str, extra: str, name: str) -> Any:
    """The module; ImportError that names the extra if its library is not installed.

    >>> imported("numpy", "onnx", "NumPy").__name__
    'numpy'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"exporting to {name} needs {module.partition('.')[0]}, which comes with the extra "
            f"{extra!r}: {install_command(extra)}"
        ) from error
