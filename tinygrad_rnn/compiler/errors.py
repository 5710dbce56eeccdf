"""Errors of the compiler."""

from __future__ import annotations

__all__ = ["TraceError"]


class TraceError(Exception):
    """The step cannot be compiled: what it computes depends on data, or differs between steps."""
