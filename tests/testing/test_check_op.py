"""check_op: each of its laws catches the fault it is there for."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.testing import check_op, strategies

X = strategies.arrays((2,))


def square_op(value=np.square, rule=lambda grad, out, x: grad * 2.0 * x):
    made = tg.op(lambda x: value(x))
    made.vjp(rule)
    return made


def test_a_right_op_passes() -> None:
    report = check_op(square_op(), X, reference=np.square, examples=5)
    assert report.calls == 5 and report.checked == 5 * (2 + 4) and report.excluded == 0


def writes_into_input(grad, out, x):
    result = grad * 2.0 * x
    x += 1.0
    return result


def writes_into_cotangent(grad, out, x):
    result = grad * 2.0 * x
    if isinstance(grad, np.ndarray):
        grad *= 0.5
    return result


def widens(x):
    return np.asarray(x * np.float64(2.0), np.result_type(x, np.float64))


LAWS = {
    "value": (lambda: square_op(lambda x: x * x + 1e-9), "value is"),
    "dtype of the value": (
        lambda: square_op(widens, lambda g, out, x: 2.0 * g),
        "value of a float32",
    ),
    "first gradient": (lambda: square_op(rule=lambda g, out, x: g * x * 2.0000002), "WRONG"),
    "second gradient": (
        lambda: square_op(
            rule=lambda g, out, x: (
                g * 2.0 * tg.tanh(x.detach()) if isinstance(x, tg.Tensor) else g * 2.0 * x
            )
        ),
        "WRONG",
    ),
    "linear": (
        lambda: square_op(rule=lambda g, out, x: g * 2.0 * x + np.square(g) * 1e-6),
        "WRONG|linear",
    ),
    "zero for zero": (
        lambda: square_op(rule=lambda g, out, x: g * 2.0 * x + 1e-30),
        "not linear|cotangent 0",
    ),
    "writes into the cotangent": (
        lambda: square_op(rule=writes_into_cotangent),
        "cotangent was written",
    ),
    "float32": (
        lambda: square_op(lambda x: np.square(x) * (1 + 1e-4 * (np.dtype(x.dtype).itemsize == 4))),
        "float32 value is not",
    ),
}


@pytest.mark.parametrize("law", LAWS)
def test_a_planted_fault_is_caught(law) -> None:
    make, message = LAWS[law]
    reference = None if law in ("dtype of the value", "float32") else np.square
    with pytest.raises(AssertionError, match=message):
        check_op(make(), X, reference=reference)


def test_a_rule_that_writes_into_its_input_is_caught() -> None:
    writable = strategies.arrays((3,), layout=strategies.st.just(np.copy))
    with pytest.raises(AssertionError, match="an input was written into"):
        check_op(square_op(rule=writes_into_input), writable)


class _Sharing:
    """A composed function whose gradients would share memory: nothing here is an op's fault."""

    def __init__(self, monkeypatch) -> None:
        from tinygrad_rnn.testing import check_op as _  # noqa: F401

        module = sys.modules["tinygrad_rnn.testing.check_op"]
        self.grad = module.grad
        monkeypatch.setattr(module, "grad", self)
        self.give: str = "cotangent"

    def __call__(self, outs, leaves, weights, **options):
        found = self.grad(outs, leaves, weights, **options)
        if self.give == "cotangent":
            return (tg.from_numpy(weights[0]), *found[1:])
        return (found[0],) * len(found)


@pytest.mark.parametrize(("give", "message"), [("cotangent", "shares"), ("same", "share memory")])
def test_a_gradient_that_shares_memory_is_caught(monkeypatch, give, message) -> None:
    _Sharing(monkeypatch).give = give
    pair = strategies.calls(X, strategies.arrays((2,)))
    with pytest.raises(AssertionError, match=message):
        check_op(tg.add, pair)


def test_a_function_that_leaves_the_graph_is_caught() -> None:
    with pytest.raises(AssertionError, match="a Tensor became a ndarray"):
        check_op(lambda x: np.tanh(x.data if isinstance(x, tg.Tensor) else x), X)
    with pytest.raises(AssertionError, match="plain arrays became a Tensor"):
        check_op(lambda x: tg.tensor(x) * 2, X)


def test_nothing_checked_is_a_failure() -> None:
    with pytest.raises(AssertionError, match="no derivative could be checked"):
        check_op(tg.abs, strategies.arrays((2,), elements=strategies.st.just(0.0)), order=1)


def test_the_smallest_call_is_shown() -> None:
    wrong = square_op(lambda x: np.where(x > 1, 0, x * x))
    with pytest.raises(AssertionError) as caught:
        check_op(wrong, strategies.arrays(), reference=np.square, examples=200)
    assert any("array(1." in note for note in caught.value.__notes__)
