"""Drawn programs, sequences and cells: what they promise, and what they are for."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import find, given, settings

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.testing import strategies
from tinygrad_rnn.testing.gradients.gradcheck import gradient_report, second_order
from tinygrad_rnn.testing.gradients.program import Program


@settings(max_examples=settings().max_examples * 40 // 100)
@given(strategies.programs())
def test_gradients_of_random_programs_are_right_twice(program) -> None:
    checked = Program(program, program.inputs)
    assert gradient_report(checked, 1e-9).ok
    assert gradient_report(second_order(checked), 1e-9).ok


def test_a_wrong_rule_is_found_and_shrinks_to_it(monkeypatch) -> None:
    rule = tg.tanh.rules[0]
    wrong = lambda grad, *rest: rule(grad, *rest) * (1 + 1e-7)

    def broken(program) -> bool:
        monkeypatch.setattr(tg.tanh, "rules", [wrong])
        checked = Program(program, program.inputs)
        return not gradient_report(checked, 1e-9, one_evaluation=True).ok

    calm = settings(max_examples=500, derandomize=True, database=None)
    found = find(strategies.programs(max_inputs=1, max_steps=3), broken, settings=calm)
    assert "tanh" in [name for name, _ in found.steps] and len(found.steps) <= 2


@settings(max_examples=settings().max_examples * 40 // 100)
@given(strategies.programs())
def test_a_program_gives_plain_arrays_for_plain_arrays(program) -> None:
    plain = program(*program.inputs)
    recorded = program(*map(tg.from_numpy, program.inputs))
    for a, b in zip(plain, recorded, strict=True):
        assert isinstance(a, np.ndarray | np.generic) and np.array_equal(a, b.data)


@settings(max_examples=settings().max_examples * 15 // 100)
@given(strategies.cells(nn.LSTMCell, input_size=2), strategies.sequences(2))
def test_drawn_cells_run_over_drawn_sequences_alike_in_both_ways(cell, batch) -> None:
    x, lengths = batch
    runs = [nn.Recurrent(cell, unroll=unroll)(x, lengths=lengths)[0] for unroll in (True, False)]
    assert runs[0].shape == (*x.shape[:2], cell.hidden_size)
    np.testing.assert_allclose(runs[0].data, runs[1].data, rtol=1e-12, atol=1e-14)
    beyond = np.arange(len(x))[:, None] >= lengths
    assert not runs[0].data[beyond].any()


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_drawn_cells_are_float64_of_the_sizes_asked_for(cell) -> None:
    made = find(strategies.cells(cell, hidden_size=3), lambda cell: cell.input_size == 2)
    assert made.hidden_size == 3 and {p.dtype for p in made.parameters()} == {np.dtype("f8")}
    assert "input_size" in inspect.signature(cell).parameters


def test_drawn_cells_and_sequences_find_a_layer_that_forgets_lengths() -> None:
    def broken(pair) -> bool:
        cell, (x, lengths) = pair
        layer = nn.Recurrent(cell, unroll=True)
        return not np.array_equal(layer(x)[0].data, layer(x, lengths=lengths)[0].data)

    cells = strategies.cells(nn.RNNCell, input_size=1)
    pairs = strategies.st.tuples(cells, strategies.sequences(1))
    calm = settings(max_examples=500, derandomize=True, database=None)
    cell, (x, lengths) = find(pairs, broken, settings=calm)
    assert (cell.hidden_size, x.shape, lengths.tolist()) == (1, (1, 1, 1), [0])
