"""detect_anomaly: the first NaN or Inf, with op, path, time step and the user's own line."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import tinygrad_rnn as tg


def line_of(text: str) -> int:
    """The number of this file's line that ends with the comment `# <text>`."""
    lines = inspect.getsource(inspect.getmodule(line_of)).splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.endswith(f"# {text}"))


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def test_the_forward_pass() -> None:
    x = tg.tensor([[1.0, 0.0], [1.0, 1.0]], requires_grad=True)
    here = tg.scope("cell", step=4)
    with tg.detect_anomaly(), tg.scope("decoder"), here, pytest.raises(tg.AnomalyError) as caught:
        tg.exp(tg.log(x))  # forward
    message = str(caught.value)
    assert message.startswith("the result of log has the first Inf or NaN: -inf at (0, 1)")
    assert f"decoder.cell, step 4, {__file__}:{line_of('forward')}" in message


def test_without_inputs_that_need_gradients() -> None:
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match="result of div"):
        tg.tensor([1.0]) / tg.tensor([0.0])


def test_the_backward_pass() -> None:
    x = tg.tensor([4.0, 0.0], requires_grad=True)
    with tg.detect_anomaly():
        with tg.scope("cell", step=7):
            y = tg.sqrt(x)  # backward
        z = (y * 2).sum()
        with pytest.raises(tg.AnomalyError) as caught:
            z.backward()
    message = str(caught.value)
    assert message.startswith("the gradient of sqrt with respect to 'x' has the first Inf or NaN")
    assert f"cell, step 7, {__file__}:{line_of('backward')}" in message
    assert "inf at (1,) of shape (2,)" in message


def test_several_outputs() -> None:
    @tg.op
    def both(x):
        return x, x / 0.0

    both.vjp(lambda grad, out, x: grad[0])
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError, match="result of both"):
        both(tg.tensor([1.0]))


def test_a_recorded_backward_pass() -> None:
    x = tg.tensor([0.0], requires_grad=True)
    with tg.detect_anomaly(), pytest.raises(tg.AnomalyError):
        tg.sqrt(x).backward(create_graph=True)


def test_finite_numbers_pass_and_outside_nothing_is_checked() -> None:
    x = tg.tensor([0.0, 2.0], requires_grad=True)
    with tg.detect_anomaly():
        tg.sqrt(x + 1).sum().backward()
    assert np.isinf(tg.log(x).data[0])


def test_as_a_decorator() -> None:
    @tg.detect_anomaly()
    def run(x):
        return tg.log(x)

    assert run(tg.tensor([1.0])).item() == 0
    with pytest.raises(tg.AnomalyError):
        run(tg.tensor([0.0]))
