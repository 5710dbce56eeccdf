"""Expressions: an elementwise instruction as text, by running its NumPy expression on names.

The value of an op runs on stand-ins that implement NumPy's protocols and record each operation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ....ir.instruction import promotion_kind
from ..machine_code.mathematics import FUNCTIONS, OF_ANY_DTYPE

__all__ = ["CannotCompile", "Expression", "ExpressionWriter", "type_name"]


class CannotCompile(Exception):
    """The loop contains something without a compiled form: the instruction `value`, if known."""

    def __init__(self, reason: str, value: Any = None) -> None:
        super().__init__(reason)
        self.value = value


_OPERATORS = {
    np.add: "{} + {}",
    np.subtract: "{} - {}",
    np.multiply: "{} * {}",
    np.divide: "{} / {}",
    np.negative: "-{}",
    np.positive: "{}",
    np.square: "{0} * {0}",
    np.absolute: "abs({})",
    np.greater: "{} > {}",
    np.greater_equal: "{} >= {}",
    np.less: "{} < {}",
    np.less_equal: "{} <= {}",
    np.equal: "{} == {}",
    np.not_equal: "{} != {}",
    np.logical_and: "({} != 0) & ({} != 0)",
    np.logical_or: "({} != 0) | ({} != 0)",
    np.logical_not: "{} == 0",
}


def type_name(dtype: Any) -> str:
    """The name of a dtype in a loop; bools are bytes in memory.

    `CannotCompile` for other dtypes.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "fiub" or dtype.itemsize > 8 or dtype == np.float16:
        raise CannotCompile(f"elements of {dtype}")
    return "uint8" if dtype.kind == "b" else dtype.name


class ExpressionWriter:
    """Lines of code, one for each operation, and the constants they mention."""

    def __init__(self, name: Callable[[], str]) -> None:
        self.lines: list[str] = []
        self._name = name

    def add(self, text: str, dtype: Any) -> Expression:
        """A line that computes `text`, and the expression for its result."""
        name, dtype = self._name(), np.dtype(dtype)
        self.lines.append(f"{name} = {text}")
        return Expression(self, name, dtype)

    def text(self, x: Any, dtype: Any) -> str:
        """An expression, or a number, as an element of that dtype."""
        if isinstance(x, Expression):
            if x.dtype == dtype:
                return x.text
            return f"({x.text} != 0)" if dtype == np.bool_ else f"{type_name(dtype)}({x.text})"
        if np.ndim(x) != 0:
            raise CannotCompile("an array inside an elementwise op")
        number = repr(np.asarray(x).astype(dtype).item())
        if dtype == np.bool_:
            return f"flag({number})"
        number = re.sub("inf|nan", r"np.\g<0>", number)
        return f"{type_name(dtype)}({number})"


class Expression(np.lib.mixins.NDArrayOperatorsMixin):
    """One element of an array inside a loop, by the name of the variable that holds it."""

    shape: tuple[int, ...] = ()
    ndim = 0

    def __init__(self, writer: ExpressionWriter, text: str, dtype: np.dtype[Any]) -> None:
        self._terms, self.text, self.dtype = writer, text, dtype

    def astype(self, dtype: Any) -> Expression:
        """The same number in another dtype."""
        return self._terms.add(self._terms.text(self, np.dtype(dtype)), np.dtype(dtype))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if method != "__call__" or keywords or ufunc.nout != 1:
            return NotImplemented
        *dtypes, result = ufunc.resolve_dtypes((*(promotion_kind(x) for x in inputs), None))
        texts = [self._terms.text(x, d) for x, d in zip(inputs, dtypes, strict=True)]
        form = _OPERATORS.get(ufunc)
        if form is None:
            if ufunc.__name__ not in (FUNCTIONS if dtypes[0].kind == "f" else OF_ANY_DTYPE):
                return NotImplemented
            form = f"{ufunc.__name__}({', '.join(['{}'] * len(texts))})"
        return self._terms.add(form.format(*texts), result)

    def __array_function__(
        self, function: Any, types: Any, inputs: Any, keywords: dict[str, Any]
    ) -> Any:
        if function is not np.where or keywords or len(inputs) != 3:
            return NotImplemented
        condition, x, y = inputs
        dtype = np.result_type(*(v.dtype if isinstance(v, Expression) else v for v in (x, y)))
        chosen, one, other = (
            self._terms.text(v, d) for v, d in ((condition, np.dtype(bool)), (x, dtype), (y, dtype))
        )
        return self._terms.add(f"where({chosen}, {one}, {other})", dtype)
