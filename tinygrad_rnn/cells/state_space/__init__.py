"""State-space models: linear recurrences of a state that is larger than what is shown."""

from .legendre import LMUCell

__all__ = ["LMUCell"]
