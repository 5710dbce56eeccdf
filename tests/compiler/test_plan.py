"""What of a step runs once, before, in and after the loop; and the text that it is written as."""

from __future__ import annotations

import ast

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.compilation import compile_step
from tinygrad_rnn.compiler.ir.instruction import Instruction
from tinygrad_rnn.compiler.ir.primitives import summed_product
from tinygrad_rnn.compiler.specialization import compiled_steps
from tinygrad_rnn.nn.recurrent.run import sequence
from tinygrad_rnn.ops import matmul
from tinygrad_rnn.ops.shapes.shape import _permute as transposed

I, H, B, T = 3, 4, 2, 5
TITLES = [
    "once",
    "before the loop, all steps at once",
    "the loop",
    "after the loop, all steps at once",
    "sums over time",
]


def compiled(cell, x_wants_gradient=False, **options):
    x = tg.randn(T, B, I, requires_grad=x_wants_gradient)
    return compiled_step(cell, x, cell.initial_state(B), **options)


def compiled_step(cell, x, state, **options):
    return compile_step(sequence(cell, x, state, **options))[0]


def functions(program, *stages):
    return [value.primitive for stage in stages for value in program.schedule.stages[stage]]


def section(program, title) -> str:
    """The part of the program's text under a title."""
    _, _, rest = program.source.partition(f"    # {title}\n")
    return rest.partition("\n    # ")[0].partition("\n    return")[0]


def calls(text: str) -> list[str]:
    """The names of the functions that are called in a chunk of a program, without their numbers."""
    tree = ast.parse("def f():\n" + text if text.strip() else "")
    found = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [getattr(f, "id", getattr(f, "attr", "")) for f in found]


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_gradients_lie_in_memory_as_their_weights_do(kind) -> None:
    layer = nn.Recurrent(kind(I, H))
    layer(tg.ones(5, 2, I))[0].sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad.data.flags.c_contiguous


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_the_loops_have_one_product_each(kind) -> None:
    step = compiled(kind(I, H), x_wants_gradient=True)
    assert functions(step.forward, "loop").count(matmul) == 1
    assert functions(step.forward, "before").count(matmul) == 1  # the inputs, all at once
    assert functions(step.backward, "loop").count(matmul) == 1
    assert functions(step.backward, "before", "after").count(matmul) == 1  # to the inputs
    assert functions(step.backward, "total").count(summed_product) == 2  # to both weights
    for program in (step.forward, step.backward):
        products = [c for c in calls(section(program, "the loop")) if c in ("dot", "matmul")]
        assert len(products) == 1


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_nothing_is_summed_or_transposed_in_the_loop(kind) -> None:
    step = compiled(kind(I, H), x_wants_gradient=True)
    for program in (step.forward, step.backward):
        names = {name.rstrip("0123456789_") for name in calls(section(program, "the loop"))}
        allowed = {"dot", "add", "subtract", "multiply", "negative", "tanh", "copyto"}
        assert names <= allowed


@pytest.mark.parametrize("kind", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_a_weight_is_transposed_for_its_product_alone(kind) -> None:
    step = compiled(kind(I, H), x_wants_gradient=True)
    assert functions(step.forward, *step.forward.schedule.stages).count(transposed) == 2
    assert transposed not in functions(step.backward, "once", "total")


@pytest.mark.parametrize("axes", [[(2, 0, 1), (1, 0, 2)], [(2, 0, 1), (1, 2, 0)], [(0, 2, 1)] * 3])
def test_transposes_one_after_the_other_are_one_or_none(scans, axes) -> None:
    class Turned(nn.Cell):
        hidden_size = H

        def __init__(self) -> None:
            self.weight = nn.Parameter(np.random.default_rng(0).standard_normal((H, H)), "float64")

        def forward(self, x, h):
            turned = tg.reshape(h @ self.weight.T.T + x.sum(axis=-1, keepdims=True), (-1, 2, 2))
            for order in axes:
                turned = tg.transpose(turned, order)
            return tg.reshape(tg.tanh(turned), (-1, H))

    cell = Turned()
    scans.both_ways(cell, np.random.default_rng(1).standard_normal((T, B, I)))
    (step,) = compiled_steps(cell)
    found = functions(step.forward, *step.forward.schedule.stages)
    assert found.count(transposed) == (0 if axes[0] == (2, 0, 1) and axes[1] == (1, 2, 0) else 1)


def test_the_loop_of_an_lstm_is_short() -> None:
    step = compiled(nn.LSTMCell(I, H))
    assert calls(section(step.forward, "the loop")).count("tanh") == 2  # all gates; the cell
    assert len(calls(section(step.forward, "the loop"))) <= 10
    assert len(calls(section(step.backward, "the loop"))) <= 9


def test_parameters_alone_are_worked_on_once() -> None:
    class Normed(nn.Cell):
        hidden_size = H

        def __init__(self) -> None:
            self.v = nn.Parameter(np.random.default_rng(0).standard_normal((H, H)), "float64")

        def forward(self, x, h):
            weight = self.v / tg.sqrt((self.v * self.v).sum(axis=0)).named("length")
            return tg.tanh(h @ weight + x.sum(axis=-1, keepdims=True))

    step = compiled(Normed())
    assert np.sqrt in functions(step.forward, "once")
    assert "length" in section(step.forward, "once")
    assert sorted(set(calls(section(step.forward, "the loop")))) == ["add", "dot", "tanh"]
    assert not any("length" in section(step.forward, title) for title in TITLES[1:])
    assert functions(step.backward, "total").count(summed_product) == 1


def test_gates_that_do_not_see_the_state_leave_the_loop() -> None:
    class MinGRUCell(nn.Cell):
        hidden_size = H

        def __init__(self) -> None:
            self.gate, self.new = nn.Linear(I, H), nn.Linear(I, H)

        def forward(self, x, h):
            z = tg.sigmoid(self.gate(x)).named("gate")
            return (1 - z) * h + z * self.new(x)

    step = compiled(MinGRUCell(), x_wants_gradient=True)
    assert len(functions(step.forward, "loop")) <= 2 and len(functions(step.backward, "loop")) <= 2
    for stage in ("before", "after", "total"):
        assert functions(step.forward, stage).count(matmul) == (2 if stage == "before" else 0)
    assert matmul not in functions(step.backward, "loop")


def test_an_output_is_computed_after_the_loop() -> None:
    class Reader(nn.GRUCell):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, hidden_size)
            self.read = nn.Linear(hidden_size, 2)

        def step(self, x, state):
            h = self.forward(x, state)
            return tg.softmax(self.read(h), axis=-1), h

    step = compiled(Reader(I, H))
    assert functions(step.forward, "after").count(matmul) == 1
    assert "softmax" in " ".join(calls(section(step.forward, TITLES[3])))
    assert functions(step.backward, "total").count(summed_product) == 3


