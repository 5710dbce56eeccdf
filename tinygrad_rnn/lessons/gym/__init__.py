"""The fault gym: networks, each with one bug in backpropagation through time, to be fixed."""

from .faults import FAULTS, Fault
from .inspection import Finding, inspect_file, start

__all__ = ["FAULTS", "Fault", "Finding", "inspect_file", "start"]
