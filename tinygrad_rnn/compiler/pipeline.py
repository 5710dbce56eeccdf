"""The pipeline: from a traced step to the schedules that a backend runs, pass by pass.

Read this first: it is the table of contents of the compiler.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .ir.printing import Printer, changes, input_names
from .ir.program import Pass, Program
from .ir.step import Step
from .passes.common_subexpressions import eliminate_common_subexpressions
from .passes.dead_code import eliminate_dead_code, select_residuals
from .passes.hoisting import hoist
from .passes.horizontal_fusion import fuse_horizontally
from .passes.loop_distribution import distribute_loop
from .passes.products import canonicalize_products
from .passes.transposes import simplify_transposes
from .passes.weight_folding import fold_into_weights

__all__ = ["PASSES", "after_each_pass", "optimize", "printed"]

# Before: `trace` has recorded a step and its backward step, and lowered both to NumPy calls.
PASSES: tuple[Pass, ...] = (
    canonicalize_products,  # einsum or matmul, of batches or matrices: one product of two matrices
    simplify_transposes,  # two are one or none; the transpose of a product is a product
    eliminate_common_subexpressions,  # the same operation on the same operands is computed once
    eliminate_dead_code,  # gradients that are not requested are removed
    fuse_horizontally,  # one tanh over all gates of an LSTM instead of one each
    fold_into_weights,  # a constant factor of a product is folded into its weights
    hoist,  # each instruction gets its stage: once, before, in or after the loop, summed over time
    distribute_loop,  # delayed inputs and affine recurrences leave the loop
    select_residuals,  # what the backward run reads is kept, what nothing reads is removed
)
# A backend runs the two schedules: `backends/numpy` as Python, `backends/llvm` as machine code.


def optimize(step: Step) -> Program:
    """The step after all passes."""
    program = Program(step)
    for run in PASSES:
        program = run(program)
    return program


def printed(step: Step, leaf_names: Sequence[str | None]) -> str:
    """The step as it was lowered, then after each pass, with the changes marked.

    `leaf_names`: the names of the tensors that the step reads.
    """
    printer = Printer(input_names(step, leaf_names))
    before: list[str] = []
    text: list[str] = []
    for name, program in after_each_pass(step):
        lines = printer.lines(program)
        text += ["", f"== {name}" + (" (nothing changed)" if lines == before else "")]
        if lines != before:
            text += [line.rstrip() for line in changes(before, lines)] if before else lines
        before = lines
    return "\n".join(text[1:])


def after_each_pass(step: Step) -> Iterator[tuple[str, Program]]:
    """The step after each pass, by its name; first the step as it was lowered."""
    program = Program(step)
    yield "lower", program
    for run in PASSES:
        program = run(program)
        yield run.__name__, program
