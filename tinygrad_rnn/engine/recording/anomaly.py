"""Finding the first NaN or Inf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from ...errors import AnomalyError
from ..primitives.primitive import Primitive
from .mode import ModeChange, current_mode
from .node import Node
from .scope import Scope, callers_line

__all__ = ["detect_anomaly"]


class detect_anomaly(ModeChange):
    """Context manager and decorator: the first NaN or Inf, forward or backward, is an error.

    `AnomalyError` names the op, the module path, the time step and the line of the user's code
    that called the op. For a backward pass, run the forward pass inside as well, so that the
    lines are known. Every op is checked, which is slow: for debugging.

    >>> import numpy as np, tinygrad_rnn as tg
    >>> x = tg.tensor([1.0, 0.0], requires_grad=True)
    >>> with tg.detect_anomaly(), np.errstate(divide="ignore"):
    ...     try:
    ...         tg.log(x)
    ...     except tg.AnomalyError as error:
    ...         print(str(error).split(" [")[0])
    the result of log has the first Inf or NaN: -inf at (1,) of shape (2,)
    """

    def __init__(self) -> None:
        super().__init__(watch=_Watch())


class _Watch:
    def forward(
        self, op: Primitive, node: Node, inputs: Sequence[Any], attributes: dict[str, Any]
    ) -> None:
        """Check what an op has just made from `inputs`."""
        outer = current_mode().scope  # also known where nothing is recorded
        scope = Scope(outer.path if outer else "", outer.step if outer else None, callers_line())
        node.scope = scope
        for data in node._data if isinstance(node._data, tuple) else (node._data,):
            if _is_bad(data):
                _fail(f"the result of {op.name}", data, scope)

    def backward(self, node: Node, position: int, grad: Any) -> None:
        """Check the gradient for one input of `node`."""
        data = grad._data if isinstance(grad, Node) else grad
        if node.op is not None and _is_bad(data):
            name = node.op.input_name(position)
            _fail(f"the gradient of {node.op.name} with respect to {name!r}", data, node.scope)


def _is_bad(data: Any) -> bool:
    return data.dtype.kind in "fc" and not np.isfinite(data).all()


def _fail(what: str, data: Any, scope: Scope | None) -> NoReturn:
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(data))[0])
    where = f" [{scope}]" if scope is not None and str(scope) else ""
    raise AnomalyError(
        f"{what} has the first Inf or NaN: {data[place]} at {place} of shape {data.shape}{where}"
    )
