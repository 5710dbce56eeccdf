"""The plan of a cell: what a scan of it computes, when, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import DTypeLike

from ... import ops
from ...compiler.compilation import compile_step
from ...compiler.errors import TraceError
from ...compiler.report import PlanReport, report
from ...engine.dtypes import is_floating
from ...engine.recording.mode import enable_grad
from ...engine.tensor import Tensor
from .cell import Cell
from .inputs import check_names
from .run import sequence

__all__ = ["plan_of"]


def plan_of(
    cell: Cell,
    batch_size: int,
    steps: int,
    input_size: int | tuple[int, ...] | None,
    input_dtype: DTypeLike | None,
    step_inputs: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, tuple[int, ...]],
    input_gradient: bool,
    lengths: bool,
    passes: bool,
) -> PlanReport:
    """See `Cell.plan`."""
    kind = type(cell).__name__
    size = getattr(cell, "input_size", None) if input_size is None else input_size
    if size is None:
        raise ValueError(f"{kind} has no attribute input_size: call plan(input_size=...)")
    takes = cell.step_inputs()
    needed = [name for name, needs in takes.items() if needs and name not in constants]
    step_inputs = {**dict.fromkeys(needed, (1,)), **step_inputs}
    check_names(kind, takes, step_inputs, constants)
    if steps < 1 or batch_size < 1:
        raise ValueError(f"a plan is for 1 step and 1 sequence at least: {steps}, {batch_size}")
    dtype = cell.zeros().dtype

    def given(*shape: int, dtype: DTypeLike = dtype) -> Tensor:
        made: Tensor = ops.zeros(*shape, dtype=dtype)
        made.requires_grad = input_gradient and is_floating(made._data)
        return made

    features = (size,) if isinstance(size, int) else size
    x = given(2, batch_size, *features, dtype=dtype if input_dtype is None else input_dtype)
    timed = {name: given(2, batch_size, *shape) for name, shape in step_inputs.items()}
    same = {name: given(batch_size, *shape) for name, shape in constants.items()}
    shorter = np.minimum(2, np.arange(batch_size) + 1) if batch_size > 1 else np.array([1])
    try:
        with enable_grad():
            compiled, leaves = compile_step(
                sequence(
                    cell,
                    x,
                    cell.initial_state(batch_size),
                    timed,
                    same,
                    lengths=shorter if lengths else None,
                )
            )
    except TraceError as reason:
        raise ValueError(f"{kind} has no plan: it runs step by step, because {reason}") from reason
    names = {id(parameter): name for name, parameter in cell.named_parameters()}
    names |= {id(constant): name for name, constant in same.items()}
    leaf_names = [names.get(id(leaf)) for leaf in leaves]
    return report(compiled, leaf_names, batch_size, steps, passes)
