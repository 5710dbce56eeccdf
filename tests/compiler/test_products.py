"""Products in every form, in a step: the numbers of the unrolled run, from one kind of product."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.ir.primitives import over_time, summed_product
from tinygrad_rnn.compiler.specialization import compiled_steps

B, K, H = 3, 4, 5
FORMS = {
    "bi,io->bo": (lambda h, w: np.einsum("bi,io->bo", h, w), (B, H)),
    "bi,oi->bo": (lambda h, w: np.einsum("bi,oi->bo", h, w), (B, H)),
    "io,bi->bo": (lambda h, w: np.einsum("io,bi->bo", w, h), (B, H)),
    "bi,oi->ob": (lambda h, w: np.einsum("bi,oi->ob", h, w).T, (B, H)),
    "batch of matrices": (lambda h, w: h @ w, (B, K, H)),
    "vector": (lambda h, w: (h[:, 0] @ w)[:, None] + h, (B, K, H)),
    "batched": (lambda h, w: 0.1 * (h @ h.swapaxes(-1, -2)) @ h + w.sum(), (B, K, H)),
    "attention": (lambda h, w: tg.softmax(h @ (h @ w).swapaxes(-1, -2), axis=-1) @ h, (B, K, H)),
}


class Product(nn.Cell):
    def __init__(self, step, shape) -> None:
        self.step, self.shape = step, shape
        rng = np.random.default_rng(0)
        self.w = nn.Parameter(0.4 * rng.standard_normal((H, H)))

    def initial_state(self, batch_size: int):
        return tg.zeros(batch_size, *self.shape[1:])

    def forward(self, x, h):
        return tg.tanh(self.step(h, self.w) + x)


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
@pytest.mark.parametrize("form", FORMS)
def test_a_product_in_any_form_is_the_unrolled_runs(form, executor) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    step, shape = FORMS[form]
    x = tg.randn(7, *shape, requires_grad=True)
    layer = nn.Recurrent(Product(step, shape))

    def run() -> list[np.ndarray]:
        out, _ = layer(x)
        return [out.data, *(g.data for g in tg.grad((out * out).sum(), [x, layer.w_l0]))]

    layer.unroll = True
    expected = run()
    layer.unroll = False
    tg.set_executor(executor)
    try:
        for found, wanted in zip(run(), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())
    finally:
        tg.set_executor("numpy")


@pytest.mark.parametrize("form", [form for form in FORMS if "," in form])
def test_an_einsum_of_matrices_is_a_product(form) -> None:
    step, shape = FORMS[form]
    layer = nn.Recurrent(Product(step, shape))
    layer(tg.ones(7, *shape))[0].sum().backward()
    (compiled,) = compiled_steps(layer.cells[0])
    for program in (compiled.forward, compiled.backward):
        names = [value.op_name for value in program.schedule.instructions()]
        assert "einsum" not in names


class Reflections(nn.Cell):
    """A recurrent matrix made of parameters in the step: their gradients go through it."""

    def __init__(self) -> None:
        self.u = nn.Parameter(np.random.default_rng(0).standard_normal((3, H)))
        self.scale = nn.Parameter(np.linspace(0.5, 1, H))

    def initial_state(self, batch_size: int):
        return tg.zeros(batch_size, H, dtype=np.float64)

    def forward(self, x, h):
        q = tg.tensor(np.eye(H))
        for u in tg.unstack(np.triu(self.u)):
            q = q - tg.outer(q @ u, (2 / tg.sum(u * u)) * u)
        return tg.tanh(h @ np.concatenate([q[:, 2:], q[:, :2]], axis=1) * self.scale + x)


@pytest.mark.parametrize("executor", ["numpy", "llvm"])
def test_the_gradient_of_a_matrix_is_summed_over_time_before_it_goes_on(executor) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    cell = Reflections().astype(np.float64)
    x = tg.tensor(np.random.default_rng(1).standard_normal((7, B, H)), requires_grad=True)

    def run(unroll: bool) -> list[np.ndarray]:
        out, _ = nn.Recurrent(cell, unroll=unroll, executor=executor)(x)
        return [out.data, *(g.data for g in tg.grad((out * out).sum(), [x, cell.u, cell.scale]))]

    for mine, expected in zip(run(False), run(True), strict=True):
        np.testing.assert_allclose(mine, expected, 1e-9, 1e-12)
    schedule = compiled_steps(cell)[-1].backward.schedule
    assert not [v for v in schedule.stages["after"] if v.shape == (H, H)]
    products = [v for v in schedule.stages["total"] if v.primitive is summed_product]
    assert len(products) == 1


def test_what_only_combines_values_is_summed_over_time_once() -> None:
    """The bias of an LSTM: one sum of all gates, whether or not the input gets a gradient."""
    for learned in (False, True):
        layer = nn.Recurrent(nn.LSTMCell(H, H))
        x = tg.tensor(np.random.default_rng(0).standard_normal((4, B, H)), dtype="float32")
        x.requires_grad_(learned)
        layer(x)
        totals = compiled_steps(layer.cells[0])[-1].backward.schedule.stages["total"]
        assert sum(v.primitive is over_time for v in totals) == 1


@st.composite
def contractions(draw):
    """Subscripts of an einsum of two arrays, and a size for each letter."""
    x, y = ("".join(draw(st.permutations("abcde"))[: draw(st.integers(1, 4))]) for _ in range(2))
    letters = sorted({*x, *y})
    kept = [letter for letter in letters if draw(st.booleans())]
    sizes = {letter: draw(st.integers(1, 3)) for letter in letters}
    return f"{x},{y}->{''.join(draw(st.permutations(kept)))}", sizes


@settings(max_examples=settings().max_examples // 2)
@given(contractions(), st.booleans())
def test_any_einsum_of_two_arrays_is_numpys(case, constant) -> None:
    subscripts, sizes = case
    shapes = [[sizes[n] for n in term] for term in subscripts.partition("->")[0].split(",")]
    rng = np.random.default_rng(0)
    h = tg.tensor(rng.standard_normal(shapes[0]), requires_grad=True)
    w = tg.tensor(rng.standard_normal((3, *shapes[1])), requires_grad=True)
    known = w[0].data.copy()

    def step(h, w_t):
        y = np.einsum(subscripts, tg.sin(h), known if constant else w_t)
        return h * 0.5 + y.sum(), y

    def run(unroll: bool) -> list[np.ndarray]:
        last, ys = tg.scan(step, h, w, unroll=unroll, executor="numpy")
        loss = (last * last).sum() + (ys * ys).sum()
        given = [h] if constant else [h, w]
        return [last.data, ys.data, *(g.data for g in tg.grad(loss, given))]

    for mine, expected in zip(run(False), run(True), strict=True):
        np.testing.assert_allclose(mine, expected, 1e-9, 1e-9)
