"""Optimisers, gradient clipping and learning-rate schedules, with PyTorch's names and results.

Read `optimizer.py` first: the loop that every optimiser shares. The others are update rules.

>>> import tinygrad_rnn as tg
>>> from tinygrad_rnn import optim
>>> x = tg.tensor([4.0, -2.0], requires_grad=True)
>>> optimizer = optim.SGD([x], lr=0.25)
>>> schedule = optim.lr_scheduler.StepLR(optimizer, step_size=2)
>>> for _ in range(3):
...     optimizer.zero_grad()
...     (x * x).sum().backward()
...     norm = optim.clip_grad_norm_([x], max_norm=100.0)
...     optimizer.step()
...     schedule.step()
>>> x
tensor([ 0.95 , -0.475], dtype=float32, requires_grad=True)
"""

import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING

from .. import torch_names as _torch_names
from . import lr_scheduler
from .adam import Adam, AdamW
from .clip import clip_grad_norm_, clip_grad_value_
from .optimizer import Optimizer
from .rmsprop import RMSprop
from .sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
]

if not _TYPE_CHECKING:  # a type checker knows this package's own names only

    def __getattr__(name: str) -> object:
        return _torch_names.missing("optim", name, _sys.modules[__name__])
