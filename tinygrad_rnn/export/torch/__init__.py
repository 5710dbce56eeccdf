"""PyTorch: an `nn.Module`, and loading its weights back."""

from .to_torch import from_torch, to_torch

__all__ = ["from_torch", "to_torch"]
