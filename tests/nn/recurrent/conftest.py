"""Notices are given once a process: here, once a test."""

import weakref
from collections.abc import Iterator

import pytest

from tinygrad_rnn.compiler import notices


@pytest.fixture(autouse=True)
def no_notices_given(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cell that falls back to unrolling says so in every test, where it is an error."""
    monkeypatch.setattr(notices, "_about", weakref.WeakSet())
    yield
