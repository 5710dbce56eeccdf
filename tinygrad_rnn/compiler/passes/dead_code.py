"""Dead-code elimination: instructions on which no result depends are removed.

A backward step contains gradients of values that turn out to need none. A schedule contains values
that only a later pass could have needed.
"""

from __future__ import annotations

from dataclasses import replace

from ..ir.instruction import Instruction
from ..ir.program import Program
from ..ir.schedule import Schedule
from ..ir.step import needed_for

__all__ = ["eliminate_dead_code", "select_residuals"]


def eliminate_dead_code(program: Program) -> Program:
    """Needs a step. Guarantees that its results depend on each of its instructions."""
    return replace(program, step=program.step.pruned())


def select_residuals(program: Program) -> Program:
    """Needs schedules. Guarantees that they compute nothing but results, carries and residuals.

    Residuals are the values of the forward run that the backward run reads: residuals that differ
    between steps are kept in arrays; the others are additional results of the forward run.
    """
    assert program.forward is not None
    forward, backward = program.forward, program.backward
    invariants: tuple[Instruction, ...] = ()
    if backward is not None:
        backward = _without_dead_code(backward)
        made_ahead = set(forward.instructions())
        made_ahead |= set(forward.carry_in)
        used = backward.values_read()
        read = [v for v in backward.stage_of if v in used and v in made_ahead]
        residuals = tuple(v for v in read if forward.time_varying(v))
        invariants = tuple(v for v in read if not forward.time_varying(v))
        results = (*forward.results, *invariants)
        forward = replace(forward, results=results, residuals=residuals)
    return Program(program.step, _without_dead_code(forward), backward, invariants)


def _without_dead_code(schedule: Schedule) -> Schedule:
    instructions = schedule.instructions()
    wanted = [*schedule.carry_out, *schedule.results, *schedule.residuals]
    impure = [v for v in instructions if not v.traits.pure]  # random numbers are always drawn
    needed = set(needed_for([*wanted, *impure], instructions))
    stages = {
        stage: tuple(v for v in values if v in needed) for stage, values in schedule.stages.items()
    }
    return replace(schedule, stages=stages)
