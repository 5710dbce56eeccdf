"""gradcheck: is the gradient of a function right, element by element, relative to itself?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...engine.tensor import Tensor
from ...engine.transforms import grad
from .differentiation import RESOLUTION, ComplexStep, difference_quotient
from .locate import first_wrong
from .program import Program, direction_for, one_at, tensors_in
from .report import Disagreement, GradientError, GradientReport
from .rounding import magnitudes

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

__all__ = [
    "EPS",
    "ROUNDINGS",
    "Truth",
    "compare_in_real_numbers",
    "dot",
    "gradcheck",
    "gradgradcheck",
    "gradient_report",
    "rounding_error",
    "second_order",
]

ROUNDINGS = 64
"""The error allowed in a correct gradient, in units in the last place of the contributions."""

_REAL_RTOL = 1e-6
"""The error allowed in float64 differences; a missing part of a gradient is far larger."""

EPS = float(np.finfo(np.float64).eps)


def gradcheck(
    fn: Callable[..., Any],
    inputs: Sequence[Any],
    parameters: Iterable[Tensor] = (),
    *,
    rtol: float = 1e-9,
    one_evaluation: bool = False,
) -> GradientReport:
    """Check the gradient of `fn(*inputs)` for floating `inputs` and `parameters`, in float64.

    `fn` takes Tensors and returns a Tensor, or a nest of them (tuples, lists, dicts), of any shape;
    the outputs are summed with fixed random weights. `parameters` are Tensors that `fn` reads on
    its own, such as those of a module; their values are restored afterwards.

    The true derivative comes from the complex step, which uses no gradient rule. An element is
    wrong if |gradient - truth| > `rtol` * |truth| + the measured rounding: 64 units in the last
    place of the contributions that the element is summed from (see `rounding`). There is no
    absolute tolerance: a gradient of 1e-13 is checked relative to its own size. Where an op is not
    analytic (`abs`), a difference quotient of that op in extended precision is used; elements on a
    kink have no derivative and are listed as excluded. Finally, `fn` as a whole is differentiated
    once more, along one direction and by finite differences in real numbers. This finds values that
    leave the graph through a function that is not analytic, such as `np.abs(x.data).max()`.

    `one_evaluation`: a single run instead of one run per element, for large inputs. It compares <u,
    J v> with <J^T u, v>, where u are the weights and v is a random direction that weights every
    element equally. So it finds that something is wrong, and where in the graph, but not which
    element.

    Raises `GradientError`, an AssertionError whose `report` names each wrong element with both
    numbers, and the op, module path, time step and line where the gradient first goes wrong in the
    backward pass. ValueError if `fn` is not finite at this point, differs from call to call, or has
    only elements on kinks.

    >>> import tinygrad_rnn as tg
    >>> gradcheck(lambda x, w: tg.tanh(x @ w), [[0.1, 0.2], [[1.0, 2.0], [3.0, 4.0]]]).checked
    6
    """
    program = Program(fn, [_numeric(x) for x in inputs], parameters)
    return _verdict(program, rtol, one_evaluation, in_real_numbers=True)


def gradgradcheck(
    fn: Callable[..., Any],
    inputs: Sequence[Any],
    parameters: Iterable[Tensor] = (),
    *,
    rtol: float = 1e-9,
    one_evaluation: bool = False,
) -> GradientReport:
    """Check second derivatives: `gradcheck`, applied to the gradient of `fn`.

    The gradient is differentiated with respect to the inputs, the parameters, and the weights of
    the outputs (named `cotangent` in the report). First derivatives are assumed to be right: check
    them first.

    >>> import tinygrad_rnn as tg
    >>> gradgradcheck(lambda x: x * x * x, [2.0]).checked
    2
    """
    return _verdict(
        second_order(Program(fn, [_numeric(x) for x in inputs], parameters)), rtol, one_evaluation
    )


def second_order(plain: Program) -> Program:
    """The gradient of `plain` as a program: of its leaves, and of the weights of its outputs."""
    cotangents = [Tensor.of(w).named(f"cotangent {i}") for i, w in enumerate(plain.weights)]
    count = len(plain.inputs)

    def gradient(*arguments: Any) -> tuple[Tensor, ...]:
        arguments, weights = arguments[:count], arguments[count:]
        wanted = [x for x in arguments if isinstance(x, Tensor) and x.requires_grad]
        wanted += plain.parameters
        pairs = zip(tensors_in(plain.fn(*arguments)), weights, strict=True)
        recorded = [(out, w) for out, w in pairs if out.requires_grad]
        if not recorded:
            return tuple(x * 0 for x in wanted)
        outs, used = zip(*recorded, strict=True)
        found = grad(outs, wanted, list(used), create_graph=True, allow_unused=True)
        return tuple(x * 0 if g is None else g for g, x in zip(found, wanted, strict=True))

    return Program(gradient, [*plain.inputs, *cotangents], plain.parameters)


def _verdict(
    program: Program, rtol: float, one_evaluation: bool, in_real_numbers: bool = False
) -> GradientReport:
    report = gradient_report(program, rtol, one_evaluation)
    if in_real_numbers:
        compare_in_real_numbers(program, program.gradient(program.point), report)
    if report.excluded and not report.checked:
        raise ValueError(f"no element has a derivative at this point:\n{report}")
    if not report.ok:
        report.first_wrong = first_wrong(program)
        raise GradientError(report)
    return report


def gradient_report(program: Program, rtol: float, one_evaluation: bool = False) -> GradientReport:
    """Compare the gradient of `program` with the true one; returns the report without raising."""
    found = program.gradient(program.point)
    sizes = magnitudes(program.gradient, program.point, found)
    truth = Truth(program)
    compare = _one_evaluation if one_evaluation else _element_by_element
    report = GradientReport("complex step", rtol)
    compare(program, truth, found, sizes, report)
    truth.explain(report)
    return report


def compare_in_real_numbers(program: Program, found: list[Array], report: GradientReport) -> None:
    """Compare the whole gradient, along one direction, with differences in plain float64.

    The complex step sees what an op does, but not what plain NumPy does to an array taken out of
    the graph: `np.abs(x.data)`, `float(x.sum())`. If that is not analytic, its derivative is
    missing from the complex step just as it is from the gradient. Reports nothing where the
    gradient is known to be wrong, or at a kink.
    """
    if report.excluded or not report.ok:
        return
    rng = np.random.default_rng(1)
    scales = [
        np.where(x == 0, np.sum(np.abs(x)) / x.size or 1.0, np.abs(x)) if x.size else x
        for x in program.point
    ]
    signs = [rng.choice([-1.0, 1.0], s.shape) * rng.uniform(0.5, 1, s.shape) for s in scales]
    direction = [sign * scale for sign, scale in zip(signs, scales, strict=True)]
    total, size = dot(found, direction), dot(map(np.abs, found), map(np.abs, direction))
    rounding = dot(map(np.abs, program.outputs), program.weights) * EPS * ROUNDINGS * 2**12
    allowed = _REAL_RTOL * size + rounding
    fine = _central_difference(program, direction, 2.0**-12)
    if abs(total - fine) <= allowed:
        return
    coarse = _central_difference(program, direction, 2.0**-11)
    slope = (4 * fine - coarse) / 3  # Richardson's extrapolation
    allowed += 4 * abs(coarse - fine)
    if np.isfinite(slope) and abs(total - slope) > allowed:
        wrong = Disagreement("all inputs, along one direction", (), total, slope, allowed)
        report.disagreements.append(wrong)
        report.notes.append(
            "In real numbers the derivative differs: fn computes with values taken out of the "
            "graph (t.data, t.numpy(), t.item(), float(t), np.asarray(t)). Use ops on the Tensor, "
            "or detach() it outside fn if no gradient is intended."
        )


def _central_difference(program: Program, direction: list[Array], step: float) -> float:
    def value(by: float) -> float:
        outs = program.run([x + by * v for x, v in zip(program.point, direction, strict=True)])
        return dot((out._data for out in outs), program.weights)

    return (value(step) - value(-step)) / (2 * step)


class Truth:
    """Derivatives along directions: by the complex step, or differences if `fn` refuses it."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._watch = ComplexStep()
        self._refusal: TypeError | None = None

    def along(self, direction: Sequence[Array]) -> tuple[float, float]:
        """The derivative, NaN on a kink, and a bound on its error."""
        if self._refusal is None:
            try:
                return self._program.slope(direction, self._watch), 0.0
            except TypeError as refusal:
                self._refusal = refusal
        paces = [
            np.max(np.abs(v) / np.where(x == 0, 1, np.abs(x)), initial=0)
            for x, v in zip(self._program.point, direction, strict=True)
        ]
        step = np.longdouble(2.0**-17) / max(*paces, np.finfo(float).tiny)
        quotient = difference_quotient(self._program.value_along(direction), step)
        slope = np.nan if quotient.kink else float(quotient.slope)
        return slope, float(quotient.error)

    def verify_once(self) -> None:
        """If every op is analytic at this point, skip verification in later runs."""
        self.along(direction_for([np.ones(x.shape) for x in self._program.point]))
        self._watch.verify = bool(self._watch.differences)

    def explain(self, report: GradientReport) -> None:
        """Say in the report where the truth is not from the complex step, and why."""
        if self._refusal is not None:
            report.method = "central differences in extended precision"
            report.notes.append(f"no complex step: {self._refusal}")
        if self._watch.differences:
            report.method += ", central differences inside " + ", ".join(
                sorted(self._watch.differences)
            )
        for name, scope in dict.fromkeys((n, str(s or "")) for n, s in self._watch.kinks):
            report.notes.append(f"kink: {name}{f' [{scope}]' if scope else ''}")


