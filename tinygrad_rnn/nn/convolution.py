"""Conv1d and Conv2d: PyTorch's names, shapes and initial values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import ops
from ..engine.tensor import Tensor
from . import functional, init
from .layers import empty_parameter
from .module import Module

__all__ = ["Conv1d", "Conv2d"]

Sizes = int | Sequence[int]


class _Convolution(Module):
    """A convolution over `dims` axes."""

    dims: int
    op: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{in_channels} input and {out_channels} output channels cannot be cut into "
                f"{groups} equal groups"
            )
        kernel = (kernel_size,) * self.dims if isinstance(kernel_size, int) else (*kernel_size,)
        if len(kernel) != self.dims or min(kernel) < 1:
            raise ValueError(f"kernel_size is one size or {self.dims}, at least 1: {kernel_size!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        fan_in = in_channels // groups * math.prod(kernel)
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        weight = empty_parameter(out_channels, in_channels // groups, *kernel)
        self.weight = init.uniform_(weight, -bound, bound)
        self.bias = init.uniform_(empty_parameter(out_channels), -bound, bound) if bias else None

    def forward(self, x: Any) -> Tensor:
        """x (N, in_channels, *sizes), or without N, to (N, out_channels, *places)."""
        x = functional.as_weights(x, self.weight.dtype)
        out: Tensor = type(self).op(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )
        return out

    def extra_repr(self) -> str:
        """The sizes, and the options that differ from the defaults."""
        usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
        options = [f", {k}={getattr(self, k)!r}" for k, v in usual.items() if getattr(self, k) != v]
        no_bias = "" if self.bias is not None else ", bias=False"
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
            f"{''.join(options)}{no_bias}"
        )


class Conv1d(_Convolution):
    """Kernels that slide over sequences: x (N, in_channels, L) to (N, out_channels, L_out).

    weight (out_channels, in_channels / groups, kernel_size) and bias (out_channels,), uniform in
    +-1 / sqrt(fan_in) at first. The options are those of `tg.conv1d`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Conv1d(2, 4, kernel_size=3, padding="same")(tg.zeros(5, 2, 7)).shape
    (5, 4, 7)
    """

    dims = 1
    op = ops.conv1d


class Conv2d(_Convolution):
    """Kernels that slide over images: x (N, in_channels, H, W) to (N, out_channels, H_out, W_out).

    weight (out_channels, in_channels / groups, KH, KW) and bias (out_channels,), uniform in
    +-1 / sqrt(fan_in) at first. The options are those of `tg.conv2d`.

    >>> import tinygrad_rnn as tg
    >>> tg.nn.Conv2d(1, 4, kernel_size=(3, 5), stride=2)(tg.zeros(2, 1, 9, 9)).shape
    (2, 4, 4, 3)
    """

    dims = 2
    op = ops.conv2d
