"""PublishedCell: what published cells have in common, so that each is mostly its equations."""

from __future__ import annotations

from typing import Any, ClassVar

from ..engine.tensor import Tensor
from ..nn.functional import as_weights, linear
from ..nn.parameter import Parameter
from ..nn.recurrent.cell import Cell
from .parameters import uniform, zeros

__all__ = ["PublishedCell"]


class PublishedCell(Cell):
    """A cell whose state is one or more vectors (B, H), with PyTorch's parameter names.

    A subclass names the vectors of its state in `state_names`, makes parameters with
    `self.weights(...)` in `__init__`, and writes `forward`.

    >>> import tinygrad_rnn as tg
    >>> from tinygrad_rnn.nn.functional import linear
    >>> class LightCell(tg.cells.PublishedCell):
    ...     def __init__(self, input_size, hidden_size):
    ...         self.weights(input_size, hidden_size, ih=2, hh=1)
    ...     def forward(self, x, h):
    ...         n, f = tg.split(linear(x, self.weight_ih, self.bias_ih), 2, axis=-1)
    ...         f = tg.sigmoid(f + linear(h, self.weight_hh, self.bias_hh))
    ...         return (1 - f) * h + f * tg.tanh(n)
    >>> {name: parameter.shape for name, parameter in LightCell(3, 4).named_parameters()}
    {'weight_ih': (8, 3), 'weight_hh': (4, 4), 'bias_ih': (8,), 'bias_hh': (4,)}
    """

    state_names: ClassVar[tuple[str, ...]] = ("h",)
    """The paper's names for the vectors of the state; the first is the output."""

    input_size: int
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter
    bias_hh: Parameter
    weight_proj: Parameter

    def weights(
        self,
        input_size: int,
        hidden_size: int,
        *,
        ih: int,
        hh: int = 0,
        bias_ih: int | None = None,
        bias_hh: int | None = None,
        bound: float | None = None,
        project: bool = False,
    ) -> None:
        """Set the sizes, and create the matrices and biases of the gates, stacked in one order.

        weight_ih (ih * H, I) and weight_hh (hh * H, H), uniform in +-`bound`, by default 1 /
        sqrt(H) as in PyTorch; bias_ih (bias_ih * H,) and bias_hh (bias_hh * H,), zero, by default
        one for each row of the matrix. A count of 0 creates no parameter. `project`: if I and H
        differ, also create weight_proj (H, I), which `projected` uses.
        """
        self.input_size, self.hidden_size = input_size, hidden_size
        bound = hidden_size**-0.5 if bound is None else bound
        self.weight_ih = uniform(ih * hidden_size, input_size, bound=bound)
        if hh:
            self.weight_hh = uniform(hh * hidden_size, hidden_size, bound=bound)
        if rows := ih if bias_ih is None else bias_ih:
            self.bias_ih = zeros(rows * hidden_size)
        if rows := hh if bias_hh is None else bias_hh:
            self.bias_hh = zeros(rows * hidden_size)
        if project and input_size != hidden_size:
            self.weight_proj = uniform(hidden_size, input_size, bound=bound)

    def projected(self, x: Tensor) -> Tensor:
        """x (B, I) in the size of the state, (B, H): x itself, or W_p x if the sizes differ.

        For equations that combine x_t with h_t elementwise, from papers whose layers all have one
        size.
        """
        if self.input_size != self.hidden_size:
            return linear(x, self.weight_proj)
        same: Tensor = as_weights(x, self.weight_ih.dtype)
        return same

    def initial_state(self, batch_size: int) -> Any:
        """Zeros (B, H): one Tensor, or a tuple of one for each name."""
        zero = self.zeros(batch_size, self.hidden_size)
        return zero if len(self.state_names) == 1 else (zero,) * len(self.state_names)
