"""tinygrad_rnn: recurrent networks composed from differentiable NumPy ops.

>>> import tinygrad_rnn as tg
>>> x = tg.tensor([1.0, 2.0], requires_grad=True)
>>> tg.sum(tg.tanh(x)).backward()
>>> x.grad
tensor([0.41997433, 0.07065082], dtype=float32)
"""

import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from . import nn, pytree
from . import torch_names as _torch_names
from .compiler.backends.executor import get_executor, set_executor
from .compiler.backends.threads import get_num_threads, set_num_threads
from .compiler.memory.pool import get_workspace_limit, set_workspace_limit
from .compiler.observation import observe
from .compiler.scan import scan
from .directional import hvp, jvp
from .engine.dtypes import get_default_dtype, set_default_dtype
from .engine.heap import keep_freed_memory as _keep_freed_memory
from .engine.op import Op, op
from .engine.primitives.protocol import implements
from .engine.recording.anomaly import detect_anomaly
from .engine.recording.mode import enable_grad, is_grad_enabled, no_grad, scope
from .engine.recording.scope import Scope
from .engine.tensor import Tensor, from_numpy, tensor
from .engine.transforms import grad, jacobian, value_and_grad
from .errors import AnomalyError, GraphFreedError, StaleValueError, TinygradRnnError
from .ops import *  # noqa: F403
from .ops import __all__ as _ops
from .pytree import detach
from .serialization import CheckpointError, load, save

if TYPE_CHECKING:
    from . import (
        analysis,
        cards,
        cells,
        comparison,
        data,
        export,
        graph,
        lessons,
        optim,
        testing,
        training,
        viz,
    )
    from .cards.card import card
    from .comparison import compare

__version__ = "0.1.0"

_keep_freed_memory()

_WHEN_ASKED = (
    "analysis",
    "cards",
    "cells",
    "comparison",
    "data",
    "export",
    "graph",
    "lessons",
    "optim",
    "testing",
    "training",
    "viz",
)  # imported at their first use
_FUNCTIONS = {"card": ".cards", "compare": ".comparison"}  # likewise


if not TYPE_CHECKING:  # a type checker knows this package's own names only

    def __getattr__(name: str) -> object:
        if name in _WHEN_ASKED:
            return _import_module(f".{name}", __name__)
        if name in _FUNCTIONS:
            return getattr(_import_module(_FUNCTIONS[name], __name__), name)
        if name in _torch_names.FUNCTIONS:
            return _torch_names.FUNCTIONS[name]
        return _torch_names.missing("torch", name, _sys.modules[__name__], __name__)


__all__ = [
    "AnomalyError",
    "CheckpointError",
    "GraphFreedError",
    "Op",
    "Scope",
    "StaleValueError",
    "Tensor",
    "TinygradRnnError",
    "analysis",
    "card",
    "cards",
    "cells",
    "compare",
    "comparison",
    "data",
    "detach",
    "detect_anomaly",
    "enable_grad",
    "export",
    "from_numpy",
    "get_default_dtype",
    "get_executor",
    "get_num_threads",
    "get_workspace_limit",
    "grad",
    "graph",
    "hvp",
    "implements",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "lessons",
    "load",
    "nn",
    "no_grad",
    "observe",
    "optim",
    "op",
    "pytree",
    "save",
    "scan",
    "scope",
    "set_default_dtype",
    "set_executor",
    "set_num_threads",
    "set_workspace_limit",
    "tensor",
    "testing",
    "training",
    "value_and_grad",
    "viz",
    *_ops,
]
