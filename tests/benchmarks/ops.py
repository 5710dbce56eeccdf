"""The engine's time for one node: chains of 1,000 elementwise ops, forward and backward.

    python tests/benchmarks/ops.py

On 2x2 float32 arrays the arithmetic is next to nothing, so what is measured is the cost of
recording an op and of walking back over it. Peers that are not installed are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import installed, interleaved, number, options_parser, print_table, start

import tinygrad_rnn as tg

NODES = 1000
Step = Callable[[Any, Any, Any, Any], Any]

# Each chain: the number of nodes in a step, and the step (library, x, w, b) -> x.
CHAINS: dict[str, tuple[int, Step]] = {
    "x * w, x + b": (2, lambda lib, x, w, b: x * w + b),
    "tanh(x) * w": (2, lambda lib, x, w, b: lib.tanh(x) * w),
    "sigmoid(x)": (1, lambda lib, x, w, b: lib.sigmoid(x)),
    "tanh(x * w + b) - sigmoid(x)": (
        5,
        lambda lib, x, w, b: lib.tanh(x * w + b) - lib.sigmoid(x),
    ),
}


def chain(lib: Any, name: str, x: Any, w: Any, b: Any) -> Any:
    """`NODES` ops, one after the other."""
    nodes, step = CHAINS[name]
    for _ in range(NODES // nodes):
        x = step(lib, x, w, b)
    return x


def arrays() -> list[Any]:
    """x, w and b; w near 1 and b near 0, so that no chain ends in slow denormal numbers."""
    draw = np.random.default_rng(0)
    ranges = [(0.5, 1), (0.995, 1.005), (-0.001, 0.001)]
    return [draw.uniform(*ends, (2, 2)).astype(np.float32) for ends in ranges]


def with_leaves(lib: Any, name: str, leaves: list[Any]) -> Callable[[], Any]:
    """For libraries whose tensors have `sum()`, `backward()` and `grad`."""

    def run() -> list[Any]:
        chain(lib, name, *leaves).sum().backward()
        gradients = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.grad = None
        return gradients

    return run


def wanted(weights: bool) -> tuple[int, ...]:
    """Which of x, w and b gradients are asked for."""
    return (0, 1, 2) if weights else (0,)


def ours(name: str, weights: bool) -> Callable[[], Any]:
    return with_leaves(tg, name, _flagged(tg.tensor, weights))


def pytorch(name: str, weights: bool) -> Callable[[], Any]:
    import torch

    return with_leaves(torch, name, _flagged(torch.tensor, weights))


def _flagged(tensor: Any, weights: bool) -> list[Any]:
    return [tensor(a, requires_grad=weights or i == 0) for i, a in enumerate(arrays())]


def mygrad(name: str, weights: bool) -> Callable[[], Any]:
    import mygrad as mg
    from mygrad.nnet.activations import sigmoid

    class Library:
        tanh = mg.tanh

    Library.sigmoid = sigmoid  # type: ignore[attr-defined]
    leaves = [mg.tensor(a, constant=not (weights or i == 0)) for i, a in enumerate(arrays())]

    def run() -> list[Any]:
        chain(Library, name, *leaves).sum().backward()
        gradients = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.null_grad()
        return gradients

    return run


def hips_autograd(name: str, weights: bool) -> Callable[[], Any]:
    import autograd.numpy as anp
    from autograd import grad

    class Library:
        tanh = staticmethod(anp.tanh)
        sigmoid = staticmethod(lambda x: 0.5 * anp.tanh(0.5 * x) + 0.5)  # it has none

    gradient = grad(lambda *xwb: anp.sum(chain(Library, name, *xwb)), wanted(weights))
    values = arrays()
    return lambda: gradient(*values)


def jax(name: str, weights: bool) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp

    class Library:
        tanh = staticmethod(jnp.tanh)
        sigmoid = staticmethod(jax.nn.sigmoid)

    gradient = jax.grad(lambda *xwb: jnp.sum(chain(Library, name, *xwb)), wanted(weights))
    values = [jnp.asarray(a) for a in arrays()]
    return lambda: jax.block_until_ready(gradient(*values))


def micrograd(name: str, weights: bool) -> Callable[[], Any] | None:
    """Scalars instead of arrays, and no tanh or sigmoid: only the chain of products and sums."""
    from micrograd.engine import Value

    if name != "x * w, x + b":
        return None
    sys.setrecursionlimit(20 * NODES)  # its backward pass is recursive

    def run() -> Any:
        x, w, b = (
            Value(float(a[0, 0])) if weights or i == 0 else float(a[0, 0])
            for i, a in enumerate(arrays())
        )
        y = x
        for _ in range(NODES // 2):
            y = y * w + b
        y.backward()
        return [[x.grad]]

    return run


def bare_numpy(name: str, weights: bool) -> Callable[[], Any]:
    """The forward pass alone, nothing recorded: what no engine on NumPy can go below."""

    class Library:
        tanh = np.tanh
        sigmoid = staticmethod(lambda x: 0.5 * np.tanh(0.5 * x) + 0.5)

    values = arrays()
    return lambda: chain(Library, name, *values)


PEERS: dict[str, tuple[str, Callable[[str, bool], Callable[[], Any] | None]]] = {
    "tinygrad_rnn": ("tinygrad_rnn", ours),
    "PyTorch eager": ("torch", pytorch),
    "micrograd (scalars)": ("micrograd", micrograd),
    "HIPS autograd": ("autograd", hips_autograd),
    "MyGrad": ("mygrad", mygrad),
    "JAX, not jitted": ("jax", jax),
    "NumPy, forward only": ("numpy", bare_numpy),
}


def check(runs: dict[str, Callable[[], Any]]) -> None:
    """The gradients of all peers agree (but for the scalars, and where there are none)."""
    gradients = {name: run() for name, run in runs.items()}
    expected = np.asarray(gradients["tinygrad_rnn"][0])
    for name, found in gradients.items():
        if name not in ("micrograd (scalars)", "NumPy, forward only"):
            np.testing.assert_allclose(np.asarray(found[0]), expected, 1e-3, 1e-30, err_msg=name)


def main() -> None:
    parser = options_parser(__doc__, repeat=25)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), help="columns to show")
    options = start(parser, "numpy", "torch", "autograd", "mygrad", "jax", "micrograd")
    print(f"Microseconds a node, forward and backward; chains of {NODES} nodes, 2x2 float32.\n")
    peers = {n: v for n, v in PEERS.items() if n in options.peers and installed(v[0])}
    rows = []
    for weights in (False, True):
        for name in [name for name in CHAINS if not weights or "w" in name]:
            made = {peer: make(name, weights) for peer, (_, make) in peers.items()}
            runs = {peer: run for peer, run in made.items() if run is not None}
            check(runs)
            times = interleaved(runs, options.repeat)
            times = {peer: seconds / NODES * 1e6 for peer, seconds in times.items()}
            ratio = times["tinygrad_rnn"] / times.get("PyTorch eager", float("nan"))
            cells = [number(times.get(peer)) for peer in peers]
            rows.append([name, "x, w, b" if weights else "x", *cells, f"{ratio:.2f}"])
    print_table(["chain", "gradients of", *peers, "ours / PyTorch"], rows, left=2)


if __name__ == "__main__":
    main()
