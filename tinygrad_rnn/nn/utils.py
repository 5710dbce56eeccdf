"""PyTorch's `torch.nn.utils`: gradient clipping, and hints for names spelled differently here."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from .. import torch_names

__all__ = ["clip_grad_norm_", "clip_grad_value_"]  # noqa: F822  (see below)


def __getattr__(name: str) -> Any:
    if name in __all__:  # looked up on use, because `optim` imports `nn`
        return getattr(import_module("tinygrad_rnn.optim"), name)
    return torch_names.missing("nn.utils", name, sys.modules[__name__])
