"""The compiled executor beside the NumPy one: every op in a step, every layout of product.

    python tests/benchmarks/executors.py
    python tests/benchmarks/executors.py --row 100,32,64 --only sin einsum --cpu-time

Milliseconds for one training step (forward, sum of the outputs, backward to x and the parameters)
of h_t = tanh(f(h_{t-1}) + x_t) in float32, for many f. The compiled loop should be ahead in every
row; a row in which it is not is a cliff, and the command ends with 1.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import interleaved, number, options_parser, print_table, start

import tinygrad_rnn as tg
from tinygrad_rnn import nn

HEADS = 4
SLACK = 1.1  # a row that is slower by less is noise


def positive(h: Any) -> Any:
    return 1.5 + h


def heads(h: Any) -> Any:
    return tg.reshape(h, (h.shape[0], HEADS, -1))


ELEMENTWISE: dict[str, Callable[[Any], Any]] = {
    "identity": lambda h: h * 0.9,
    "tanh": tg.tanh,
    "sigmoid": tg.sigmoid,
    "relu": tg.relu,
    "leaky_relu": tg.leaky_relu,
    "elu": tg.elu,
    "silu": tg.silu,
    "gelu": tg.gelu,
    "softplus": tg.softplus,
    "log_sigmoid": tg.log_sigmoid,
    "exp": tg.exp,
    "exp2": tg.exp2,
    "expm1": tg.expm1,
    "log": lambda h: tg.log(positive(h)),
    "log1p": lambda h: tg.log1p(positive(h)),
    "log2": lambda h: tg.log2(positive(h)),
    "logaddexp": lambda h: tg.logaddexp(h, 0.5 * h),
    "sqrt": lambda h: tg.sqrt(positive(h)),
    "square": tg.square,
    "cube": lambda h: h**3,
    "power": lambda h: positive(h) ** 1.7,
    "reciprocal": lambda h: 1.0 / positive(h),
    "sin": tg.sin,
    "cos": tg.cos,
    "tan": tg.tan,
    "sinh": tg.sinh,
    "cosh": tg.cosh,
    "arctan": tg.arctan,
    "arcsin": lambda h: tg.arcsin(0.9 * h),
    "arcsinh": tg.arcsinh,
    "abs": tg.abs,
    "sign": tg.sign,
    "maximum": lambda h: tg.maximum(h, 0.1),
    "clip": lambda h: np.clip(h, -0.5, 0.5),
    "where": lambda h: tg.where(h > 0, h, 0.1 * h),
    "remainder": lambda h: h % 0.7,
}
ARRAYS: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda h: tg.softmax(h, axis=-1),
    "logsumexp": lambda h: h - tg.logsumexp(h, axis=-1, keepdims=True),
    "layer_norm": lambda h: nn.functional.layer_norm(h, h.shape[-1:]),
    "mean": lambda h: h - h.mean(axis=-1, keepdims=True),
    "max": lambda h: h - np.max(h, axis=-1, keepdims=True),
    "cumsum": lambda h: 0.1 * tg.cumsum(h, axis=-1),
    "flip": lambda h: tg.flip(h, axis=-1),
    "roll": lambda h: np.roll(h, 1, axis=-1),
    "halves": lambda h: tg.concatenate(tg.split(h, 2, axis=-1)[::-1], axis=-1),
    "pad": lambda h: tg.pad(h[:, 1:-1], ((0, 0), (1, 1))),
    "argmax": lambda h: h * (np.argmax(h, axis=-1) % 2)[:, None].astype(h.dtype),
    "take_along_axis": lambda h: h + tg.take_along_axis(h, np.argmax(h, axis=-1)[:, None], axis=-1),
    "outer": lambda h: (h[:, :, None] * h[:, None, :]).mean(axis=-1),
}
# Of h (B, H) and a weight (H, H), or of its heads (B, 4, H / 4) and a weight of each or of all.
PRODUCTS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "h @ W": lambda h, w, per_head, small: h @ w,
    "h @ W.T": lambda h, w, per_head, small: h @ w.T,
    "(W @ h.T).T": lambda h, w, per_head, small: (w @ h.T).T,
    "einsum bi,oi->bo": lambda h, w, per_head, small: tg.einsum("bi,oi->bo", h, w),
    "einsum bi,io->bo": lambda h, w, per_head, small: tg.einsum("bi,io->bo", h, w),
    "linear of heads": lambda h, w, per_head, small: tg.reshape(
        nn.functional.linear(heads(h), small), h.shape
    ),
    "heads @ W": lambda h, w, per_head, small: tg.reshape(heads(h) @ small, h.shape),
    "einsum bhi,hij->bhj": lambda h, w, per_head, small: tg.reshape(
        tg.einsum("bhi,hij->bhj", heads(h), per_head), h.shape
    ),
    "einsum bhi,hji->bhj": lambda h, w, per_head, small: tg.reshape(
        tg.einsum("bhi,hji->bhj", heads(h), per_head), h.shape
    ),
    "batched, heads first": lambda h, w, per_head, small: tg.reshape(
        np.swapaxes(np.swapaxes(heads(h), 0, 1) @ per_head, 0, 1), h.shape
    ),
    "attention": lambda h, w, per_head, small: tg.reshape(
        tg.softmax(heads(h) @ np.swapaxes(heads(h), 1, 2), axis=-1) @ heads(h), h.shape
    ),
    "row times matrix": lambda h, w, per_head, small: (h[:, None, :] @ w)[:, 0],
    "matrix times column": lambda h, w, per_head, small: (w @ h[:, :, None])[:, :, 0],
}
STEPS: dict[str, Callable[..., Any]] = {**ELEMENTWISE, **ARRAYS, **PRODUCTS}


class Step(nn.Cell):
    """h_t = tanh(f(h_{t-1}) + x_t)."""

    def __init__(self, size: int, name: str) -> None:
        self.input_size = self.hidden_size = size
        self.function, self.is_product = STEPS[name], name in PRODUCTS
        rng, small = np.random.default_rng(0), size // HEADS
        for attribute, shape in {
            "w": (size, size),
            "per_head": (HEADS, small, small),
            "small": (small, small),
        }.items():
            weight = rng.standard_normal(shape) / np.sqrt(shape[-1])
            setattr(self, attribute, nn.Parameter(weight.astype(np.float32)))

    def forward(self, x: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
        weights = (self.w, self.per_head, self.small) if self.is_product else ()
        return tg.tanh(self.function(h, *weights) + x)


def training_step(name: str, steps: int, batch: int, size: int, executor: str) -> Callable[[], Any]:
    """One training step on one of the executors, compiled."""
    layer = nn.Recurrent(Step(size, name), executor=executor)
    draw = np.random.default_rng(1)
    x = tg.tensor(draw.standard_normal((steps, batch, size)).astype("f"), requires_grad=True)

    def step() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x)[0].sum().backward()

    step()
    return step


def main() -> None:
    parser = options_parser(__doc__, repeat=5)
    parser.add_argument("--row", default="50,16,64", metavar="T,B,H")
    parser.add_argument(
        "--only", nargs="+", default=[], help="rows whose names contain one of these"
    )
    options = start(parser, "numpy")
    steps, batch, size = map(int, options.row.split(","))
    names = [n for n in STEPS if not options.only or any(part in n for part in options.only)]
    print(f"Milliseconds for one training step, T = {steps}, B = {batch}, H = {size}.\n")
    cliffs: list[str] = []

    def rows() -> Any:
        for name in names:
            contestants = {
                executor: training_step(name, steps, batch, size, executor)
                for executor in ("numpy", "llvm")
            }
            times = interleaved(contestants, options.repeat)
            ratio = times["numpy"] / times["llvm"]
            if ratio < 1 / SLACK:
                cliffs.append(name)
            yield [name, *(number(1000 * times[e]) for e in contestants), number(ratio)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that something has no compiled form
        print_table(["in the step", "NumPy", "LLVM", "NumPy / LLVM"], rows())
    print(f"\nSlower compiled: {', '.join(cliffs) or 'none'}")
    sys.exit(bool(cliffs))


if __name__ == "__main__":
    main()
