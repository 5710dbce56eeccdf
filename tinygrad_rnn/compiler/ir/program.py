"""Program: what a pass is given and what it returns."""

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
    """A traced step and, once it is scheduled, its forward and backward run over a sequence.

    The backward run reads values of the forward one: the `residuals` of that schedule, which have
    an array for all steps, and `invariants`, which are the same at every step. There is no
    `backward` where nothing wants a gradient.
    """

    step: Step
    forward: Schedule | None = None
    backward: Schedule | None = None
    invariants: tuple[Instruction, ...] = ()


Pass: TypeAlias = Callable[[Program], Program]
