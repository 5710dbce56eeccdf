"""What is true of programs after each pass, and the text in which they are shown."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.compilation import compile_step
from tinygrad_rnn.compiler.ir.instruction import Instruction, inputs_of
from tinygrad_rnn.compiler.ir.step import Step
from tinygrad_rnn.compiler.pipeline import after_each_pass
from tinygrad_rnn.nn.recurrent.run import sequence

B, I, H = 2, 3, 4
CELLS = [nn.RNNCell, nn.LSTMCell, nn.GRUCell]


def lowered(kind: type[nn.Cell]) -> Step:
    cell = kind(I, H)
    x = tg.randn(3, B, I, requires_grad=True)
    return compile_step(sequence(cell, x, cell.initial_state(B)))[0].step


def evaluate(step: Step, seed: int) -> list[np.ndarray]:
    """All results of a step, on random inputs."""
    rng = np.random.default_rng(seed)
    given = [*step.xs, *step.carry, *step.leaves, *step.grad_carry, *step.grad_ys]
    found = {v: rng.standard_normal(v.shape).astype(v.dtype) for v in given}
    for value in step.instructions:
        operands = (found[x] if isinstance(x, Instruction) else x for x in value.inputs)
        found[value] = value.compute(*operands)
    return [found[r] if isinstance(r, Instruction) else np.asarray(r) for r in step.results()]


@pytest.mark.parametrize("kind", CELLS)
def test_every_pass_on_steps_keeps_what_the_step_computes(kind) -> None:
    step = lowered(kind)
    expected = evaluate(step, seed=0)
    for name, program in after_each_pass(step):
        for one, other in zip(evaluate(program.step, seed=0), expected, strict=True):
            assert one.dtype == other.dtype, name
            np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("kind", CELLS)
def test_instructions_come_after_what_they_read(kind) -> None:
    for name, program in after_each_pass(lowered(kind)):
        for part in (program.step, program.forward, program.backward):
            if part is None:
                continue
            instructions = part.instructions if isinstance(part, Step) else part.instructions()
            made, done = set(instructions), set()
            for value in instructions:
                assert all(x in done or x not in made for x in inputs_of(value.inputs)), name
                done.add(value)


def test_an_instruction_does_not_change() -> None:
    x = Instruction.input(np.ones(3), "x")
    y = Instruction.of(np.multiply, x, 2.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        y.inputs = (x, 3.0)


def test_an_op_may_have_an_attribute_of_any_name() -> None:
    @tg.op
    def shifted(x, *, output=1, carry=0.0, position=0.5):
        return x + output + carry + position

    shifted.vjp(lambda grad, out, x, output, carry, position: grad)

    class Cell(nn.Cell):
        hidden_size = H

        def forward(self, x, h):
            return tg.tanh(shifted(h, output=2, carry=0.25) + x)

    layer = nn.Recurrent(Cell())
    x = tg.randn(5, B, H, requires_grad=True)
    found, _ = layer(x)
    layer.unroll = True
    expected, _ = layer(x)
    np.testing.assert_allclose(found.data, expected.data, rtol=1e-6)


def test_the_passes_of_a_plan_show_what_each_one_changed() -> None:
    text = nn.LSTMCell(I, H).plan(batch_size=B, passes=True).passes
    parts = {part.partition("\n")[0].removeprefix("== "): part for part in text.split("\n\n")}
    fused = parts["fuse_horizontally"]
    assert "+   tanh" in fused and "-   forget gate" not in fused.partition("backward step")[2]
    assert fused.count("+   tanh") == 1  # one over all gates
    assert "in the loop, step by step" in parts["hoist"]
    assert text.isascii()