def _element_by_element(
    program: Program,
    truth: Truth,
    found: list[Array],
    sizes: list[Array],
    report: GradientReport,
) -> None:
    truth.verify_once()
    for leaf, (name, gradient, size) in enumerate(zip(program.names, found, sizes, strict=True)):
        for index in np.ndindex(gradient.shape):
            true, error = truth.along(one_at(program.point, leaf, index))
            if not np.isfinite(true):
                report.excluded.append(f"{name}[{', '.join(map(str, index))}]")
                continue
            rounding = rounding_error(float(size[index]), error)
            report.compare(name, index, float(gradient[index]), true, abs(true), rounding)
            report.checked += 1


def _one_evaluation(
    program: Program,
    truth: Truth,
    found: list[Array],
    sizes: list[Array],
    report: GradientReport,
) -> None:
    direction = direction_for(found)
    true, error = truth.along(direction)
    if not np.isfinite(true):
        report.excluded.append("the direction meets a kink: check element by element")
        return
    total, total_size = dot(found, direction), dot(map(np.abs, found), map(np.abs, direction))
    rounding = rounding_error(dot(sizes, map(np.abs, direction)), error)
    report.compare("all inputs, along one direction", (), total, true, total_size, rounding)
    report.checked += sum(g.size for g in found)
    report.method += ", one evaluation"


def rounding_error(contributions: float, error: float) -> float:
    """The error allowed for rounding, given a true value known only up to `error`."""
    return ROUNDINGS * EPS * contributions + RESOLUTION + error


def dot(xs: Iterable[Array], ys: Iterable[Array]) -> float:
    """The inner product: the slope along `ys` where `xs` is the gradient."""
    return float(sum(np.sum(x * y) for x, y in zip(xs, ys, strict=True)))


def _numeric(x: Any) -> Any:
    """Nested lists of floats become arrays, so that `[[1.0, 2.0]]` is an input."""
    if isinstance(x, list):
        array = np.asarray(x)
        return array if array.dtype.kind == "f" else x
    return x
