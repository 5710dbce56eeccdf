"""The sections of a card that are measured: learning, the gradient through time, speed."""

from .dynamics import Dynamics
from .measurements import Measurements
from .trained import TaskMaker

__all__ = ["Dynamics", "Measurements", "TaskMaker"]