def test_only_gradients_that_are_wanted_are_planned() -> None:
    cell = nn.LSTMCell(I, H)
    without_x = compiled(cell)
    assert functions(without_x.backward, "before", "after").count(matmul) == 0
    cell.requires_grad_(False)
    cell.weight_ih.requires_grad = True
    step = compiled(cell)
    assert functions(step.backward, "total").count(summed_product) == 1
    cell.requires_grad_(False)
    assert compiled(cell).backward is None
    cell.requires_grad_(True)
    with tg.no_grad():
        assert compiled(cell).backward is None


def test_an_op_without_a_rule_for_time_stays_in_the_loop() -> None:
    @tg.op
    def shuffled(x):
        return x[..., ::-1].copy()

    shuffled.vjp(lambda grad, out, x: grad[..., ::-1])

    class Shuffling(nn.RNNCell):
        def forward(self, x, h):
            return super().forward(shuffled(x), h)

    plain = compiled(Shuffling(I, H))
    assert shuffled in functions(plain.forward, "loop")
    assert "shuffled" in section(plain.forward, "the loop")
    shuffled.lift(lambda steps, time_varying, x: x[..., ::-1].copy())
    lifted = compiled(Shuffling(I, H))
    assert shuffled in functions(lifted.forward, "before")
    shuffled.lift(lambda steps, time_varying, x: x * 2.0)  # a rule that is wrong is not believed
    assert shuffled in functions(compiled(Shuffling(I, H)).forward, "loop")


def test_what_zeros_cannot_tell_is_not_remembered() -> None:
    @tg.op
    def turned(x):
        return x[..., ::-1].copy()

    turned.lift(lambda steps, time_varying, x: x * 2.0)  # wrong, but not for zeros
    for sample, expected in ((np.zeros((2, 3)), True), (np.arange(6.0).reshape(2, 3), False)):
        value = Instruction.of(turned, Instruction.input(sample))
        assert value.can_batch([True]) is expected


def test_random_numbers_are_drawn_before_the_loop_even_if_no_one_needs_them() -> None:
    class Drawing(nn.RNNCell):
        def forward(self, x, h):
            tg.rand_like(h)
            return super().forward(x, h)

    step = compiled(Drawing(I, H))
    assert tg.rand_like in functions(step.forward, "before")


def test_the_text_is_python_with_the_authors_names() -> None:
    step = compiled(nn.LSTMCell(I, H), x_wants_gradient=True)
    for program, name in ((step.forward, "forward"), (step.backward, "backward")):
        (function,) = ast.parse(program.source).body
        assert function.name == name
        places = [program.source.find(f"    # {title}\n") for title in TITLES]
        places = [place for place in places if place >= 0]
        assert places == sorted(places) and len(places) >= 3
        assert max(map(len, program.source.splitlines()[3:])) < 250
    for gate in ("forget_gate", "input_gate", "candidate", "output_gate"):
        assert gate in step.forward.source and gate in step.backward.source


def test_a_plan_is_made_once_for_inputs_alike() -> None:
    cell = nn.GRUCell(I, H)
    first = compiled(cell)
    assert compiled(cell) is first
    assert compiled(cell, x_wants_gradient=True) is not first
    assert compiled(cell, lengths=np.array([T, T - 1])) is not first
    assert compiled(cell) is first
    x, h = tg.randn(2 * T, B, I), cell.initial_state(B)
    assert compiled_step(cell, x, h) is first  # for any number of steps
    for batch in range(1, 40):  # and no more than some are kept
        compiled_step(cell, tg.randn(T, batch, I), cell.initial_state(batch))
    assert compiled(cell) is not first
