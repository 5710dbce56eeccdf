"""Functions of networks: affine maps, dropout, normalisation and losses, composed from ops."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops, torch_names
from ..engine.op import op
from ..engine.recording.mode import current_mode
from ..engine.recording.node import Node
from ..engine.tensor import Tensor, tensor
from .product import Product

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "embedding",
    "huber_loss",
    "l1_loss",
    "layer_norm",
    "linear",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]

if not TYPE_CHECKING:  # a type checker knows this package's own names only

    def __getattr__(name: str) -> Any:
        if name in torch_names.FUNCTIONAL:
            return torch_names.FUNCTIONAL[name]
        return torch_names.missing("nn.functional", name, sys.modules[__name__])


def linear(x: Any, weight: Tensor | Product, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias: x (..., in), weight (out, in), bias (out,); result (..., out).

    The result has the dtype of the weight. Integers, bools and any ndarray are cast to it;
    TypeError for a Tensor of a wider floating dtype.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.linear(tg.ones(1, 2), tg.ones(3, 2))
    tensor([[2., 2., 2.]], dtype=float32)
    """
    if isinstance(weight, Product):
        product: Tensor = weight.then(linear(x, weight.weight))
    else:
        product = ops.matmul(as_weights(x, weight.dtype), weight.T)
    return product if bias is None else product + bias


def as_weights(x: Any, dtype: Any, what: str = "x") -> Any:
    """An input, cast to the dtype of the weights so that it cannot widen later results.

    Integers and bools are cast, and so is an ndarray, whose dtype is often NumPy's default and no
    one's choice. A Tensor's dtype was chosen: TypeError if it is a wider floating one.
    """
    given = getattr(x, "dtype", None)
    if given is dtype or dtype.kind != "f":
        return x
    if not isinstance(x, Node):
        array = np.asarray(x)
        return array.astype(dtype) if array.dtype.kind in "fiub" else x
    if x._data.dtype.kind in "iub":
        return ops.astype(x, dtype=dtype)
    if x._data.dtype.kind == "f" and np.promote_types(x._data.dtype, dtype) != dtype:
        raise TypeError(
            f"{what} is a {x._data.dtype} Tensor, the weights are {dtype}{_here()}: cast it with "
            f".astype({str(dtype)!r}), or make the module compute in {x._data.dtype} with "
            f"module.astype({str(x._data.dtype)!r})"
        )
    return x


def wrong_features(name: str, expected: int, x: Any, axis: int = -1) -> ValueError:
    """The error for an x whose feature axis does not have the size that the layer expects."""
    shape = np.shape(x)
    got = shape[axis] if len(shape) >= -axis else "none" if shape else "a number"
    return ValueError(
        f"{name} expects {expected} features, got {got}: x has shape {shape}{_here()}"
    )


def _here() -> str:
    where = current_mode().scope
    return f", in {where}" if where is not None and str(where) else ""


def embedding(indices: Any, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of weight (n, d) at integer indices of any shape; result indices.shape + (d,).

    `padding_idx`: a row, counted from the end if negative, whose gradient is zero. IndexError for
    an index outside the n rows; TypeError if the indices are not integers; ValueError for a
    `padding_idx` outside the rows.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.embedding([1], tg.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.]], dtype=float32)
    """
    values = indices._data if isinstance(indices, Node) else np.asarray(indices)
    if values.dtype.kind not in "iu":
        raise TypeError(f"embedding takes integer indices, got {values.dtype}")
    n = weight.shape[0]
    if values.size and (values.min() < 0 or values.max() >= n):
        raise IndexError(f"embedding of {n} rows: indices from {values.min()} to {values.max()}")
    if padding_idx is not None and not -n <= padding_idx < n:
        raise ValueError(f"padding_idx {padding_idx} of {n} embeddings")
    learned = weight if padding_idx is None else _fixed_row(weight, row=padding_idx % n)
    rows: Tensor = ops.take(learned, indices, axis=0)
    return rows


@op
def _fixed_row(weight: Any, *, row: int) -> Any:
    """The weight (n, d), with no gradient for one of its rows."""
    return weight[...]


_fixed_row.name = "fixed_row"


@_fixed_row.vjp
def _(grad: Any, out: Any, weight: Any, row: int) -> Any:
    return np.where(np.arange(len(weight))[:, None] == row, 0, grad)


def dropout(
    x: Any,
    p: float = 0.5,
    training: bool = True,
    generator: np.random.Generator | None = None,
) -> Any:
    """Zero each element with probability p and scale the rest by 1 / (1 - p), while training.

    Srivastava et al. 2014. The elements are drawn from `generator`, or the one that
    `tg.manual_seed` sets. ValueError if p is not in [0, 1].

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.dropout(tg.ones(2), p=0.5, training=False)
    tensor([1., 1.], dtype=float32)
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is a probability, got {p}")
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0
    kept = (ops.rand_like(x, generator=generator) >= p).astype(x.dtype)
    return x * (kept * (1 / (1 - p)))


