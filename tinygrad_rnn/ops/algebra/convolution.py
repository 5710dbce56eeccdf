"""Convolution over one or two axes, with PyTorch's signature and result.

As in every network library what is computed is the correlation: the kernel is not flipped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...engine.op import Op, op

Array = Any
Sizes = int | Sequence[int]

__all__ = ["conv1d", "conv2d"]


@op(linear=True)
def _unfold(
    x: Array, *, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Array:
    """What the kernel sees at each place: x (N, C, *sizes) to (N, C * kernel's elements, places).

    One element of the kernel sees x shifted and thinned out, a slice; they are put side by side.
    """
    seen = [x[key] for key in _slices(x.shape[2:], kernel, stride, dilation)]
    rows = x.shape[1] * math.prod(kernel)
    places = math.prod(_places(x.shape[2:], kernel, stride, dilation))
    return np.stack(seen, axis=2).reshape(x.shape[0], rows, places)


_unfold.name = "unfold"


@op(linear=True)
def _fold(
    columns: Array,
    *,
    sizes: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Array:
    """The transpose of `_unfold`: what overlapping places saw of one element adds up."""
    batch, rows = columns.shape[:2]
    channels, places = rows // math.prod(kernel), _places(sizes, kernel, stride, dilation)
    x = np.zeros_like(columns, shape=(batch, channels, *sizes))
    parts = columns.reshape(batch, channels, math.prod(kernel), *places)
    for element, key in enumerate(_slices(sizes, kernel, stride, dilation)):
        x[key] = x[key] + parts[:, :, element]  # not +=, which has no form in a compiled loop
    return x


_fold.name = "fold"


def _places(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[int, ...]:
    """At how many places along each axis the kernel is applied."""
    return tuple(
        (size - (k - 1) * d - 1) // s + 1
        for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)
    )


def _slices(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Iterator[tuple[slice, ...]]:
    """For each element of the kernel, what it sees of an array (N, C, *sizes)."""
    places = _places(sizes, kernel, stride, dilation)
    everything = slice(None)
    for element in itertools.product(*map(range, kernel)):
        yield (
            everything,
            everything,
            *(
                slice(i * d, i * d + (n - 1) * s + 1, s)
                for i, d, n, s in zip(element, dilation, places, stride, strict=True)
            ),
        )


_unfold.vjp(
    lambda grad, out, x, kernel, stride, dilation: _fold(
        grad, sizes=tuple(x.shape[2:]), kernel=kernel, stride=stride, dilation=dilation
    )
)
_fold.vjp(
    lambda grad, out, columns, sizes, kernel, stride, dilation: _unfold(
        grad, kernel=kernel, stride=stride, dilation=dilation
    )
)


def _lift(op: Op) -> None:
    """With a leading time axis, the steps are so many more members of the batch."""

    @op.lift
    def _(steps: int, timed: tuple[bool], x: Array, **attributes: Any) -> Array:
        batch = x.shape[1]
        out = op.value(x.reshape(steps * batch, *x.shape[2:]), **attributes)
        return out.reshape(steps, batch, *out.shape[1:])


_lift(_unfold)
_lift(_fold)


def conv1d(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Array:
    """Slide kernels over sequences: x (N, C, L) or (C, L), weight (O, C / groups, K), bias (O,).

    The options and errors are those of `conv2d`; the result is (N, O, L_out) or (O, L_out).

    >>> import tinygrad_rnn as tg
    >>> tg.conv1d(tg.tensor([[1.0, 2.0, 4.0]]), tg.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2.]], dtype=float32)
    """
    return _convolution("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: Array,
    weight: Array,
    bias: Array = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Array:
    """Slide kernels over images, as `torch.nn.functional.conv2d`.

    x (N, C, H, W) or (C, H, W), weight (O, C / groups, KH, KW), bias (O,); the result is
    (N, O, H_out, W_out), without N where x has none. `stride`: places from one application to the
    next. `padding`: zeros on both sides of an axis, or "same" (which needs a stride of 1) or
    "valid". `dilation`: places between neighbouring elements of the kernel. Each is one int or one
    for each axis. `groups`: so many parts of the channels are convolved apart.

    ValueError for shapes that do not fit.

    >>> import tinygrad_rnn as tg
    >>> tg.conv2d(tg.ones(1, 3, 3), tg.ones(1, 1, 3, 3), padding="same")
    tensor([[[4., 6., 4.],
             [6., 9., 6.],
             [4., 6., 4.]]], dtype=float32)
    """
    return _convolution("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def _convolution(
    name: str,
    dims: int,
    x: Array,
    weight: Array,
    bias: Array,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> Array:
    steps = _for_each_axis(name, "stride", stride, dims, 1)
    apart = _for_each_axis(name, "dilation", dilation, dims, 1)
    shape, kernel_shape = np.shape(x), np.shape(weight)
    _check_shapes(name, dims, shape, kernel_shape, np.shape(bias), bias is None, groups)
    kernel = kernel_shape[2:]
    if padding == "same":
        if set(steps) != {1}:
            raise ValueError(f"{name}: padding='same' needs a stride of 1, got {stride}")
        totals = [(k - 1) * d for k, d in zip(kernel, apart, strict=True)]
        widths = [(total // 2, total - total // 2) for total in totals]
    else:
        if isinstance(padding, str) and padding != "valid":
            raise ValueError(f"{name}: padding is a size, 'same' or 'valid', not {padding!r}")
        both = 0 if isinstance(padding, str) else padding
        widths = [(p, p) for p in _for_each_axis(name, "padding", both, dims, 0)]
    if any(width != (0, 0) for width in widths):
        x = np.pad(x, [(0, 0)] * (len(shape) - dims) + widths)
    if any(n < 1 for n in _places(np.shape(x)[-dims:], kernel, steps, apart)):
        raise ValueError(
            f"{name}: a kernel of {kernel} with dilation {apart} does not fit into "
            f"{np.shape(x)[-dims:]} (padding included)"
        )
    batched = len(shape) == dims + 2
    out = _applied(x if batched else x[None], weight, steps, apart, groups)
    if bias is not None:
        out = out + np.reshape(bias, (-1, *(1,) * dims))
    return out if batched else out[0]


def _applied(
    x: Array, weight: Array, stride: tuple[int, ...], dilation: tuple[int, ...], groups: int
) -> Array:
    """A product with the matrix whose rows are kernels, for each group of channels."""
    batch, kernel = np.shape(x)[0], tuple(np.shape(weight)[2:])
    places = _places(np.shape(x)[2:], kernel, stride, dilation)
    outputs, columns = np.shape(weight)[0], math.prod(np.shape(weight)[1:])
    seen = _unfold(x, kernel=kernel, stride=stride, dilation=dilation)
    if groups == 1:
        product = np.matmul(np.reshape(weight, (outputs, columns)), seen)
    else:
        seen = np.reshape(seen, (batch, groups, columns, math.prod(places)))
        product = np.matmul(np.reshape(weight, (groups, outputs // groups, columns)), seen)
    return np.reshape(product, (batch, outputs, *places))


def _check_shapes(
    name: str,
    dims: int,
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    bias: tuple[int, ...],
    no_bias: bool,
    groups: int,
) -> None:
    axes = ("L", "H, W")[dims - 1]
    if len(shape) not in (dims + 1, dims + 2):
        raise ValueError(f"{name} takes (N, C, {axes}) or (C, {axes}), got shape {shape}")
    if len(kernel) != dims + 2:
        raise ValueError(
            f"{name}: the weight has {dims + 2} axes (O, C / groups, *kernel), got {kernel}"
        )
    channels = shape[-dims - 1]
    if groups < 1 or kernel[1] * groups != channels or kernel[0] % groups:
        raise ValueError(
            f"{name}: a weight of shape {kernel} with groups={groups} takes "
            f"{kernel[1] * groups} channels in {groups} equal parts, got {channels} in {shape}"
        )
    if not no_bias and bias != kernel[:1]:
        raise ValueError(
            f"{name}: {kernel[0]} output channels need a bias of that size, got {bias}"
        )


def _for_each_axis(name: str, what: str, given: Sizes, dims: int, least: int) -> tuple[int, ...]:
    sizes = (given,) * dims if isinstance(given, int | np.integer) else tuple(given)
    if len(sizes) != dims or any(size < least for size in sizes):
        raise ValueError(f"{name}: {what} is one size or {dims}, at least {least}; got {given!r}")
    return tuple(int(size) for size in sizes)
