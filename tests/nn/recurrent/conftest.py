"""Notices are given once a process: here, once a test."""

import sys
import weakref
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_notices_given(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cell that falls back to unrolling says so in every test, where it is an error."""
    monkeypatch.setattr(sys.modules["tinygrad_rnn.compiler.execution"], "_told", weakref.WeakSet())
    yield
