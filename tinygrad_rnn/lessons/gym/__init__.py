"""The fault gym: networks with one slip each in their backpropagation through time, to be mended."""

from .faults import FAULTS, Fault
from .inspection import Finding, inspect_file, start

__all__ = ["FAULTS", "Fault", "Finding", "inspect_file", "start"]
