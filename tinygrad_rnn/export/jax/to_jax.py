"""To JAX: a pure function of a pytree of parameters, with a `lax.scan` for each scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from ... import pytree
from ...engine.tensor import Tensor
from ..errors import ExportError, at
from ..extras import imported
from ..program import Program, program_of, random_ops, tensors_of
from ..program.axes import sizes_of
from ..program.interpreter import Target, interpreted
from .ops import ops

__all__ = ["to_jax"]

Value = Any


def to_jax(
    model: Callable[..., Any],
    *,
    axes: str | Sequence[str] | None = None,
    training: bool = False,
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """`(apply, parameters)`: `apply(parameters, *args)` computes `model(*args)` in JAX.

    `model`: a Module, a Cell, or a function of Tensors. `parameters`: a dict of arrays by the names
    of `state_dict()`, including buffers. `apply` is pure: `jax.jit`, `jax.grad`, `jax.vmap` and
    `shard_map` accept it. A scan in the model becomes one `jax.lax.scan`. States and `lengths` are
    arguments, as for the model. `model.load_state_dict(...)` loads trained parameters back.

    The model is recorded at the first call of `apply` with arguments of a given structure. It is
    not recorded again for that structure, even if the sizes of named axes change. `axes`: the names
    of the axes of each input, one word per axis, `_` for an axis of fixed size, as in "time batch
    _"; by default, the axes that layers and cells use.

    `training`: export the model as it is in `train()`, with its dropout, instead of `eval()`. JAX
    derives random numbers from a key, so a model that draws some (`rand_like`, `randn_like`) needs
    one: `apply(parameters, x, rng_key=jax.random.key(0))`. Each op, and each step of a scan, draws
    its own numbers. The same key gives the same numbers, which differ from NumPy's.

    With `jax_enable_x64` float64 stays float64. ExportError if the model cannot be exported, or if
    it draws random numbers and gets no key.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> layer = tg.nn.LSTM(3, 4)
    >>> apply, parameters = tg.export.to_jax(layer)  # doctest: +SKIP
    >>> outputs, (h, c) = apply(parameters, np.ones((5, 2, 3), "float32"))  # doctest: +SKIP
    """
    jnp = imported("jax.numpy", "peers", "JAX")
    table = ops()
    known = {*table, "rand_like", "randn_like"}
    programs: dict[Any, Program] = {}

    def apply(parameters: Mapping[str, Any], *args: Any, rng_key: Any = None, **kwargs: Any) -> Any:
        """The model on these arguments, with these parameters."""
        tree = (args, kwargs)
        inputs = [jnp.asarray(_array(x)) for x in pytree.leaves(tree)]
        kinds = [(len(x.shape), str(x.dtype)) for x in inputs]
        key = str((pytree.structure(tree), kinds))
        if key not in programs:
            args, kwargs = pytree.unflatten(pytree.structure(tree), inputs)
            programs[key] = program_of(
                model, args, kwargs, known=known, target="JAX", axes=axes, training=training
            )
        return _applied(programs[key], parameters, inputs, table, rng_key)

    return apply, {name: jnp.asarray(t._data) for name, t in tensors_of(model).items()}


def _array(x: Any) -> Any:
    return x._data if isinstance(x, Tensor) else x


def _applied(
    program: Program, parameters: Mapping[str, Any], inputs: Sequence[Any], table: Any, key: Any
) -> Any:
    random = next(random_ops(program.step), None)
    if random is not None and key is None:
        raise ExportError(
            f"the model draws random numbers ({random.op_name}{at(random.origin)}), which JAX "
            "derives from a key: pass one, as in apply(parameters, x, rng_key=jax.random.key(0))"
        )
    target = _Jax(table, key)
    sizes = sizes_of([x.shape for x in inputs], program.axes, program.shapes)
    leaves = [
        parameters[leaf] if isinstance(leaf, str) else target.constant(leaf, None)
        for leaf in program.leaves
    ]
    step = program.step
    given = dict(zip((*step.xs, *step.leaves), (*inputs, *leaves), strict=True))
    results = interpreted(target, step.instructions, step.ys, given, sizes)
    return pytree.unflatten(program.outputs, results)


class _Keys:
    """Keys of the random ops of a program, or of a step: each folds its number into the key."""

    def __init__(self, key: Value) -> None:
        self._key, self._numbers = key, count()

    def next(self) -> Value:
        """The key of the next random op, or of the next scan."""
        import jax

        return jax.random.fold_in(self._key, next(self._numbers))


class _Jax(Target):
    name = "JAX"

    def __init__(self, table: Any, key: Any) -> None:
        import jax

        random = {"rand_like": jax.random.uniform, "randn_like": jax.random.normal}
        drawing = {name: partial(self._drawn, draw) for name, draw in random.items()}
        self.ops, self._jax, self._jnp = {**table, **drawing}, jax, jax.numpy
        self._keys = None if key is None else _Keys(key)

    def _drawn(self, draw: Callable[..., Value], x: Value, generator: Any = None) -> Value:
        assert self._keys is not None
        dtype = x.dtype if self._jnp.issubdtype(x.dtype, self._jnp.floating) else float
        return draw(self._keys.next(), x.shape, dtype)

    def ufunc(self, name: str) -> Callable[..., Value] | None:
        found: Callable[..., Value] | None = getattr(self._jnp, name, None)
        return found

    def _dtype(self, dtype: Any) -> Any:
        from jax.dtypes import canonicalize_dtype

        return canonicalize_dtype(dtype)

    def constant(self, x: Any, dtype: Any) -> Value:
        return self._jnp.asarray(x, self._dtype(np.asarray(x).dtype if dtype is None else dtype))

    def cast(self, x: Value, dtype: Any) -> Value:
        dtype = self._dtype(dtype)
        return x if x.dtype == dtype else x.astype(dtype)

    def loop(self, made: Any, given: Any, run: Callable[..., Any], length: int) -> Sequence[Value]:
        jnp, xs, carry = self._jnp, given.xs, given.carry
        lengths = given.lengths
        if lengths is not None:
            xs = [self._filled(x, lengths) for x in xs]

        def detached(leaf: Value, t: Value) -> Value:
            stops = made.detaches(t, length)
            if lengths is not None:
                stops = _beside(stops & (lengths > t + made.reverse), leaf)
            return jnp.where(stops, self._jax.lax.stop_gradient(leaf), leaf)

        outer = self._keys
        own = None if outer is None else outer.next()

        def step(carry: Any, at: Any) -> Any:
            t, x = at
            if made.truncate is not None:
                carry = [detached(leaf, t) for leaf in carry]
            self._keys = None if own is None else _Keys(self._jax.random.fold_in(own, t))
            new, ys = run(x, carry, given.leaves)
            if lengths is not None:
                new = [jnp.where(_beside(t < lengths, n), n, old) for n, old in zip(new, carry)]
                ys = [jnp.where(_beside(t < lengths, y), y, jnp.zeros_like(y)) for y in ys]
            return new, ys

        over = (jnp.arange(length), list(xs))
        final, ys = self._jax.lax.scan(step, list(carry), over, reverse=made.reverse)
        self._keys = outer
        return [*ys, *final]

    def _filled(self, x: Value, lengths: Value) -> Value:
        """x with the first input of each sequence in its padding, which no gradient reaches."""
        jnp = self._jnp
        valid = jnp.arange(x.shape[0])[:, None] < lengths
        valid = valid.reshape(valid.shape + (1,) * (x.ndim - 2))
        source = jnp.where(lengths > 0, jnp.arange(x.shape[1]), jnp.argmax(lengths))
        return jnp.where(valid, x, self._jax.lax.stop_gradient(x[0][source]))


def _beside(mask: Value, x: Value) -> Value:
    return mask.reshape(mask.shape + (1,) * (x.ndim - 1))