def layer_norm(
    x: Any,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(var + eps) over the last axes, times weight, plus bias.

    `normalized_shape`: the sizes of these axes; ValueError if x does not end with them. Ba, Kiros &
    Hinton 2016. With a weight the result has its dtype, as in `linear`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.layer_norm(tg.tensor([1.0, 3.0]), (2,), eps=0.0)
    tensor([-1.,  1.], dtype=float32)
    """
    sizes = tuple(normalized_shape)
    if np.shape(x)[-len(sizes) :] != sizes:
        raise ValueError(f"LayerNorm over {sizes} on shape {np.shape(x)}")
    over = tuple(range(-len(sizes), 0))
    x = x if weight is None else as_weights(x, weight.dtype)
    centred = x - ops.mean(x, axis=over, keepdims=True)
    variance = ops.mean(centred * centred, axis=over, keepdims=True)
    out: Tensor = centred / ops.sqrt(variance + eps)
    if weight is not None:
        out = out * weight
    return out if bias is None else out + bias


# Losses


def check_reduction(reduction: str) -> None:
    """ValueError unless `reduction` is "mean", "sum" or "none"."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is 'mean', 'sum' or 'none', not {reduction!r}")


def _reduced(losses: Tensor, reduction: str, weights: Any = None) -> Tensor:
    """`losses` as they are, their sum, or their mean (over the sum of `weights`, where given)."""
    check_reduction(reduction)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if weights is None else losses.sum() / float(weights.sum())


