"""Layer normalisation of the inputs of the gates (Ba et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...nn import Cell, LayerNorm, Module, ModuleList
from ...nn.product import Product
from .weights import found_weights, read_through
from .wrapper import Wrapper

__all__ = ["NormalizedGates"]


class NormalizedGates(Wrapper):
    """The products of x_t and of h_{t-1} with the gates' weights are normalised separately.

    LN(W_h h_{t-1}; a_1, b_1) + LN(W_x x_t; a_2, b_2) + b instead of W_h h_{t-1} + W_x x_t + b

    Each LN is over all units of the product, with a learned gain and bias. `names`: the weights to
    normalise, named as in `cell.named_parameters()`; by default every `weight_ih` and `weight_hh`
    of this cell and of the cells inside it. The cell must pass these weights whole to
    `nn.functional.linear`, as most cells here do. If it splits or adds them first, the step raises
    TypeError.

    Ba, Kiros & Hinton 2016, "Layer Normalization", arXiv:1607.06450, equation 20, for any cell.
    Their LSTM also normalises c before the output: `cells.LayerNormLSTMCell`. ValueError if there
    is no weight of that name.

    >>> import tinygrad_rnn as tg
    >>> cell = tg.cells.wrappers.NormalizedGates(tg.nn.GRUCell(3, 4))
    >>> [norm.normalized_shape for norm in cell.norms]
    [(12,), (12,)]
    >>> tg.nn.Recurrent(cell)(tg.randn(5, 2, 3))[0].shape
    (5, 2, 4)
    """

    def __init__(self, cell: Cell, names: Sequence[str] | None = None) -> None:
        super().__init__(cell)
        self.names = names
        weights = found_weights(cell, names, ["weight_ih", "weight_hh"])
        self.norms = ModuleList(
            [LayerNorm(len(vars(module)[name])) for module, name in weights.values()]
        )
        for norm, (module, name) in zip(self.norms, weights.values(), strict=True):
            setattr(module, read_through(module, name, _normalized), norm)


def _normalized(module: Module, weight: Any, norm: Any) -> Any:
    return Product(weight, norm)
