"""Compiled loops: the numbers of the unrolled run, kept on disk, and NumPy where there is none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_rnn as tg
from tests.compiler import test_cells as step_by_step
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.backends import executor
from tinygrad_rnn.compiler.specialization import compiled_steps

pytest.importorskip("llvmlite", reason="needs llvmlite")

from tinygrad_rnn.compiler.backends.llvm.machine_code import code_cache

pytestmark = pytest.mark.usefixtures("compiled")

T, B, I, H = 5, 3, 2, 3
X = np.random.default_rng(0).standard_normal((T, B, I))


@pytest.mark.parametrize("name", step_by_step.CELLS)
def test_a_compiled_loop_is_the_unrolled_run(scans, name) -> None:
    cell = step_by_step.made(scans, name)
    scans.both_ways(cell, X, scans.some_state(cell, B))
    assert all(scans.loops(cell))


@pytest.mark.parametrize("name", [n for n in step_by_step.CELLS if n != "row_by_row"])
def test_a_batch_without_sequences(scans, name) -> None:
    cell = step_by_step.made(scans, name)
    scans.both_ways(cell, X[:, :0], scans.some_state(cell, 0))
    assert all(scans.loops(cell))


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers_with_padding_in_both_directions(scans, layer, dtype) -> None:
    tg.manual_seed(0)
    cell = layer(I, H).astype(dtype).cells[0]
    scans.both_ways(cell, X.astype(dtype), lengths=[5, 2, 0], bidirectional=True, times=4)


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 7, 16, 19])
def test_products_of_every_size(scans, rows, size) -> None:
    def step(cell, x, h):
        return tg.tanh(x @ cell.w + h @ cell.u)

    cell = scans.StepCell(step, hidden_size=size, w=(I, size), u=(size, size)).astype("float32")
    scans.both_ways(cell, np.tile(X[:, :1], (1, rows, 1)).astype("float32"))
    assert all(scans.loops(cell))


@pytest.mark.parametrize(
    ("rows", "size", "inside"),
    [(8, 8, True), (8, 33, True), (19, 16, True), (7, 16, False), (8, 300, False)],
)
def test_products_fit_into_the_loop(scans, rows, size, inside) -> None:
    """Before and after it; not if they have few rows, or weights that leave the cache."""

    def step(cell, x, h):
        return tg.tanh(x @ cell.w + h)

    def shown(cell, h):
        return h @ cell.v + tg.sigmoid(h) @ cell.v

    cell = scans.StepCell(step, output=shown, hidden_size=size, w=(size, size), v=(size, size))
    x = np.random.default_rng(0).standard_normal((T, rows, size)) / size
    scans.both_ways(cell, x)
    for program in (compiled_steps(cell)[0].forward, compiled_steps(cell)[0].backward):
        stages = program.schedule.stages
        beside = [v for stage in ("before", "after") for v in stages[stage] if v.is_product]
        assert bool(beside) != inside


def test_a_product_of_small_matrices_fits_into_the_loop(scans) -> None:
    """As of a convolution with its windows; one whose right factor is a transpose does not."""

    def step(cell, x, h):
        images = tg.reshape(x, (-1, 4, 16))
        alike = tg.reshape(images @ tg.swapaxes(images, -1, -2), (-1, 16))
        return tg.tanh(tg.reshape(cell.w @ images, (-1, 48)) + tg.tile(alike, 3) + h)

    cell = scans.StepCell(step, hidden_size=48, w=(3, 4))
    scans.both_ways(cell, np.random.default_rng(0).standard_normal((T, B, 64)) / 8)
    stages = compiled_steps(cell)[0].forward.schedule.stages
    beside, inside = ([v for v in stages[s] if v.is_product] for s in ("before", "loop"))
    assert [len(beside), len(inside)] == [1, 1]


@tg.op
def in_order(x):
    """What loops have no words for."""
    return np.sort(x, axis=-1)


in_order.vjp(lambda grad, out, x: put_back(grad, x))
in_order.lift(lambda steps, time_varying, x: np.sort(x, axis=-1))


def test_what_has_no_compiled_form_may_stay_beside_the_loop(scans) -> None:
    def step(cell, x, h):
        return tg.tanh(tg.softmax(in_order(x) * 2) @ cell.w + h @ cell.u)

    with tg.no_grad():
        cell = scans.StepCell(step, w=(I, H), u=(H, H)).astype("float64")
        scans.both_ways(cell, X)
    assert all(scans.loops(cell))


def test_what_has_no_compiled_form_runs_on_numpy_and_says_so_once(scans) -> None:
    def step(cell, x, h):
        return tg.tanh(x @ cell.w + in_order(h @ cell.u))

    with pytest.warns(UserWarning) as told:
        for _ in range(2):
            with tg.no_grad():
                cell = scans.StepCell(step, w=(I, H), u=(H, H)).astype("float64")
                scans.both_ways(cell, X)
    assert len(told) == 1
    assert re.search(
        r"StepCell runs its forward loop on NumPy, not compiled, because of the op in_order, "
        r"at .*test_llvm.py:\d+; the results are the same",
        str(told[0].message),
    )


@tg.op
def put_back(grad, x):
    return np.take_along_axis(grad, np.argsort(np.argsort(x)), -1)


@tg.op
def doubled(x):
    return x * 2


doubled.vjp(lambda grad, out, x: put_back(grad, x) + grad)


def test_a_gradient_that_is_not_compiled_is_that_of_an_op_of_the_author(scans) -> None:
    def step(cell, x, h):
        return tg.tanh(x @ cell.w + doubled(h @ cell.u))

    cell = scans.StepCell(step, w=(I, H), u=(H, H)).astype("float64")
    with pytest.warns(
        UserWarning, match=r"backward loop .* because of the gradient of doubled \(put_back\), at"
    ):
        nn.Recurrent(cell)(X)
    assert scans.loops(cell) == [True, False]


def at_a_counted_place(scans, places):
    """A cell that reads, or adds to, the place that its second state counts up."""

    def step(cell, x, state):
        h, place = state
        values = tg.tanh(x @ cell.w + h @ cell.u)
        if places == "read":
            picked = tg.take(values, place[0], axis=1) + cell.u[place[:, 0]]
        else:
            picked = tg.index_add(values, (slice(None), place[0]), x[:, :1])
        return tg.tanh(picked + values), place + 1

    def first(cell, batch):
        return cell.zeros(batch, H), tg.full((batch, 1), -H, dtype=np.int64)

    return scans.StepCell(step, first, w=(I, H), u=(H, H)).astype("float64")


@pytest.mark.parametrize("places", ["read", "written"])
def test_a_place_outside_of_an_axis_is_an_error(scans, places) -> None:
    """From -H to H - 1 all is well; then nothing outside is read or written."""
    cell = at_a_counted_place(scans, places)
    x = np.tile(X, (2, 1, 1))
    scans.both_ways(cell, x[: 2 * H], bidirectional=True)
    assert all(scans.loops(cell))
    layer = nn.Recurrent(cell)
    for _ in range(2):
        with pytest.raises(
            IndexError, match=f"index {H} is out of bounds for axis . with size {H}"
        ):
            layer(x)
    layer(x[: 2 * H])  # the arrays of the run that failed are used again


def test_checkpoints_are_bit_identical() -> None:
    tg.manual_seed(0)
    x = np.random.default_rng(0).standard_normal((3000, 2, I))
    found = []
    for checkpoint in (None, "sqrt"):
        tg.manual_seed(0)
        layer = nn.LSTM(I, H, checkpoint=checkpoint).astype("float64")
        layer(x)[0].sum().backward()
        found.append([parameter.grad.data for parameter in layer.parameters()])
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


def test_threads_run_the_same_loop_beside_one_another() -> None:
    tg.manual_seed(0)
    layer = nn.GRU(I, H)
    inputs = [np.random.default_rng(k).standard_normal((200, 4, I)) for k in range(16)]
    expected = [layer(x)[0].data for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: layer(x)[0].data, inputs))
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


def test_two_forward_runs_before_one_backward() -> None:
    layer = nn.LSTM(I, H)
    x = tg.tensor(X.astype("float32"), requires_grad=True)
    alone = tg.grad(layer(x)[0].sum(), [x])[0]
    first, second = layer(x)[0].sum(), layer(x * 2)[0].sum()
    assert np.array_equal(tg.grad(first, [x])[0].data, alone.data)
    assert not np.array_equal(tg.grad(second, [x])[0].data, alone.data)


SECOND_PROCESS = """
import numpy as np, tinygrad_rnn as tg
tg.manual_seed(0)
layer = tg.nn.LSTM(2, 3)
x = np.random.default_rng(0).standard_normal((5, 2, 2)).astype("float32")
outputs, _ = layer(x)
outputs.sum().backward()
from tinygrad_rnn.compiler.backends.llvm.machine_code.code_cache import counts
print(counts["compiled"], counts["from disk"], outputs.data.tobytes().hex())
"""


def test_a_second_process_finds_the_code_on_disk(tmp_path) -> None:
    environment = os.environ | {
        "TINYGRAD_RNN_CACHE": str(tmp_path),
        "TINYGRAD_RNN_EXECUTOR": "llvm",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    runs = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", SECOND_PROCESS],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout.split()
        for _ in range(2)
    ]  # fmt: skip
    assert runs[0][:2] == ["2", "0"]
    assert runs[1][:2] == ["0", "2"]
    assert runs[0][2] == runs[1][2]


def ulps(found, exact):
    """The largest error in units in the last place of the exact value."""
    return float(np.max(np.abs(found - exact) / np.spacing(np.abs(exact.astype(found.dtype)))))


def in_loop(scans, fn, x):
    """fn of the elements of x (1, N, 1), computed in a compiled loop."""

    class Apply(nn.Cell):
        hidden_size = 1

        def __init__(self) -> None:
            self.zero = nn.Parameter(np.zeros(1), x.dtype)

        def forward(self, x, h):
            return fn(x) + self.zero * h

    cell = Apply()
    with tg.no_grad():
        found = nn.Recurrent(cell)(x)[0].data
    assert scans.loops(cell) == [True]
    return found


def numbers(dtype, most):
    """Of both signs and of every size up to `most`."""
    rng = np.random.default_rng(0)
    small = 2.0 ** rng.uniform(-40, np.log2(most), 100_000)
    x = np.concatenate([small, np.linspace(0, most, 100_001)[1:]]).astype(dtype)
    return np.concatenate([x, -x]).reshape(1, -1, 1)


@pytest.mark.parametrize(
    ("fn", "exact", "most"),
    [(tg.tanh, np.tanh, 20), (tg.exp, np.exp, 80), (tg.expm1, np.expm1, 80)],
)
@pytest.mark.parametrize(("dtype", "bound"), [("float32", 3), ("float64", 2)])
def test_functions_are_exact_to_a_few_units_in_the_last_place(
    scans, fn, exact, most, dtype, bound
) -> None:
    x = numbers(dtype, most)
    assert ulps(in_loop(scans, fn, x), exact(x.astype(np.longdouble))) <= bound


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2), ("float64", 2)])
def test_logarithms_are_exact_to_a_few_units_in_the_last_place(scans, dtype, bound) -> None:
    limits = np.finfo(dtype)
    rng = np.random.default_rng(0)
    most, least = np.log(limits.max), np.log(limits.smallest_subnormal)
    x = np.exp(np.concatenate([rng.uniform(least, most, 100_000), rng.normal(0, 0.1, 50_000)]))
    x = x.astype(dtype)[x.astype(dtype) > 0].reshape(1, -1, 1)
    assert ulps(in_loop(scans, tg.log, x), np.log(x.astype(np.longdouble))) <= bound
    below = -np.minimum(x, 1 - limits.epsneg)
    for each in (x, below):
        assert ulps(in_loop(scans, tg.log1p, each), np.log1p(each.astype(np.longdouble))) <= bound


@pytest.mark.parametrize(("fn", "exact"), [(tg.sin, np.sin), (tg.cos, np.cos)])
def test_sines_of_numbers_of_any_size(scans, fn, exact) -> None:
    x = numbers("float32", 2.0**24)
    assert ulps(in_loop(scans, fn, x), exact(x.astype(np.longdouble))) <= 2
    x = numbers("float32", 3e38)
    error = np.abs(in_loop(scans, fn, x) - exact(x.astype(np.float64)))
    assert error.max() <= np.finfo("float32").eps
    ends = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], "float32").reshape(1, -1, 1)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(in_loop(scans, fn, ends), exact(ends))


def test_sigmoid_is_exact_to_a_few_units_of_one(scans) -> None:
    """The op is tanh(x / 2) / 2 + 1 / 2, on NumPy and here: what is near 0 is off by as much."""
    x = numbers("float32", 30)
    error = np.abs(in_loop(scans, tg.sigmoid, x) - 1 / (1 + np.exp(-x.astype(np.longdouble))))
    assert error.max() <= 4 * np.finfo("float32").eps


def test_functions_at_the_ends_of_the_numbers(scans) -> None:
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e30, -1e30], "float32").reshape(1, -1, 1)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(in_loop(scans, tg.exp, x), np.exp(x))
        found = in_loop(scans, tg.tanh, x)
        np.testing.assert_array_equal(in_loop(scans, tg.expm1, x), np.expm1(x))
        np.testing.assert_array_equal(in_loop(scans, tg.log, x), np.log(x))
        ends = np.where(np.abs(x) == 1e30, np.sign(x) - 1, x)  # 0 and -2 in their place
        ends[x == 0] = -1
        np.testing.assert_array_equal(in_loop(scans, tg.log1p, ends), np.log1p(ends))
    np.testing.assert_array_equal(found, np.tanh(x))


def test_a_choice_that_cannot_be_met_says_what_to_do(monkeypatch) -> None:
    with pytest.raises(ValueError, match=r"set_executor: there is no executor 'cuda'.*numpy"):
        tg.set_executor("cuda")
    with monkeypatch.context() as without:
        executor._checked.cache_clear()
        without.setattr(executor, "find_spec", lambda name: None)
        with pytest.raises(ImportError, match=r"install '\S*\[llvm\]'"):
            tg.set_executor("llvm")
        executor._checked.cache_clear()
    assert tg.get_executor() == "llvm"


def test_the_cache_goes_elsewhere_where_it_cannot_be_written(monkeypatch, tmp_path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("TINYGRAD_RNN_CACHE", str(file))
    elsewhere = code_cache._safe_directory()
    assert elsewhere != file
    if os.name == "posix":  # what others can write is not run
        assert elsewhere.stat().st_uid == os.getuid()
        assert not elsewhere.stat().st_mode & 0o077


def test_without_a_home_the_cache_goes_elsewhere(monkeypatch) -> None:
    def nobody() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("TINYGRAD_RNN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(code_cache.Path, "home", nobody)
    assert code_cache._safe_directory().is_dir()
