"""The texts to start from compute what the package's cells do, values and gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

I, H, T, B = 3, 4, 5, 2
Weights = dict[str, tg.Tensor]
Renamed = Callable[[Weights], Weights]


def ordered(weight: tg.Tensor, *places: int) -> tg.Tensor:
    """Blocks of rows in another order, which is the package's."""
    blocks = tg.split(weight, len(places))
    return tg.concatenate([blocks[place] for place in places])


def gates(*places: int) -> Renamed:
    """W and U, of several gates each, whose blocks stand at these places in the text."""
    return lambda p: {
        "weight_ih": ordered(p["W.weight"], *places),
        "weight_hh": ordered(p["U.weight"], *places),
        "bias_ih": ordered(p["W.bias"], *places),
    }


def coupled(p: Weights) -> Weights:
    """i = 1 - f is a sigmoid too, of what f is the sigmoid of, negated."""

    def four(weight: tg.Tensor) -> tg.Tensor:
        f, g, o = tg.split(weight, 3)
        return tg.concatenate([-f, f, g, o])

    return {
        "weight_ih": four(p["W.weight"]),
        "weight_hh": four(p["U.weight"]),
        "bias_ih": four(p["W.bias"]),
    }


def square(recurrent: str, transposed: bool = False) -> Renamed:
    """One layer W, and a recurrent parameter."""
    return lambda p: {
        "weight_ih": p["W.weight"],
        "bias_ih": p["W.bias"],
        "weight_hh": p[recurrent].T if transposed else p[recurrent],
    }


# Of each text: the package's cell, and its weights in terms of those of the text.
THE_SAME: dict[str, tuple[Callable[[], nn.Cell], Renamed]] = {
    "rnn": (lambda: nn.RNNCell(I, H), gates(0)),
    "lstm": (lambda: nn.LSTMCell(I, H), gates(1, 0, 2, 3)),
    "gru": (
        lambda: nn.GRUCell(I, H),
        lambda p: {**gates(0, 1, 2)(p), "bias_hh": p["U.bias"]},
    ),
    "peephole": (
        lambda: tg.cells.PeepholeLSTMCell(I, H),
        lambda p: {
            **gates(1, 0, 2, 3)(p),
            "weight_ph": tg.concatenate([p["p_i"], p["p_f"], p["p_o"]]),
        },
    ),
    "mgu": (
        lambda: tg.cells.MGUCell(I, H),
        lambda p: {
            "weight_ih": tg.concatenate([p["W_f.weight"], p["W_n.weight"]]),
            "weight_hh": tg.concatenate([p["U_f.weight"], p["U_n.weight"]]),
            "bias_ih": tg.concatenate([p["W_f.bias"], p["W_n.bias"]]),
        },
    ),
    "coupled": (lambda: nn.LSTMCell(I, H), coupled),
    "irnn": (lambda: tg.cells.IdentityRNNCell(I, H), square("U", transposed=True)),
    "indrnn": (lambda: tg.cells.IndRNNCell(I, H), square("u")),
    "antisymmetric": (
        lambda: tg.cells.AntisymmetricRNNCell(I, H, epsilon=0.1, gamma=0.01),
        square("U", transposed=True),
    ),
    "ugrnn": (lambda: tg.cells.UGRNNCell(I, H), gates(1, 0)),
    "janet": (lambda: tg.cells.JANETCell(I, H), gates(0, 1)),
    "ran": (
        lambda: tg.cells.RANCell(I, H),
        lambda p: {
            "weight_ih": tg.concatenate([p["V.weight"], p["W.weight"]]),
            "weight_hh": p["U.weight"],
            "bias_ih": p["W.bias"],
        },
    ),
    "lem": (
        lambda: tg.cells.LEMCell(I, H),
        lambda p: {**gates_of_lem(p), "weight_ch": p["U_y.weight"]},
    ),
    "mingru": (
        lambda: tg.cells.MinGRUCell(I, H),
        lambda p: {"weight_ih": p["W.weight"], "bias_ih": p["W.bias"]},
    ),
}
WITHOUT = {"ran": ["V.bias"]}  # parameters of a text that the package's cell does not have


def gates_of_lem(p: Weights) -> Weights:
    return {"weight_ih": p["W.weight"], "weight_hh": p["U.weight"], "bias_ih": p["W.bias"]}


@pytest.fixture
def float64() -> Iterator[None]:
    before = tg.get_default_dtype()
    tg.set_default_dtype("float64")
    yield
    tg.set_default_dtype(before)


def test_every_text_is_compared(cells: dict[str, str]) -> None:
    assert THE_SAME.keys() == cells.keys()


@pytest.mark.parametrize("name", THE_SAME)
def test_a_text_is_the_cell_of_the_package(float64: None, cells: dict[str, str], name: str) -> None:
    """With its weights: the same outputs, and gradients by the input and by every weight."""
    make, renamed = THE_SAME[name]
    rng = np.random.default_rng(0)
    made: dict[str, Any] = {}
    exec(cells[name], made)
    (cell_class,) = (v for v in made.values() if isinstance(v, type) and issubclass(v, nn.Cell))
    ours, theirs = cell_class(I, H), make()
    own = dict(ours.named_parameters())
    for parameter in own.values():
        parameter.data[...] = rng.uniform(-1, 1, parameter.shape)
    for missing in WITHOUT.get(name, []):
        own.pop(missing).data[...] = 0.0
    weights = renamed(own)
    parameters = dict(theirs.named_parameters())
    for key, parameter in parameters.items():
        parameter.data[...] = weights[key].data if key in weights else 0.0

    data, slope = rng.standard_normal((T, B, I)), rng.standard_normal((T, B, H))
    xs = [tg.tensor(data, requires_grad=True) for _ in range(2)]
    outputs = [nn.Recurrent(cell)(x)[0] for cell, x in zip((ours, theirs), xs)]
    for out in outputs:
        (out * slope).sum().backward()
    assert np.allclose(outputs[0].data, outputs[1].data, rtol=1e-10, atol=1e-12)
    assert np.allclose(xs[0].grad.data, xs[1].grad.data, rtol=1e-10, atol=1e-12)
    found = {key: np.array(parameter.grad.data) for key, parameter in own.items()}
    for parameter in own.values():
        parameter.grad = None
    # The package's gradients, back through the renaming to the text's own weights.
    sum((weights[key] * parameters[key].grad.data).sum() for key in weights).backward()
    for key, parameter in own.items():
        assert np.abs(found[key]).max() > 1e-4, key
        assert np.allclose(found[key], parameter.grad.data, rtol=1e-9, atol=1e-11), key
