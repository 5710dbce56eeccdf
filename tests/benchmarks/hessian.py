"""Hessian-vector products of a recurrent layer, against JAX: forward over reverse, compiled.

    python tests/benchmarks/hessian.py
    python tests/benchmarks/hessian.py --cell GRU --sizes 50,1,16,32 100,32,64,128

The loss is the sum of the squared outputs; its Hessian, with respect to all parameters, times a
vector that is one everywhere. Beside it a training step, so that the ratio of the two is seen, and
a Jacobian-vector product. float32. JAX's `hvp` is `jvp(grad(loss))`, within one `jit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from recurrent_peers import GATES, Problem, jax_outputs
from timing import installed, interleaved, number, options_parser, print_table, start

import tinygrad_rnn as tg


def ours(problem: Problem, executor: str) -> dict[str, Callable[[], Any]]:
    """A training step, a Hessian-vector and a Jacobian-vector product."""
    kind = {"RNN": tg.nn.RNN, "LSTM": tg.nn.LSTM, "GRU": tg.nn.GRU}[problem.cell]
    layer = kind(problem.I, problem.H, executor=executor)
    parameters = [getattr(layer, f"{name}_l0") for name in problem.weights]
    for parameter, weight in zip(parameters, problem.weights.values(), strict=True):
        parameter.data[...] = weight
    x = tg.tensor(problem.x)
    ones = [np.ones(p.shape, p.dtype) for p in parameters]

    def loss(*_: Any) -> tg.Tensor:
        outputs, _ = layer(x)
        return (outputs * outputs).sum()

    def outputs(*_: Any) -> tg.Tensor:
        return layer(x)[0]

    def jvp() -> Any:
        with tg.no_grad():
            return tg.jvp(outputs, tuple(parameters), tuple(ones))[1].data

    return {
        "step": lambda: [g.data for g in tg.grad(loss(), parameters)],
        "hvp": lambda: [g.data for g in tg.hvp(loss, tuple(parameters), tuple(ones))[1]],
        "jvp": jvp,
    }


def jaxs(problem: Problem) -> dict[str, Callable[[], Any]]:
    """The same in JAX."""
    import jax
    import jax.numpy as jnp

    x, run = jnp.asarray(problem.x), jax_outputs(problem)

    def outputs(weights: Any) -> Any:
        return run(x, *weights)

    def loss(weights: Any) -> Any:
        return jnp.sum(outputs(weights) ** 2)

    weights = [jnp.asarray(w) for w in problem.weights.values()]
    ones = [jnp.ones_like(w) for w in weights]
    grad = jax.jit(jax.grad(loss))
    hvp = jax.jit(lambda w, v: jax.jvp(jax.grad(loss), (w,), (v,))[1])
    jvp = jax.jit(lambda w, v: jax.jvp(outputs, (w,), (v,))[1])
    return {
        "step": lambda: [g.block_until_ready() for g in grad(weights)],
        "hvp": lambda: [g.block_until_ready() for g in hvp(weights, ones)],
        "jvp": lambda: jvp(weights, ones).block_until_ready(),
    }


def main() -> None:
    """One table for each size."""
    parser = options_parser(__doc__ or "", repeat=9)
    parser.add_argument("--cell", choices=[c for c in GATES if c != "peephole"], default="LSTM")
    parser.add_argument("--sizes", nargs="*", default=["50,1,16,32", "100,32,64,128"])
    options = start(parser, "numpy", "llvmlite", "jax")
    for size in options.sizes:
        problem = Problem(options.cell, *map(int, size.split(",")))
        contestants = {"numpy": ours(problem, "numpy")}
        if installed("llvmlite"):
            contestants["llvm"] = ours(problem, "llvm")
        if installed("jax"):
            contestants["JAX"] = jaxs(problem)
        print(f"\n{options.cell}, (T, B, I, H) = ({size}), ms\n")
        rows = []
        for what in ("step", "hvp", "jvp"):
            found = {
                name: np.concatenate([np.ravel(a) for a in _each(runs[what]())])
                for name, runs in contestants.items()
            }
            for name, values in found.items():
                error = np.abs(values - found["numpy"]).max() / np.abs(values).max()
                assert error < 1e-3, f"{what} of {name} differs by {error:.1e}"
            times = interleaved({n: runs[what] for n, runs in contestants.items()}, options.repeat)
            rows.append([what, *(number(1e3 * seconds) for seconds in times.values())])
        print_table(["", *contestants], rows)


def _each(result: Any) -> list[Any]:
    return list(result) if isinstance(result, list) else [result]


if __name__ == "__main__":
    main()
