"""The fault gym: networks with a slip each in backpropagation through time, to be mended."""

from .faults import FAULTS, Fault
from .inspection import Finding, inspect_file, start

__all__ = ["FAULTS", "Fault", "Finding", "inspect_file", "start"]
