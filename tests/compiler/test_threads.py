"""Threads that share the rows of a batch: the same bits for any number of them."""

from __future__ import annotations

import os
import runpy
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import tinygrad_rnn as tg
from tests.compiler import test_cells as step_by_step
from tests.compiler.conftest import assert_same, results
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.backends import threads
from tinygrad_rnn.compiler.backends.numpy import products
from tinygrad_rnn.compiler.specialization import compiled_steps

random_cells = runpy.run_path(str(Path(__file__).parents[1] / "random_cells.py"))
programs, WIDTH = random_cells["programs"], random_cells["WIDTH"]

I, H = 2, 3
# Each row has instructions of its own in one of these; the others index rows by an array.
TOGETHER = {"row_by_row", "picked"}
CELLS = [
    *("plain", "mingru", "peephole", "layer_norm_lstm", "nested", "beside_a_known_array"),
    *("concatenated", "reduced", "in_many_shapes", "einsum", "matrix_state", "random"),
    *("flags_swapped", "a_matrix_times_each", *sorted(TOGETHER)),
]


@pytest.fixture(autouse=True)
def number_of_threads():
    before = tg.get_num_threads()
    yield
    tg.set_num_threads(before)


@pytest.fixture(scope="module")
def compiled_module():
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    before = tg.get_executor()
    tg.set_executor("llvm")
    yield
    tg.set_executor(before)


@pytest.fixture
def sharing(compiled_module, monkeypatch):
    """Loops that are shared however small they are; tells how many threads have worked on each."""
    from tinygrad_rnn.compiler.backends.llvm import executable

    monkeypatch.setattr(executable, "WORTH_SHARING", 1e-12)
    monkeypatch.setattr(products, "WORTH", 1)
    monkeypatch.setattr(products, "LOWEST", 8)
    counts: list[int] = []

    def noted(parts):
        counts.append(len(parts))
        threads.run_parts(parts)

    monkeypatch.setattr(executable, "run_parts", noted)
    return counts


def shared(cell: nn.Cell) -> bool:
    """Whether all loops of a cell are written for threads."""
    programs = [p for s in compiled_steps(cell) for p in (s.forward, s.backward) if p]
    return all("first" in p.loop_source or not p.loop_source for p in programs)


def for_threads(run, counts=(1, 2, 3)):
    """What a run returns on one thread; it must return the same bits on others."""
    found = []
    for count in counts:
        tg.set_num_threads(count)
        found.append(run())
    for other in found[1:]:
        for one, another in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, another)
    return found[0]


@pytest.mark.one_in(2, "cell on threads")
@pytest.mark.parametrize("name", CELLS)
def test_cells_have_the_same_bits(scans, sharing, name) -> None:
    cell = step_by_step.made(scans, name, "float32")
    x = np.random.default_rng(0).standard_normal((3, 25, I), "f")
    layer, state = nn.Recurrent(cell), scans.some_state(cell, 25)
    found = for_threads(lambda: results(layer, x, state))
    assert shared(cell) == (name not in TOGETHER), name
    assert not shared(cell) or 3 in sharing
    layer.unroll = True
    assert_same(found, results(layer, x, state))


@settings(max_examples=8)
@given(
    st.sampled_from([nn.RNN, nn.LSTM, nn.GRU]),
    st.sampled_from(["float32", "float64"]),
    st.integers(1, 9),
    st.integers(1, 40),
    st.booleans(),
    st.sampled_from([None, "sqrt", 2]),
    st.booleans(),
)
def test_layers_have_the_same_bits(
    scans, compiled_module, layer, dtype, steps, batch, reverse, checkpoint, ragged
) -> None:
    """Sizes on both sides of what is worth sharing; every option of a layer."""
    from tinygrad_rnn.compiler.backends.llvm import executable

    rng = np.random.default_rng(steps + batch)
    lengths = rng.integers(0, steps + 1, batch) if ragged else None
    tg.manual_seed(0)
    cell = layer(I, 5).astype(dtype).cells[0]
    run = nn.Recurrent(cell, bidirectional=reverse, checkpoint=checkpoint)
    x = rng.standard_normal((steps, batch, I)).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(executable, "WORTH_SHARING", 2e-6)
        for_threads(lambda: results(run, x, lengths=lengths))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(programs(), st.integers(16, 29), st.booleans(), st.booleans())
def test_any_program_has_the_same_bits(scans, sharing, cell, batch, ragged, reverse) -> None:
    rng = np.random.default_rng(batch)
    x = rng.standard_normal((3, batch, WIDTH))
    lengths = rng.integers(0, 4, batch) if ragged else None
    layer = nn.Recurrent(cell.astype("float64"), reverse=reverse)
    found = for_threads(lambda: results(layer, x, lengths=lengths))
    layer.unroll = True
    assert_same(found, results(layer, x, lengths=lengths))


