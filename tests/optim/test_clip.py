"""Gradient clipping."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import optim


def with_gradient(*values: float, dtype: str = "float32") -> tg.Tensor:
    p = tg.zeros(len(values), dtype=dtype, requires_grad=True)
    p.grad = np.array(values, dtype=dtype)
    return p


@pytest.mark.parametrize("index", range(6))
def test_clipping_does_what_pytorch_did(runs, reference, index) -> None:
    run = reference["clips"][index]
    assert [(run["name"], run["settings"]) for run in reference["clips"]] == runs.CLIPS
    clip = getattr(optim, run["name"])
    norm, grads = runs.clipped(tg.tensor, clip, run["settings"], reference["problem"])
    assert norm == (None if run["norm"] is None else pytest.approx(run["norm"], rel=1e-12))
    for ours, theirs in zip(grads, run["grads"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@settings(
    max_examples=settings().max_examples * 30 // 100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.integers(0, 99),
    st.floats(0.0, 3.0),
    st.one_of(st.floats(0.5, 8.0), st.just(math.inf)),
)
def test_clipping_is_pytorchs(torch, runs, seed, max_norm, norm_type) -> None:
    chosen = {"max_norm": max_norm, "norm_type": norm_type}
    values = runs.problem(seed)
    norm, grads = runs.clipped(tg.tensor, optim.clip_grad_norm_, chosen, values)
    theirs = runs.clipped(torch.tensor, torch.nn.utils.clip_grad_norm_, chosen, values)
    assert norm == pytest.approx(theirs[0], rel=1e-10)
    for our, their in zip(grads, theirs[1], strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-10, atol=1e-300)


def test_the_norm_is_at_most_what_was_asked_and_the_direction_stays() -> None:
    params = [with_gradient(3.0, 0.0), with_gradient(4.0)]
    norm = optim.clip_grad_norm_(params, 0.5)
    assert (norm.shape, norm.dtype, norm.item()) == ((), np.float32, 5.0)
    np.testing.assert_allclose(params[0].grad.data, [0.3, 0.0], rtol=1e-5)
    np.testing.assert_allclose(params[1].grad.data, [0.4], rtol=1e-5)
    assert params[0].grad.dtype == np.float32


def test_an_infinite_limit_only_measures() -> None:
    p = with_gradient(3.0, 4.0)
    assert optim.clip_grad_norm_(p, math.inf).item() == 5.0
    assert p.grad.data.tolist() == [3.0, 4.0]


def test_exploding_float32_gradients_have_a_norm() -> None:
    p = with_gradient(3e30, 4e30)
    assert optim.clip_grad_norm_([p], 1.0).item() == pytest.approx(5e30, rel=1e-6)
    np.testing.assert_allclose(p.grad.data, [0.6, 0.8], rtol=1e-5)


def test_parameters_without_gradient_or_elements_do_not_count() -> None:
    params = [tg.zeros(2, requires_grad=True), with_gradient(), with_gradient(0.5)]
    for order in (1.0, 2.0, math.inf):
        assert optim.clip_grad_norm_(params, 1.0, order).item() == 0.5
    assert params[0].grad is None
    assert optim.clip_grad_norm_(params[:1], 1.0).item() == 0.0
    assert optim.clip_grad_norm_(params[1:2], 1.0, math.inf).item() == 0.0
    optim.clip_grad_value_(params, 0.25)
    assert params[2].grad.data.tolist() == [0.25]


def test_a_shared_parameter_counts_once() -> None:
    p = with_gradient(3.0, 4.0)
    assert optim.clip_grad_norm_([p, p], 1.0).item() == 5.0
    np.testing.assert_allclose(np.linalg.norm(p.grad.data), 1.0, rtol=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_norm_that_is_not_finite_can_be_an_error_that_changes_nothing(bad) -> None:
    params = [with_gradient(3.0), with_gradient(bad, 1.0)]
    with pytest.raises(RuntimeError, match="norm of the gradients is"):
        optim.clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert params[0].grad.data.tolist() == [3.0]
    norm = optim.clip_grad_norm_(params, 1.0).item()
    assert not math.isfinite(norm)
    assert params[0].grad.data[0] != 3.0
    assert math.isnan(params[1].grad.data[0])


def test_values_are_clipped_on_both_sides_and_nan_stays() -> None:
    p = with_gradient(-5.0, 0.5, 5.0, math.nan, math.inf)
    grad = p.grad
    optim.clip_grad_value_(p, 1)
    np.testing.assert_array_equal(p.grad.data, np.float32([-1.0, 0.5, 1.0, math.nan, 1.0]))
    assert p.grad is grad and grad.dtype == np.float32


def test_scalar_parameters_are_clipped_too() -> None:
    p = tg.tensor(1.0, requires_grad=True)
    (p * 3).backward()
    optim.clip_grad_value_([p], 2.0)
    assert p.grad.item() == 2.0
    assert optim.clip_grad_norm_([p], 1.0).item() == 2.0
    assert p.grad.item() == pytest.approx(1.0, rel=1e-5)


def test_other_gradients_of_the_same_backward_pass_are_untouched() -> None:
    a, b = (tg.zeros(2, requires_grad=True) for _ in range(2))
    (a + b).sum().backward()
    optim.clip_grad_value_([a], 0.5)
    assert (a.grad.data.tolist(), b.grad.data.tolist()) == ([0.5, 0.5], [1.0, 1.0])


def test_clipping_a_gradient_that_a_graph_still_needs_is_noticed() -> None:
    x = tg.tensor([3.0], requires_grad=True)
    (x * x * x).sum().backward(create_graph=True)
    penalty = (x.grad * x.grad).sum()
    optim.clip_grad_norm_([x], 1.0)
    with pytest.raises(tg.StaleValueError):
        penalty.backward()


@pytest.mark.parametrize("clip", [optim.clip_grad_norm_, optim.clip_grad_value_])
def test_wrong_use_is_refused(clip) -> None:
    p = with_gradient(3.0)
    for limit in (-1.0, math.nan):
        with pytest.raises(ValueError, match=r"max_norm|clip_value"):
            clip([p], limit)
    with pytest.raises(TypeError, match="must be a number"):
        clip([p], "1")
    with pytest.raises(ValueError, match="no parameters"):
        clip(iter([]), 1.0)
    with pytest.raises(TypeError, match="parameter 1 is not a Tensor"):
        clip([p, np.ones(2)], 1.0)
    frozen = with_gradient(4.0)
    frozen.grad.data.flags.writeable = False
    with pytest.raises(ValueError, match="parameter 1 is read-only"):
        clip([p, frozen], 1.0)
    whole = tg.zeros(1, requires_grad=True)
    whole.grad = np.array([7])
    with pytest.raises(TypeError, match="parameter 1 is int64"):
        clip([p, whole], 1.0)
    assert p.grad.data.tolist() == [3.0]


@pytest.mark.parametrize("norm_type", [0.0, -1.0, math.nan])
def test_orders_that_are_no_norm_are_refused(norm_type) -> None:
    with pytest.raises(ValueError, match="norm_type"):
        optim.clip_grad_norm_([with_gradient(1.0)], 1.0, norm_type)