def cross_entropy(
    logits: Tensor,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-log softmax(logits)[target]: logits (N, C) or (C,), integer classes target (N,) or ().

    The options and errors are those of `nll_loss`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.cross_entropy(tg.zeros(1, 2), [0])
    tensor(0.6931472, dtype=float32)
    """
    return nll_loss(ops.log_softmax(logits, axis=-1), target, weight, ignore_index, reduction)


def nll_loss(
    log_probabilities: Tensor,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-log_probabilities[target]: (N, C) or (C,), with integer classes target (N,) or ().

    `weight` (C,): a factor for each class, a constant. `ignore_index`: the target of items that do
    not count, such as padding. `reduction`: "mean" divides by the sum of the weights of the items
    that count, as in PyTorch; "sum"; "none" leaves (N,).

    TypeError for targets that are not integers; ValueError for classes outside 0 ... C-1, shapes
    that do not fit, or a mean of which every item is ignored.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.nll_loss(tg.tensor([[-1.0, -2.0], [-3.0, -4.0]]), [1, -100])
    tensor(2., dtype=float32)
    """
    classes = target._data if isinstance(target, Node) else np.asarray(target)
    count = log_probabilities.shape[-1] if log_probabilities.ndim else 0
    if classes.dtype.kind not in "iu":
        raise TypeError(f"the target holds integer classes, not {classes.dtype}")
    if classes.shape != log_probabilities.shape[:-1] or log_probabilities.ndim not in (1, 2):
        raise ValueError(
            f"scores of shape (N, C) need a target of shape (N,); "
            f"got {log_probabilities.shape} and {classes.shape}"
        )
    counts = classes != ignore_index
    if not counts.all():
        classes = np.where(counts, classes, 0)
    if classes.size and (classes.min() < 0 or classes.max() >= count):
        raise ValueError(
            f"the target has classes from {classes.min()} to {classes.max()}, but scores of "
            f"{count} classes know 0 to {count - 1}"
        )
    picked = ops.take_along_axis(log_probabilities, classes[..., None], axis=-1)
    losses = -ops.squeeze(picked, axis=-1)
    if weight is None and counts.all():
        return _reduced(losses, reduction)
    weights = _item_weights(weight, classes, counts, count, losses.dtype)
    if reduction == "mean" and not weights.any():
        raise ValueError("a mean over targets that are all ignored, or of weight 0, is undefined")
    return _reduced(np.where(counts, losses, 0) * weights, reduction, weights)


def _item_weights(weight: Any, classes: Any, counts: Any, count: int, dtype: Any) -> Any:
    """The weight of each item: that of its class, and 0 where it does not count."""
    if weight is None:
        return counts.astype(dtype)
    weight = np.asarray(weight._data if isinstance(weight, Node) else weight, dtype)
    if weight.shape != (count,):
        raise ValueError(f"{count} classes need weights of shape ({count},), got {weight.shape}")
    return np.where(counts, weight[classes], 0)


def mse_loss(prediction: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """(prediction - target)^2; both of one shape (ValueError otherwise).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.mse_loss(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0]))
    tensor(2., dtype=float32)
    """
    target = _same_shape("mse_loss", prediction, target)
    return _reduced(ops.square(prediction - target), reduction)


def l1_loss(prediction: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """|prediction - target|; both of one shape (ValueError otherwise).

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.l1_loss(tg.tensor([1.0, 3.0]), tg.tensor([1.0, 1.0]))
    tensor(1., dtype=float32)
    """
    target = _same_shape("l1_loss", prediction, target)
    return _reduced(ops.abs(prediction - target), reduction)


def huber_loss(
    prediction: Tensor, target: Any, reduction: str = "mean", delta: float = 1.0
) -> Tensor:
    """d^2 / 2 where d = |prediction - target| is below `delta`, delta * (d - delta / 2) elsewhere.

    Huber 1964. ValueError if `delta` is not positive, or for two shapes.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.huber_loss(tg.tensor([0.0, 3.0]), tg.tensor([1.0, 0.0]))
    tensor(1.5, dtype=float32)
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta is positive, got {delta}")
    distance = ops.abs(prediction - _same_shape("huber_loss", prediction, target))
    near = ops.minimum(distance, delta)  # so that d^2 overflows nowhere
    return _reduced(near * (distance - 0.5 * near), reduction)


def smooth_l1_loss(
    prediction: Tensor, target: Any, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """`huber_loss` divided by `beta`: |prediction - target| with a rounded corner at 0.

    ValueError if `beta` is not positive, or for two shapes.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.smooth_l1_loss(tg.tensor([0.0, 3.0]), tg.tensor([1.0, 0.0]))
    tensor(1.5, dtype=float32)
    """
    if not beta > 0:
        raise ValueError(f"smooth_l1_loss: beta is positive, got {beta}; beta=0 is l1_loss")
    return huber_loss(prediction, target, reduction, beta) / beta


def binary_cross_entropy(prediction: Tensor, target: Any, reduction: str = "mean") -> Tensor:
    """-t log p - (1 - t) log(1 - p) of probabilities p; both of one shape.

    As in PyTorch, a logarithm below -100 counts as -100. From scores, take
    `binary_cross_entropy_with_logits`: it is exact where p rounds to 0 or 1. ValueError for what
    is no probability.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.binary_cross_entropy(tg.tensor([0.5, 0.0]), tg.tensor([1.0, 0.0]))
    tensor(0.3465736, dtype=float32)
    """
    target = _same_shape("binary_cross_entropy", prediction, target)
    values = prediction._data if isinstance(prediction, Node) else np.asarray(prediction)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(
            f"binary_cross_entropy takes probabilities, got numbers from {values.min()} to "
            f"{values.max()}; of scores, binary_cross_entropy_with_logits takes the sigmoid itself"
        )
    known, unknown = (
        ops.maximum(ops.where(p > 0, ops.log(p, where=p > 0), -100.0), -100.0)
        for p in (prediction, 1 - prediction)
    )
    return _reduced(-(target * known + (1 - target) * unknown), reduction)


def binary_cross_entropy_with_logits(
    logits: Tensor, target: Any, reduction: str = "mean"
) -> Tensor:
    """-t log s(x) - (1 - t) log(1 - s(x)), s the sigmoid, without overflow; both of one shape.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.functional.binary_cross_entropy_with_logits(tg.zeros(1), tg.ones(1))
    tensor(0.6931472, dtype=float32)
    """
    target = _same_shape("binary_cross_entropy_with_logits", logits, target)
    # Written this way, not as softplus(x) - t x, so that no large terms cancel where it is sure.
    losses = target * ops.softplus(-logits) + (1 - target) * ops.softplus(logits)
    return _reduced(losses, reduction)


def _same_shape(name: str, prediction: Tensor, target: Any) -> Any:
    """The target, with Python's numbers in the default dtype; ValueError for another shape."""
    target = target if isinstance(target, Node | np.ndarray) else tensor(target)
    if target.shape != prediction.shape:
        raise ValueError(
            f"{name}: the prediction has shape {prediction.shape}, the target {target.shape}; "
            "they must be equal, or broadcasting would compare each with each"
        )
    return target
