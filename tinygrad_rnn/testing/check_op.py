"""check_op: check all laws of an op, from this package or your own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.primitives.protocol import FUNCTIONS
from ..engine.tensor import Tensor, from_numpy
from ..engine.transforms import grad
from .gradients.gradcheck import gradient_report, second_order
from .gradients.program import Program, tensors_in
from .gradients.report import GradientError
from .gradients.rounding import magnitudes

if TYPE_CHECKING:
    import numpy.typing as npt

    from .strategies import Call

    Array = npt.NDArray[Any]

__all__ = ["OpReport", "check_op"]

_ROUNDINGS = 64
"""How far float32 may differ from float64, in units in the last place of the contributions."""


@dataclass
class OpReport:
    """What `check_op` checked: calls, and elements of first and second derivatives.

    >>> print(OpReport(calls=25, checked=310, excluded=4))
    25 calls, 310 derivatives right, 4 on kinks
    """

    calls: int = 0
    checked: int = 0
    excluded: int = 0  # on a kink: there is no derivative

    def __str__(self) -> str:
        return f"{self.calls} calls, {self.checked} derivatives right, {self.excluded} on kinks"


def check_op(
    function: Callable[..., Any],
    calls: Any,
    *,
    reference: Callable[..., Any] | None = None,
    order: int = 2,
    rtol: float = 1e-9,
    examples: int = 25,
) -> OpReport:
    """Check an op, or a function made of ops, on `examples` calls that hypothesis draws.

    `calls` is a strategy of `strategies.Call` (see `strategies.calls`), or of arrays, for a
    function of one array. `reference`: the same function on plain arrays; by default the NumPy
    function that the op implements. Checked in each call:

    * the value is the reference's, with its dtype and shape, and is the same on plain arrays;
    * neither inputs nor cotangent are written into;
    * no gradient shares memory with another, with an input or with the cotangent;
    * the gradient is linear in the cotangent, and 0 for 0;
    * a float32 call has float32 values and gradients, and they are the float64 ones up to 64
      units in the last place of the contributions;
    * the gradients up to `order` (0, 1 or 2), by `gradcheck` with `rtol`.

    Raises an AssertionError that names the broken law, with the smallest such call in its notes;
    also if no derivative could be checked in any call. Needs the `test` extra.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.testing import check_op, strategies
    >>> print(check_op(tg.tanh, strategies.arrays((2,)), examples=3))
    3 calls, 18 derivatives right, 0 on kinks
    """
    from .strategies import Call, Phase, given, settings

    compare_to = reference if reference is not None else _numpys_own(function)
    report = OpReport()

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
    )
    @given(calls)
    def laws(call: Any) -> None:
        case = _Case(function, call if isinstance(call, Call) else Call((call,), {}))
        report.calls += 1
        case.value_is_the_references(compare_to)
        if order and case.floats:
            case.nothing_is_written_into_or_shared()
            case.gradient_is_linear()
            case.float32_stays_float32()
            case.gradients_are_right(order, rtol, report)

    laws()
    if order and not report.checked:
        raise AssertionError(f"no derivative could be checked: {report}")
    return report


def _numpys_own(function: Callable[..., Any]) -> Callable[..., Any] | None:
    """The NumPy function that `function` implements."""
    for key, ours in FUNCTIONS.items():
        if ours is function and callable(key):
            return key
    return None


class _Case:
    """The function under test with one call's arguments."""

    def __init__(self, function: Callable[..., Any], call: Call) -> None:
        self.function = function
        self.call = call
        self.floats = call.floats()

    def result(self, floats: list[Any]) -> Any:
        """What the function returns with `floats` in place of the call's arrays."""
        call = self.call.with_floats(floats)
        return self.function(*call.args, **call.kwargs)

    def leaves(self, floats: list[Array]) -> list[Tensor]:
        """Tensors around the arrays themselves; the same Tensor for the same array."""
        made: dict[int, Tensor] = {}
        for array in floats:
            made.setdefault(id(array), from_numpy(array).requires_grad_())
        return [made[id(array)] for array in floats]

    def pullback(
        self, floats: list[Array]
    ) -> tuple[list[Tensor], list[Tensor], Callable[..., Any]]:
        """Leaves, differentiable outputs, and cotangents -> gradients."""
        leaves = self.leaves(floats)
        outs = [out for out in tensors_in(self.result(leaves)) if out.requires_grad]

        def gradients(cotangents: list[Array]) -> list[Array]:
            if not outs:
                return [np.zeros_like(leaf._data) for leaf in leaves]
            found = grad(outs, leaves, cotangents, allow_unused=True, retain_graph=True)
            return [
                np.zeros_like(leaf._data) if g is None else g._data
                for g, leaf in zip(found, leaves, strict=True)
            ]

        return leaves, outs, gradients

    def cotangents(self, outs: list[Tensor], seed: int) -> list[Array]:
        rng = np.random.default_rng(seed)
        return [rng.uniform(-1.0, 1.0, out.shape).astype(out.dtype) for out in outs]

    # The laws

    def value_is_the_references(self, reference: Callable[..., Any] | None) -> None:
        tensors = [from_numpy(a) for a in self.floats]
        ours = _flat(self.result(tensors))
        plain = _flat(self.result(self.floats))
        theirs = plain
        if reference is not None:
            theirs = _flat(reference(*self.call.args, **self.call.kwargs))
        _require(len(ours) == len(theirs), f"{len(ours)} outputs, the reference has {len(theirs)}")
        for mine, same, other in zip(ours, plain, theirs, strict=True):
            _require(isinstance(mine, Tensor), f"a Tensor became a {type(mine).__name__}")
            _require(not isinstance(same, Tensor), "plain arrays became a Tensor")
            value, expected = mine._data, np.asarray(other)
            _require(
                value.dtype == expected.dtype and value.shape == expected.shape,
                f"value is {value.dtype}{list(value.shape)}, "
                f"the reference {expected.dtype}{list(expected.shape)}",
            )
            _require(np.array_equal(value, same, equal_nan=True), "differs on plain arrays")
            _require_close(value, expected, 1e-13, 64 * np.finfo(np.float64).eps, "value")

    def gradients_are_right(self, order: int, rtol: float, report: OpReport) -> None:
        def of_floats(*xs: Any) -> Any:
            return self.result(list(xs))

        program = Program(of_floats, self.floats)
        for which, checked in enumerate((program, second_order(program))[:order]):
            found = gradient_report(checked, rtol)
            report.checked += found.checked
            report.excluded += len(found.excluded)
            if not found.ok:
                error = GradientError(found)
                error.add_note(("first", "second")[which] + " gradient")
                raise error

    def gradient_is_linear(self) -> None:
        _, outs, gradients = self.pullback(self.floats)
        u, w = self.cotangents(outs, 1), self.cotangents(outs, 2)
        both = gradients([2.0 * a - 3.0 * b for a, b in zip(u, w, strict=True)])
        for sum_, of_u, of_w in zip(both, gradients(u), gradients(w), strict=True):
            _require_close(sum_, 2.0 * of_u - 3.0 * of_w, 1e-9, 1e-11, "gradient not linear: it")
        for zero in gradients([0 * a for a in u]):
            _require(not np.any(zero[np.isfinite(zero)]), "the gradient of cotangent 0 is not 0")

    def nothing_is_written_into_or_shared(self) -> None:
        before = [a.copy() for a in self.floats]
        leaves, outs, gradients = self.pullback(self.floats)
        cotangents = self.cotangents(outs, 3)
        given = [c.copy() for c in cotangents]
        found = gradients(cotangents)
        for array, copy in zip(self.floats, before, strict=True):
            _require(np.array_equal(array, copy, equal_nan=True), "an input was written into")
        for cotangent, copy in zip(cotangents, given, strict=True):
            _require(np.array_equal(cotangent, copy), "the cotangent was written into")
        different = {id(leaf): g for leaf, g in zip(leaves, found, strict=True)}
        for g in different.values():
            for other in (*self.floats, *cotangents):
                _require(
                    not np.shares_memory(g, other),
                    "a gradient shares an input's or a cotangent's memory",
                )
        for one, other in itertools.combinations(different.values(), 2):
            _require(not np.shares_memory(one, other), "two gradients share memory")

    def float32_stays_float32(self) -> None:
        single = [a.astype(np.float32) for a in self.floats]
        _, outs, gradients = self.pullback(single)
        double = [a.astype(np.float64) for a in single]
        _, wide_outs, wide_gradients = self.pullback(double)
        weights = self.cotangents(outs, 4)
        pairs = [
            ("value", [o._data for o in outs], [o._data for o in wide_outs]),
            ("gradient", gradients(weights), wide_gradients([w.astype(float) for w in weights])),
        ]

        def values(point: Any, watch: Any) -> list[Array]:
            return [out._data for out in program.run(point, watch) if out.requires_grad]

        program = Program(lambda *xs: self.result(list(xs)), double)
        program.weights = [w.astype(float) for w in self._spread(program, weights)]
        sizes = [magnitudes(values, program.point), magnitudes(program.gradient, program.point)]
        for (what, narrow, wide), contributions in zip(pairs, sizes, strict=True):
            for a, b, size in zip(narrow, wide, contributions, strict=True):
                _require(a.dtype == np.float32, f"the {what} of a float32 call is {a.dtype}")
                bound = _ROUNDINGS * np.finfo(np.float32).eps * (np.abs(b) + size)
                _require(
                    bool(np.all((np.abs(a - b) <= bound) | (a == b) | ~np.isfinite(b))),
                    f"the float32 {what} is not the float64 one rounded: {a} and {b}",
                )

    def _spread(self, program: Program, weights: list[Array]) -> list[Array]:
        """The weights of the differentiable outputs, with zeros for the others."""
        rest = iter(weights)
        return [
            next(rest) if out.requires_grad else np.zeros(out.shape)
            for out in program.run(program.point)
        ]


def _flat(result: Any) -> list[Any]:
    """The arrays or Tensors of a result: itself, or those of a tuple or list."""
    return list(result) if isinstance(result, tuple | list) else [result]


def _require(holds: bool, law: str) -> None:
    if not holds:
        raise AssertionError(law)


def _require_close(a: Array, b: Array, rtol: float, atol: float, what: str) -> None:
    """Equal up to `rtol` of each element and `atol` of the largest; the same NaN and Inf."""
    if a.dtype.kind != "f":
        return _require(np.array_equal(a, b), f"{what} is {a}, not {b}")
    finite = np.isfinite(a) & np.isfinite(b)
    scale = np.max(np.abs(b[finite]), initial=0)
    close = np.abs(a[finite] - b[finite]) <= rtol * np.abs(b[finite]) + atol * scale
    same = np.array_equal(a[~finite], b[~finite], equal_nan=True)
    return _require(bool(np.all(close)) and same, f"{what} is {a}, not {b}")
