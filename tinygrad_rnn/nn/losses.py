"""Losses as modules, with PyTorch's names and results; see `nn.functional` for the formulas."""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor
from . import functional
from .module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module):
    """A loss whose only option is its reduction."""

    loss: Any

    def __init__(self, reduction: str = "mean") -> None:
        functional.check_reduction(reduction)
        self.reduction = reduction

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss; prediction and target have the same shape."""
        loss: Tensor = type(self).loss(prediction, target, reduction=self.reduction)
        return loss

    def extra_repr(self) -> str:
        """The reduction."""
        return f"reduction={self.reduction!r}"


class MSELoss(_Loss):
    """The mean of (prediction - target)^2, see `nn.functional.mse_loss`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.MSELoss()(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0]))
    tensor(2., dtype=float32)
    """

    loss = functional.mse_loss


class L1Loss(_Loss):
    """The mean of |prediction - target|, see `nn.functional.l1_loss`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.L1Loss()(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0]))
    tensor(1., dtype=float32)
    """

    loss = functional.l1_loss


class BCELoss(_Loss):
    """The binary cross entropy of probabilities, see `nn.functional.binary_cross_entropy`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.BCELoss()(tg.tensor([0.5]), tg.tensor([1.0]))
    tensor(0.6931472, dtype=float32)
    """

    loss = functional.binary_cross_entropy


class BCEWithLogitsLoss(_Loss):
    """The binary cross entropy of scores, see `nn.functional.binary_cross_entropy_with_logits`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.BCEWithLogitsLoss()(tg.tensor([0.0]), tg.tensor([1.0]))
    tensor(0.6931472, dtype=float32)
    """

    loss = functional.binary_cross_entropy_with_logits


class HuberLoss(_Loss):
    """Squares near 0, absolute values beyond `delta`, see `nn.functional.huber_loss`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.HuberLoss()(tg.tensor([0.0, 3.0]), tg.tensor([1.0, 0.0]))
    tensor(1.5, dtype=float32)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss; prediction and target have the same shape."""
        return functional.huber_loss(prediction, target, self.reduction, self.delta)


class SmoothL1Loss(_Loss):
    """Huber's loss divided by `beta`, see `nn.functional.smooth_l1_loss`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.SmoothL1Loss()(tg.tensor([0.0, 3.0]), tg.tensor([1.0, 0.0]))
    tensor(1.5, dtype=float32)
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, prediction: Any, target: Any) -> Tensor:
        """The loss; prediction and target have the same shape."""
        return functional.smooth_l1_loss(prediction, target, self.reduction, self.beta)


class _OfClasses(Module):
    """A loss of integer classes, with a weight for each class as a buffer."""

    loss: Any

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        functional.check_reduction(reduction)
        self.ignore_index = ignore_index
        self.reduction = reduction
        if weight is None:
            self.weight: Tensor | None = None
        else:
            self.register_buffer("weight", weight)

    def forward(self, scores: Any, target: Any) -> Tensor:
        """Scores (N, C) or (C,), integer classes (N,) or ()."""
        loss: Tensor = type(self).loss(
            scores, target, self.weight, self.ignore_index, self.reduction
        )
        return loss

    def extra_repr(self) -> str:
        """The options."""
        return f"ignore_index={self.ignore_index}, reduction={self.reduction!r}"


class CrossEntropyLoss(_OfClasses):
    """-log softmax(scores)[target], see `nn.functional.cross_entropy`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.CrossEntropyLoss()(tg.zeros(1, 2), [0])
    tensor(0.6931472, dtype=float32)
    """

    loss = functional.cross_entropy


class NLLLoss(_OfClasses):
    """-log_probabilities[target], see `nn.functional.nll_loss`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.NLLLoss()(tg.tensor([[-1.0, -2.0]]), [1])
    tensor(2., dtype=float32)
    """

    loss = functional.nll_loss
