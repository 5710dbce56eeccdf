"""One training step of a recurrent network, in every library: the contestants of the benchmarks.

Each is made from a `Problem` (a cell, sizes, weights, an input) and can `train`: forward, the sum
of all outputs as the loss, backward to the input and all parameters; and `infer`: outputs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import handwritten
import handwritten_gated
import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn import nn

GATES = {"RNN": 1, "LSTM": 4, "GRU": 3, "peephole": 3}


class Problem:
    """A cell by name, the sizes (T, B, I, H), and arrays that are the same for every library."""

    def __init__(self, cell: str, T: int, B: int, I: int, H: int, dtype: Any = np.float32) -> None:
        self.cell, self.T, self.B, self.I, self.H = cell, T, B, I, H
        self.dtype = np.dtype(dtype)
        draw = np.random.default_rng(0)
        rows = GATES[cell] * H
        shapes = {"weight_ih": (rows, I), "weight_hh": (rows, H), "bias_ih": (rows,)}
        if cell == "peephole":
            shapes |= {"peephole_f": (H,), "peephole_o": (H,)}
        else:
            shapes |= {"bias_hh": (rows,)}
        bound = H**-0.5
        self.weights = {
            name: draw.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()
        }
        self.x = draw.standard_normal((T, B, I)).astype(dtype)

    @property
    def states(self) -> int:
        """How many arrays (B, H) the cell carries."""
        return 2 if self.cell in ("LSTM", "peephole") else 1


class Contestant(NamedTuple):
    """`train()` -> the gradients of the input and of each weight; `infer()` -> outputs."""

    train: Callable[[], Sequence[Any]]
    infer: Callable[[], Any] | None = None


def check_agreement(gradients: dict[str, Sequence[Any]], tolerance: float = 2e-3) -> None:
    """AssertionError unless all agree to `tolerance`, relative to each array's largest element."""
    (first, expected), *others = gradients.items()
    for name, found in others:
        assert len(found) == len(expected), f"{name}: {len(found)} gradients of {len(expected)}"
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            a, b = np.asarray(a), np.asarray(b)
            error, largest = np.max(np.abs(a - b)), np.max(np.abs(b))
            assert error <= tolerance * largest, (
                f"gradient {i}: {name} differs from {first} by {error:.1e} of {largest:.1e}"
            )


# The cells as their users write them, over the words of any library.


