"""PyTorch's `torch.nn.utils`: its clipping, which `tg.optim` has, and what is written otherwise."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .. import torch_names

_CLIPPING = ("clip_grad_norm_", "clip_grad_value_")


def __getattr__(name: str) -> Any:
    if name in _CLIPPING:  # looked up at its use: `optim` stands on `nn`
        return getattr(import_module("tinygrad_rnn.optim"), name)
    return torch_names.missing("nn.utils", name, _CLIPPING)
