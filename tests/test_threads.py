"""What docs/threads.md says of threads, where its own examples do not show it."""

from __future__ import annotations

import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.engine.recording.collector import no_collection

THREADS = 4


def in_a_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_each_thread_has_a_grad_mode_and_a_scope_of_its_own() -> None:
    def scope_of_an_op():
        return (tg.tensor(1.0, requires_grad=True) * 2.0).scope

    with tg.no_grad(), tg.scope("outside"):
        assert in_a_thread(tg.is_grad_enabled)
        assert "outside" not in str(in_a_thread(scope_of_an_op))
    both = threading.Barrier(2, timeout=10)

    def without() -> bool:
        with tg.no_grad():
            both.wait()  # inside of no_grad, while the other looks
            both.wait()
        return tg.is_grad_enabled()

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(without)
        both.wait()
        assert tg.is_grad_enabled()
        both.wait()
        assert other.result()


def test_the_default_dtype_and_the_executor_are_those_of_all_threads() -> None:
    tg.set_default_dtype("float64")
    try:
        assert in_a_thread(lambda: tg.zeros(1).dtype) == np.float64
    finally:
        tg.set_default_dtype("float32")
    before = tg.get_executor()
    in_a_thread(lambda: tg.set_executor("numpy"))
    assert tg.get_executor() == "numpy"
    tg.set_executor(before)


def test_anomalies_are_detected_in_the_thread_that_asks() -> None:
    def log_of_zero() -> float:
        with np.errstate(divide="ignore"):
            return tg.log(tg.tensor(0.0)).item()

    with tg.detect_anomaly():
        assert in_a_thread(log_of_zero) == -np.inf
        with pytest.raises(tg.AnomalyError):
            log_of_zero()


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
def test_first_calls_at_once_compile_and_agree(executor) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    layer = nn.GRU(3, 4, executor=executor).astype("float64")
    inputs = [np.random.default_rng(k).standard_normal((5 + k % 3, 2, 3)) for k in range(12)]
    together = threading.Barrier(THREADS, timeout=60)

    def results(x: np.ndarray) -> list[np.ndarray]:
        given = tg.tensor(x, requires_grad=True)
        outputs, _ = layer(given)
        grads = tg.grad((outputs**2).sum(), [given, *layer.parameters()])
        return [outputs.data, *(g.data for g in grads)]

    def work(first: int) -> list[list[np.ndarray]]:
        together.wait()
        return [results(x) for x in inputs[first::THREADS]]

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(work, range(THREADS)))
    layer.unroll = True
    for first, parts in enumerate(found):
        for x, part in zip(inputs[first::THREADS], parts, strict=True):
            for one, other in zip(part, results(x), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_the_garbage_collector_rests_until_the_last_recording_is_done() -> None:
    """What it calls in the middle of a step would be taken for the step's own calls."""
    first, second = no_collection(), no_collection()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # as another thread does, whose step ends earlier
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_a_parameter_changed_meanwhile_is_an_error_and_no_wrong_gradient() -> None:
    layer = nn.LSTM(2, 3)
    loss = (layer(tg.ones(4, 1, 2))[0] ** 2).sum()

    def step() -> None:
        for parameter in layer.parameters():
            parameter.data += 1.0

    in_a_thread(step)
    with pytest.raises(tg.StaleValueError):
        loss.backward()


def test_backward_passes_to_one_leaf_lose_nothing() -> None:
    x = tg.tensor([1.0], requires_grad=True)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in range(100 * THREADS):
                pool.submit(lambda: (x * 2).backward())
    finally:
        sys.setswitchinterval(interval)
    assert x.grad.item() == 2 * 100 * THREADS
