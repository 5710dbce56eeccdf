"""Program: the input and output of a pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from .instruction import Instruction
from .schedule import Schedule
from .step import Step

__all__ = ["Pass", "Program"]


@dataclass(frozen=True, eq=False)
class Program:
    """A traced step and, once scheduled, its forward and backward run over a sequence.

    The backward run reads values of the forward run: the `residuals` of that schedule, each an
    array for all steps, and `invariants`, which are the same at every step. `backward` is None if
    nothing requires a gradient.
    """

    step: Step
    forward: Schedule | None = None
    backward: Schedule | None = None
    invariants: tuple[Instruction, ...] = ()


Pass: TypeAlias = Callable[[Program], Program]
