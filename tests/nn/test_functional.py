"""Losses, beyond their equality with PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn


@given(st.floats(-700.0, 700.0), st.sampled_from([0.0, 0.25, 1.0]))
def test_binary_cross_entropy_is_exact_at_any_logit(x, target) -> None:
    logit = tg.tensor(np.array(x), requires_grad=True)
    loss = nn.binary_cross_entropy_with_logits(logit, np.array(target))
    sure = np.longdouble(x)
    expected = target * np.log1p(np.exp(-sure)) + (1 - target) * np.log1p(np.exp(sure))
    np.testing.assert_allclose(loss.item(), float(expected), rtol=1e-13)
    loss.backward()
    slope = (1 - target) / (1 + np.exp(-sure)) - target / (1 + np.exp(sure))
    np.testing.assert_allclose(logit.grad.item(), float(slope), rtol=1e-12, atol=1e-16)


@given(st.floats(-1e30, 1e30), st.integers(0, 2))
def test_cross_entropy_does_not_see_a_shift_and_never_overflows(shift, target) -> None:
    logits = tg.tensor(np.array([[0.0, shift, -shift]]), requires_grad=True)
    loss = nn.cross_entropy(logits, [target])
    loss.backward()
    assert np.isfinite(loss.item()) and loss.item() >= 0
    assert np.abs(logits.grad.data).max() <= 1
    np.testing.assert_allclose(logits.grad.data.sum(), 0.0, atol=1e-15)


def test_the_mean_is_over_what_counts() -> None:
    logits = tg.randn(4, 3)
    target = np.array([0, 2, 1, 2])
    each = nn.cross_entropy(logits, target, reduction="none").data
    weight = np.array([1.0, 2.0, 0.5])
    weighted = nn.cross_entropy(logits, target, weight=weight).item()
    assert weighted == pytest.approx((each * weight[target]).sum() / weight[target].sum())
    ignoring = nn.cross_entropy(logits, target, ignore_index=2).item()
    assert ignoring == pytest.approx(each[[0, 2]].mean())


def test_what_is_ignored_does_not_count_even_if_it_is_no_number() -> None:
    scores = tg.tensor([[-1.0, np.nan], [-3.0, -4.0]], requires_grad=True)
    loss = nn.nll_loss(scores, [-100, 0])
    loss.backward()
    assert loss.item() == 3.0
    np.testing.assert_array_equal(scores.grad.data, [[0.0, 0.0], [-1.0, 0.0]])


def test_a_float32_loss_stays_float32() -> None:
    x = tg.zeros(2, requires_grad=True)
    for loss in (
        nn.mse_loss(x, [1.0, 0.0]),
        nn.binary_cross_entropy_with_logits(x, [1.0, 0.0]),
        nn.cross_entropy(x, 1, weight=np.array([1.0, 2.0])),
        nn.nll_loss(x, 1, ignore_index=0),
    ):
        assert loss.dtype == np.float32


@pytest.mark.parametrize("loss", [nn.cross_entropy, nn.nll_loss])
def test_class_losses_refuse(loss) -> None:
    scores = tg.zeros(2, 3)
    for target in ([0, 3], [-1, 0]):
        with pytest.raises(ValueError, match=r"target has classes from .* but scores of 3 classes"):
            loss(scores, target)
    with pytest.raises(TypeError, match="integer classes, not float64"):
        loss(scores, [0.0, 1.0])
    for target in ([0], [[0], [1]], 1):
        with pytest.raises(ValueError, match=r"need a target of shape \(N,\); got \(2, 3\)"):
            loss(scores, target)
    with pytest.raises(ValueError, match="all ignored"):
        loss(scores, [-100, -100])
    with pytest.raises(ValueError, match=r"3 classes need weights of shape \(3,\), got \(2,\)"):
        loss(scores, [0, 1], weight=[1.0, 1.0])
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none', not 'average'"):
        loss(scores, [0, 1], reduction="average")


@pytest.mark.parametrize("loss", [nn.mse_loss, nn.binary_cross_entropy_with_logits])
def test_elementwise_losses_refuse_to_broadcast(loss) -> None:
    with pytest.raises(ValueError, match=r"prediction has shape \(3, 1\), the target \(3,\)"):
        loss(tg.zeros(3, 1), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="'mean', 'sum' or 'none'"):
        loss(tg.zeros(1), [1.0], reduction="")


def test_losses_have_second_derivatives() -> None:
    x = tg.tensor(np.array([[0.3, -0.2, 0.9]]), requires_grad=True)
    (slope,) = tg.grad(nn.cross_entropy(x, [1]), [x], create_graph=True)
    (curvature,) = tg.grad(slope[0, 0], [x])
    p = np.exp(x.data[0]) / np.exp(x.data[0]).sum()
    np.testing.assert_allclose(curvature.data[0], p[0] * (np.eye(3)[0] - p), rtol=1e-12)