def rnn_step(lib: Any, w: Any, x: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    z = lib.linear(x, w["weight_ih"], w["bias_ih"])
    return (lib.tanh(z + lib.linear(state[0], w["weight_hh"], w["bias_hh"])),)


def lstm_step(lib: Any, w: Any, x: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    h, c = state
    z = lib.linear(x, w["weight_ih"], w["bias_ih"]) + lib.linear(h, w["weight_hh"], w["bias_hh"])
    i, f, g, o = lib.split(z, 4)
    c = lib.sigmoid(f) * c + lib.sigmoid(i) * lib.tanh(g)
    return lib.sigmoid(o) * lib.tanh(c), c


def gru_step(lib: Any, w: Any, x: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    (h,) = state
    x_r, x_z, x_n = lib.split(lib.linear(x, w["weight_ih"], w["bias_ih"]), 3)
    h_r, h_z, h_n = lib.split(lib.linear(h, w["weight_hh"], w["bias_hh"]), 3)
    r, z = lib.sigmoid(x_r + h_r), lib.sigmoid(x_z + h_z)
    return ((1 - z) * lib.tanh(x_n + r * h_n) + z * h,)


def peephole_step(lib: Any, w: Any, x: Any, state: tuple[Any, ...]) -> tuple[Any, ...]:
    h, c = state
    z = lib.linear(x, w["weight_ih"], w["bias_ih"]) + lib.linear(h, w["weight_hh"])
    f, g, o = lib.split(z, 3)
    f = lib.sigmoid(f + w["peephole_f"] * c)
    c = f * c + (1 - f) * lib.tanh(g)
    return lib.sigmoid(o + w["peephole_o"] * c) * lib.tanh(c), c


STEPS = {"RNN": rnn_step, "LSTM": lstm_step, "GRU": gru_step, "peephole": peephole_step}


def loop(lib: Any, problem: Problem, steps: Any, weights: Any, zeros: Any) -> list[Any]:
    """The outputs of each step."""
    step, state, outputs = STEPS[problem.cell], (zeros,) * problem.states, []
    for x in steps:
        state = step(lib, weights, x, state)
        outputs.append(state[0])
    return outputs


# tinygrad_rnn


class PeepholeCell(nn.Cell):
    """LSTM with peepholes and a coupled input gate, i = 1 - f, as its user would write it."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.input_size, self.hidden_size = input_size, hidden_size
        self.from_x = nn.Linear(input_size, 3 * hidden_size)
        self.from_h = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.peephole_f = nn.Parameter(np.zeros(hidden_size, np.float32))
        self.peephole_o = nn.Parameter(np.zeros(hidden_size, np.float32))

    def initial_state(self, batch_size: int) -> Any:
        zeros = self.zeros(batch_size, self.hidden_size)
        return zeros, zeros

    def forward(self, x: Any, state: Any) -> Any:
        h, c = state
        f, g, o = tg.split(self.from_x(x) + self.from_h(h), 3, axis=-1)
        f = tg.sigmoid(f + self.peephole_f * c).named("forget gate")
        c = f * c + (1 - f) * tg.tanh(g)
        o = tg.sigmoid(o + self.peephole_o * c).named("output gate")
        return o * tg.tanh(c), c


CELLS = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell, "peephole": PeepholeCell}
NAMES = {"weight_ih": "from_x.weight", "bias_ih": "from_x.bias", "weight_hh": "from_h.weight"}


def unrolled(cell: nn.Cell) -> nn.Recurrent:
    """A layer that records every op of every step."""
    return nn.Recurrent(cell, unroll=True)


def _ours(problem: Problem, make_layer: Callable[[nn.Cell], nn.Recurrent]) -> Contestant:
    layer = make_layer(CELLS[problem.cell](problem.I, problem.H)).astype(problem.dtype)
    named = {name.removesuffix("_l0"): p for name, p in layer.named_parameters()}
    parameters = [named[name] if name in named else named[NAMES[name]] for name in problem.weights]
    with tg.no_grad():
        for parameter, value in zip(parameters, problem.weights.values(), strict=True):
            parameter[...] = value
    x = tg.tensor(problem.x, requires_grad=True)
    leaves = [x, *parameters]

    def train() -> list[Any]:
        layer(x)[0].sum().backward()
        gradients = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.grad = None
        return gradients

    @tg.no_grad()
    def infer() -> Any:
        return layer(x)[0]

    return Contestant(train, infer)


def ours_unrolled(problem: Problem) -> Contestant:
    return _ours(problem, unrolled)


def ours_scan(problem: Problem) -> Contestant:
    return _with_executor("numpy", _ours(problem, nn.Recurrent))


def ours_compiled(problem: Problem) -> Contestant:
    return _with_executor("llvm", _ours(problem, nn.Recurrent))


def _with_executor(name: str, contestant: Contestant) -> Contestant:
    def run(function: Callable[[], Any]) -> Callable[[], Any]:
        def run_with_executor() -> Any:
            tg.set_executor(name)
            return function()

        return run_with_executor

    assert contestant.infer is not None
    return Contestant(run(contestant.train), run(contestant.infer))


# The peers


def torch_builtin(problem: Problem) -> Contestant | None:
    """PyTorch's C++ layers."""
    import torch

    if problem.cell == "peephole":
        return None
    layer = getattr(torch.nn, problem.cell)(problem.I, problem.H).to(_torch_dtype(problem))
    leaves = [torch.from_numpy(problem.x.copy()).requires_grad_()]
    for name, value in problem.weights.items():
        parameter = getattr(layer, f"{name}_l0")
        parameter.data[...] = torch.from_numpy(value)
        leaves.append(parameter)
    return _torch(leaves, lambda: layer(leaves[0])[0])


def torch_loop(problem: Problem) -> Contestant:
    """A Python loop over the cell composed from PyTorch's ops."""
    import torch

    class Library:
        tanh, sigmoid, linear = torch.tanh, torch.sigmoid, torch.nn.functional.linear
        split = staticmethod(lambda z, parts: z.chunk(parts, -1))

    arrays = [problem.x, *problem.weights.values()]
    leaves = [torch.from_numpy(a.copy()).requires_grad_() for a in arrays]
    weights = dict(zip(problem.weights, leaves[1:], strict=True))
    zeros = torch.zeros(problem.B, problem.H, dtype=_torch_dtype(problem))
    return _torch(
        leaves, lambda: torch.stack(loop(Library, problem, leaves[0].unbind(), weights, zeros))
    )


def _torch_dtype(problem: Problem) -> Any:
    import torch

    return getattr(torch, problem.dtype.name)


def _torch(leaves: list[Any], forward: Callable[[], Any]) -> Contestant:
    import torch

    def train() -> list[Any]:
        forward().sum().backward()
        gradients = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.grad = None
        return gradients

    @torch.no_grad()
    def infer() -> Any:
        return forward()

    return Contestant(train, infer)


def jax_outputs(problem: Problem) -> Callable[..., Any]:
    """A `lax.scan` over the cell, as a function of the input and the weights."""
    import jax
    import jax.numpy as jnp

    class Library:
        tanh, sigmoid = staticmethod(jnp.tanh), staticmethod(jax.nn.sigmoid)
        split = staticmethod(lambda z, parts: jnp.split(z, parts, -1))
        linear = staticmethod(_linear)

    step, names = STEPS[problem.cell], list(problem.weights)

    def outputs(x: Any, *weights: Any) -> Any:
        w = dict(zip(names, weights, strict=True))
        zeros = jnp.zeros((problem.B, problem.H), x.dtype)

        def body(state: Any, x_t: Any) -> Any:
            state = step(Library, w, x_t, state)
            return state, state[0]

        return jax.lax.scan(body, (zeros,) * problem.states, x)[1]

    return outputs


def jax_scan(problem: Problem) -> Contestant:
    """`jax.jit` of a `lax.scan` over the cell."""
    import jax
    import jax.numpy as jnp

    outputs = jax_outputs(problem)
    every = tuple(range(1 + len(problem.weights)))
    gradient = jax.jit(jax.grad(lambda *a: outputs(*a).sum(), every))
    forward = jax.jit(outputs)
    leaves = [jnp.asarray(a) for a in (problem.x, *problem.weights.values())]
    return Contestant(
        lambda: jax.block_until_ready(gradient(*leaves)),
        lambda: jax.block_until_ready(forward(*leaves)),
    )


def hips_autograd(problem: Problem) -> Contestant:
    import autograd.numpy as anp
    from autograd import grad

    class Library:
        tanh = staticmethod(anp.tanh)
        sigmoid = staticmethod(lambda x: 0.5 * anp.tanh(0.5 * x) + 0.5)
        split = staticmethod(lambda z, parts: anp.split(z, parts, -1))
        linear = staticmethod(_linear)

    zeros = np.zeros((problem.B, problem.H), problem.dtype)

    def loss(x: Any, *weights: Any) -> Any:
        w = dict(zip(problem.weights, weights, strict=True))
        steps = [x[t] for t in range(problem.T)]
        return anp.sum(anp.stack(loop(Library, problem, steps, w, zeros)))

    arrays = [problem.x, *problem.weights.values()]
    gradient = grad(loss, tuple(range(len(arrays))))
    return Contestant(lambda: gradient(*arrays))


def mygrad(problem: Problem) -> Contestant:
    import mygrad as mg
    from mygrad.nnet.activations import sigmoid

    width = problem.H

    class Library:
        tanh = staticmethod(mg.tanh)
        split = staticmethod(
            lambda z, parts: [z[:, k * width : (k + 1) * width] for k in range(parts)]
        )
        linear = staticmethod(_linear)

    Library.sigmoid = staticmethod(sigmoid)  # type: ignore[attr-defined]
    leaves = [mg.tensor(a) for a in (problem.x, *problem.weights.values())]
    weights = dict(zip(problem.weights, leaves[1:], strict=True))
    zeros = np.zeros((problem.B, problem.H), problem.dtype)

    def train() -> list[Any]:
        steps = [leaves[0][t] for t in range(problem.T)]
        mg.stack(loop(Library, problem, steps, weights, zeros)).sum().backward()
        gradients = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.null_grad()
        return gradients

    return Contestant(train)


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    product = x @ weight.T
    return product if bias is None else product + bias


KERNELS: dict[str, type[Any]] = {
    "RNN": handwritten.RNN,
    "LSTM": handwritten.LSTM,
    "GRU": handwritten_gated.GRU,
    "peephole": handwritten_gated.Peephole,
}


def by_hand(problem: Problem) -> Contestant:
    """NumPy, forward and backward written by hand for this cell."""
    kernel = KERNELS[problem.cell](problem.T, problem.B, problem.I, problem.H, problem.dtype)
    ones = np.ones((problem.T, problem.B, problem.H), problem.dtype)

    def train() -> list[Any]:
        kernel.forward(problem.x, problem.weights)
        gradients = kernel.backward(ones)
        return [gradients[name] for name in ("x", *problem.weights)]

    return Contestant(train, lambda: kernel.forward(problem.x, problem.weights))


def gemms_alone(problem: Problem) -> Contestant:
    """Nothing but the matrix products that any implementation must do."""
    sizes = (problem.T, problem.B, problem.I, problem.H)
    products = handwritten.Products(*sizes, GATES[problem.cell], problem.dtype)
    return Contestant(products.train, products.infer)


CONTESTANTS: dict[str, tuple[str, Callable[[Problem], Contestant | None]]] = {
    "ours, NumPy": ("tinygrad_rnn", ours_scan),
    "ours, LLVM": ("llvmlite", ours_compiled),
    "ours, unrolled": ("tinygrad_rnn", ours_unrolled),
    "PyTorch nn.*": ("torch", torch_builtin),
    "PyTorch loop": ("torch", torch_loop),
    "JAX jit scan": ("jax", jax_scan),
    "HIPS autograd": ("autograd", hips_autograd),
    "MyGrad": ("mygrad", mygrad),
    "NumPy by hand": ("numpy", by_hand),
    "GEMMs alone": ("numpy", gemms_alone),
}
"""By the heading of their column: the package that each needs, and how to make it."""
