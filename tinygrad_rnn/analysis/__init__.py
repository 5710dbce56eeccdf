"""Analyses of a cell as a dynamical system: how far its gradient and its state reach.

Each needs only a cell and sequences.
"""

from .horizon import MemoryHorizon, memory_horizon
from .lyapunov import LyapunovSpectrum, lyapunov_spectrum
from .truncation import truncation_errors

__all__ = [
    "LyapunovSpectrum",
    "MemoryHorizon",
    "lyapunov_spectrum",
    "memory_horizon",
    "truncation_errors",
]
