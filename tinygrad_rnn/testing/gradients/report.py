"""What a gradient check found, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...tables import html_table

__all__ = ["Disagreement", "GradientError", "GradientReport"]


@dataclass(frozen=True)
class Disagreement:
    """One element whose gradient is wrong.

    >>> print(Disagreement("input 0", (1,), found=4.0, true=2.0, allowed=1e-9))
    input 0[1]: gradient 4, true derivative 2, a factor of 2; allowed error 1e-09
    """

    input: str  # the tensor's name, or "input 0"
    index: tuple[int, ...]
    found: float  # by the gradient rules
    true: float  # by the complex step, or differences
    allowed: float  # the difference that rounding would explain

    def __str__(self) -> str:
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        ratio = f", a factor of {self.found / self.true:.9g}" if self.found and self.true else ""
        return (
            f"{self.input}{place}: gradient {self.found:.17g}, true derivative {self.true:.17g}"
            f"{ratio}; allowed error {self.allowed:.2g}"
        )


@dataclass(repr=False)
class GradientReport:
    """The result of `gradcheck`: how much was checked, how, and what was wrong.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.testing import gradcheck
    >>> report = gradcheck(tg.tanh, [[0.5, -1.0]])
    >>> print(report)
    gradient right: 2 elements checked by complex step, relative tolerance 1e-09
    """

    method: str
    tolerance: float
    checked: int = 0
    excluded: list[str] = field(default_factory=list)  # elements without a derivative, and why
    notes: list[str] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    first_wrong: str | None = None  # where on the way back, if it could be found
    largest_error: float = 0.0
    """The largest |found - true|, as a share of what was allowed: above 1 is wrong."""

    def compare(
        self,
        name: str,
        index: tuple[int, ...],
        found: float,
        true: float,
        size: float,
        rounding: float,
    ) -> None:
        """Compare `found` with `true`, within the tolerance relative to `size`, plus `rounding`."""
        allowed = self.tolerance * size + rounding
        error = abs(found - true)
        if not error <= allowed:  # also where the gradient is NaN
            self.disagreements.append(Disagreement(name, index, found, true, allowed))
        self.largest_error = max(self.largest_error, error / allowed)

    @property
    def ok(self) -> bool:
        """Whether no element disagrees."""
        return not self.disagreements

    def __str__(self) -> str:
        verdict = "right" if self.ok else f"WRONG at {len(self.disagreements)}"
        lines = [
            f"gradient {verdict}: {self.checked} elements checked by {self.method}, "
            f"relative tolerance {self.tolerance:.0e}"
        ]
        if self.first_wrong:
            lines.append(f"first wrong on the way back: {self.first_wrong}")
        lines += _some(self.disagreements)
        if self.excluded:
            lines.append(f"{len(self.excluded)} elements have no derivative here, not checked:")
            lines += _some(self.excluded)
        return "\n".join([*lines, *self.notes])

    def __repr__(self) -> str:
        wrong = len(self.disagreements)
        return f"<gradient {f'WRONG at {wrong}' if wrong else 'right'}, {self.checked} checked>"

    def _repr_html_(self) -> str:
        first, *rest = str(self).split("\n")
        wrong = [
            (d.input, str([*d.index]), *(f"{x:.9g}" for x in (d.found, d.true, d.allowed)))
            for d in self.disagreements[:10]
        ]
        if not wrong:
            return html_table([(first,), *((line,) for line in rest)])
        head = ("tensor", "element", "gradient", "true derivative", "allowed error")
        return html_table([head, *wrong], right=(2, 3, 4), title=first)


def _some(items: list[Disagreement] | list[str], most: int = 10) -> list[str]:
    left_over = len(items) - most
    more = [f"  ... and {left_over} more"] if left_over > 0 else []
    return [*(f"  {item}" for item in items[:most]), *more]


class GradientError(AssertionError):
    """Raised for a wrong gradient. `report` says where it is wrong, and by how much.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.testing import gradcheck
    >>> try:
    ...     gradcheck(lambda x: x * x.detach(), [[3.0]])
    ... except GradientError as error:
    ...     print(error.report.disagreements[0].index, error.report.first_wrong[:27])
    (0,) the graph is cut before mul
    """

    def __init__(self, report: GradientReport) -> None:
        super().__init__(str(report))
        self.report = report
