"""The environment of a run: what its exact numbers depend on besides the program."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from ..compiler.backends.blas import blas_threads
from ..compiler.backends.executor import get_executor

__all__ = ["differences", "environment", "processor"]


def environment() -> dict[str, str]:
    """Machine, versions, executor and threads, in words.

    >>> environment()["NumPy"] == np.__version__
    True
    """
    return {
        # The name of the host is not asked for: in a container it is another each time.
        "machine": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]),
        "processor": processor(),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "BLAS": _blas(),
        "BLAS threads": str(blas_threads() or "unknown"),
        "tinygrad_rnn": _version("tinygrad_rnn"),
        "llvmlite": _version("llvmlite"),
        "executor": get_executor(),
    }


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """A description of what has changed.

    >>> differences({"NumPy": "2.0.2", "executor": "numpy"}, {"NumPy": "2.1.0"})
    ['NumPy is 2.1.0, was 2.0.2', 'executor is unknown, was numpy']
    """
    return [
        f"{name} is {now.get(name, 'unknown')}, was {before.get(name, 'unknown')}"
        for name in dict.fromkeys([*before, *now])
        if now.get(name) != before.get(name)
    ]


@cache
def _blas() -> str:
    built: Any = np.show_config(mode="dicts")
    blas = built["Build Dependencies"]["blas"]
    return f"{blas.get('name')} {blas.get('version')}"


@cache
def _version(package: str) -> str:
    if package == "tinygrad_rnn":
        return str(sys.modules["tinygrad_rnn"].__version__)
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@cache
def processor() -> str:
    """The processor's name, and the instruction sets that NumPy's loops are chosen by.

    >>> "instruction sets" in processor()
    True
    """
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = (line.partition(":")[2].strip() for line in file if "model name" in line)
            name = next(names, name)
    except OSError:
        pass  # not Linux
    features = import_module("numpy._core._multiarray_umath").__cpu_features__
    return f"{name} ({sum(features.values())} instruction sets)"