def test_gradients_of_gradients_and_tangents_have_the_same_bits(scans, sharing) -> None:
    layer = nn.RNN(I, H)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 20, I), "f")
    parameters = tuple(layer.parameters())
    v = tuple(rng.standard_normal(p.shape).astype("f") for p in parameters)
    several = tuple(rng.standard_normal((20, *p.shape)).astype("f") for p in parameters)

    def run():
        _, product = tg.hvp(lambda *_: (layer(x)[0] ** 2).sum(), parameters, v)
        _, tangents = tg.jvp(lambda *_: layer(x)[0], parameters, several)
        return [t.data for t in (*product, tangents)]

    for_threads(run)
    assert sharing


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
def test_states_of_every_dtype(scans, sharing, dtype) -> None:
    def step(cell, x, h):
        return (h + (x > 0)).astype(h.dtype)

    cell = scans.StepCell(step, lambda cell, n: tg.zeros(n, I, dtype=dtype))
    x = np.random.default_rng(0).standard_normal((4, 37, I), "f")
    for_threads(lambda: results(nn.Recurrent(cell), x))
    assert shared(cell)


def test_a_product_over_the_batch_stays_on_one_thread(scans, sharing) -> None:
    """Also where there are as many rows as features, so that shapes alone do not tell."""

    def step(cell, x, h):
        return tg.tanh(x + 0.1 * (h.T @ h))

    cell = scans.StepCell(step, hidden_size=24)
    x = np.random.default_rng(0).standard_normal((4, 24, 24), "f")
    found = scans.both_ways(cell, x, times=10)
    assert not shared(cell)
    assert not sharing
    assert found


def test_what_is_shared_is_large(scans, compiled_module, monkeypatch) -> None:
    from tinygrad_rnn.compiler.backends.llvm import executable

    counts: list[int] = []
    monkeypatch.setattr(
        executable, "run_parts", lambda parts: counts.append(len(parts)) or threads.run_parts(parts)
    )
    tg.set_num_threads(3)
    for batch, size, large in ((1, 128, False), (16, 32, False), (64, 128, True)):
        layer = nn.RNN(4, size)
        x = tg.zeros(64, batch, 4)
        layer(x)
        counts.clear()
        for _ in range(2):
            layer(x)[0].sum().backward()
        assert bool(counts) == large, (batch, size)


def test_products_outside_of_loops_have_the_same_bits(monkeypatch) -> None:
    monkeypatch.setattr(products, "WORTH", 1)
    rng = np.random.default_rng(0)
    for rows, inner, columns in ((300, 7, 5), (2000, 64, 33), (257, 900, 3)):
        x, y = rng.standard_normal((rows, inner), "f"), rng.standard_normal((inner, columns), "f")
        for factors in ((x, y), (y.T, x.T)):
            (found,) = for_threads(lambda factors=factors: [products.dot_in_blocks(*factors)])
            np.testing.assert_allclose(found, factors[0] @ factors[1], rtol=0, atol=1e-4)


def test_several_threads_run_shared_loops_at_once(scans, sharing) -> None:
    layer = nn.LSTM(I, H)
    batches = [np.random.default_rng(k).standard_normal((5, 40, I), "f") for k in range(8)]
    expected = for_threads(lambda: [layer(x)[0].data for x in batches], counts=(1,))
    tg.set_num_threads(2)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: layer(x)[0].data, batches))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_part_may_have_parts_and_its_error_is_the_whole_s() -> None:
    tg.set_num_threads(2)
    done: list[int] = []
    inner = [lambda k=k: done.append(k) for k in range(3)]
    threads.run_parts([lambda: threads.run_parts(inner)] * 4)
    assert sorted(done) == [0] * 4 + [1] * 4 + [2] * 4

    def fails() -> None:
        raise FloatingPointError("in a part")

    for _ in range(5):
        with pytest.raises(FloatingPointError, match="in a part"):
            threads.run_parts([fails, lambda: None, lambda: None])


def test_errstate_is_that_of_the_caller() -> None:
    tg.set_num_threads(2)
    with np.errstate(divide="ignore"):
        threads.run_parts([lambda: np.log(np.zeros(3))] * 4)


def test_the_number_of_threads(monkeypatch) -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        tg.set_num_threads(0)
    for wrong in (1.5, "2", True):
        with pytest.raises(TypeError, match="whole number"):
            tg.set_num_threads(wrong)
    tg.set_num_threads(5)
    assert tg.get_num_threads() == 5
    for text, expected in (("3", 3), ("2,1", 2), ("", len(os.sched_getaffinity(0)))):
        monkeypatch.setattr(threads, "_chosen", None)
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert tg.get_num_threads() == expected
    monkeypatch.setattr(threads, "_chosen", None)
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="OMP_NUM_THREADS is 'many'"):
        tg.get_num_threads()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_starts_threads_of_its_own() -> None:
    tg.set_num_threads(2)
    threads.run_parts([lambda: None] * 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python and JAX warn that this process has threads
        child = os.fork()
    if not child:
        threads.run_parts([lambda: None] * 4)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
