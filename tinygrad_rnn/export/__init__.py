"""Export: a model in PyTorch, in JAX or in ONNX, without rewriting it.

All three targets read the same program: a recorded call of the model, lowered to NumPy's ufuncs and
the ops of this package, with each scan as one loop. Your own cells are exported like built-in ones.
"""

from .errors import ExportError
from .jax import to_jax
from .onnx import to_onnx
from .torch import from_torch, to_torch

__all__ = ["ExportError", "from_torch", "to_jax", "to_onnx", "to_torch"]
