"""Products in every form, in a step: the numbers of the unrolled run, from one kind of product."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
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
