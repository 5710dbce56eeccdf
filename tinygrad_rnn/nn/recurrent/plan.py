"""The plan of a cell: what a scan of it computes, when, and at what cost."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...compiler.compilation import compile_step
from ...compiler.errors import TraceError
from ...compiler.report import PlanReport, report
from ...engine.mode import enable_grad
from .cell import Cell
from .run import sequence

__all__ = ["plan_of"]


def plan_of(
    cell: Cell,
    batch_size: int,
    steps: int,
    input_size: int | None,
    input_gradient: bool,
    lengths: bool,
    passes: bool,
) -> PlanReport:
    """See `Cell.plan`."""
    kind = type(cell).__name__
    size = getattr(cell, "input_size", None) if input_size is None else input_size
    if size is None:
        raise ValueError(f"{kind} has no attribute input_size: call plan(input_size=...)")
    if steps < 1 or batch_size < 1:
        raise ValueError(f"a plan is for 1 step and 1 sequence at least: {steps}, {batch_size}")
    x = ops.zeros(2, batch_size, size, dtype=cell.zeros().dtype)
    x.requires_grad = input_gradient
    shorter = np.minimum(2, np.arange(batch_size) + 1) if batch_size > 1 else np.array([1])
    try:
        with enable_grad():
            compiled, leaves = compile_step(
                sequence(
                    cell, x, cell.initial_state(batch_size), lengths=shorter if lengths else None
                )
            )
    except TraceError as reason:
        raise ValueError(f"{kind} has no plan: it runs step by step, because {reason}") from reason
    names = {id(parameter): name for name, parameter in cell.named_parameters()}
    leaf_names = [names.get(id(leaf)) for leaf in leaves]
    return report(compiled, leaf_names, batch_size, steps, passes)
