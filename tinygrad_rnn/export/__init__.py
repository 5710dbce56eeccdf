"""Export: a model in PyTorch, in JAX or in ONNX, without rewriting it.

All three read the same program: the call of a model, recorded and lowered to NumPy's ufuncs and the
ops of this package, with each scan as one loop. A cell of your own is exported like a built-in one.
"""

from .errors import ExportError
from .jax import to_jax
from .onnx import to_onnx
from .torch import from_torch, to_torch

__all__ = ["ExportError", "from_torch", "to_jax", "to_onnx", "to_torch"]
