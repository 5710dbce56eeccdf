"""Messages of wrong use: what was asked, what was found, and how to write it right."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg

T = tg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: T + tg.zeros(2), ValueError, r"add\(float32\[2, 3\], float32\[2\]\)"),
        (lambda: T @ T, ValueError, r"matmul\(float32\[2, 3\], float32\[2, 3\]\)"),
        (lambda: T @ 2.0, ValueError, r"matmul\(float32\[2, 3\], 2.0\)"),
        (lambda: tg.sum(T, axis=2), np.exceptions.AxisError, "sum: axis 2 for an array of 2 axes"),
        (lambda: tg.sum(T, axis=(0, 0)), ValueError, "sum: axis .*repeated"),
        (lambda: tg.softmax(T, axis=5), IndexError, "softmax: axis 5"),
        (lambda: T.reshape(4, 2), ValueError, r"reshape\(float32\[2, 3\]\)"),
        (lambda: T[5], IndexError, "getitem.*out of bounds"),
        (lambda: T[0, 0, 0], IndexError, "getitem.*too many indices"),
        (lambda: T[[True, False, True]], IndexError, "getitem.*boolean"),
        (lambda: tg.take(T, [7], axis=0), IndexError, "getitem.*out of bounds"),
        (lambda: tg.concatenate([T, tg.zeros(2)]), ValueError, "concatenate.*dimensions"),
        (lambda: tg.stack([T, tg.zeros(2)]), ValueError, "stack"),
        (lambda: tg.split(T, 2, axis=1), ValueError, "size 3 cannot be cut into 2 equal parts"),
        (lambda: tg.squeeze(T, axis=0), ValueError, "squeeze"),
        (lambda: tg.transpose(T, (0,)), ValueError, "names 1 axes, the array has 2"),
        (lambda: tg.transpose(T, (0, 0)), ValueError, "repeated"),
        (lambda: tg.moveaxis(T, (0, 1), 0), ValueError, "2 axes to move, 1 places"),
        (lambda: tg.pad(T, 1, mode="edge"), ValueError, "mode 'edge' has no gradient rule"),
        (lambda: tg.einsum("ij,jk", T), ValueError, "has 2 terms for 1 operands"),
        (lambda: tg.einsum("ijk->i", T), ValueError, "the term 'ijk'"),
        (lambda: tg.einsum(T, "ij"), TypeError, "subscripts come first"),
        (lambda: tg.tanh(T, alpha=1), TypeError, r"unexpected \['alpha'\]|alpha"),
        (lambda: tg.elu(T, beta=1), TypeError, r"elu\(\): unexpected \['beta'\].*alpha"),
        (lambda: tg.reshape(T), TypeError, r"reshape\(\): missing \['shape'\]"),
        (lambda: tg.add(T), TypeError, "add"),
        (lambda: tg.take_along_axis(T, np.zeros(3, int)), ValueError, "1 axes of indices for 2"),
        (lambda: T.item(), ValueError, r"one element, this has shape \(2, 3\)"),
        (lambda: tg.broadcast_to(T, (3, 3)), ValueError, "broadcast_to"),
        (lambda: tg.exp("text"), TypeError, "exp"),
    ],
)
def test_message(call, kind, message) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_an_error_names_the_users_line_and_scope() -> None:
    with tg.scope("decoder", step=3), pytest.raises(ValueError) as caught:
        T + tg.zeros(2)
    assert "in decoder, step 3" in str(caught.value)
    assert "test_errors.py:" in str(caught.value)


def test_an_error_in_a_gradient_rule_names_the_op() -> None:
    @tg.op
    def broken(x):
        return x * 2

    broken.vjp(lambda grad, out, x: grad @ tg.zeros(7, 7)._data)
    y = broken(T)
    with pytest.raises(ValueError, match="gradient of broken"):
        y.backward(np.ones((2, 3)))
