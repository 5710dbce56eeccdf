"""One thread for PyTorch: on small arrays, beside other tests, more of them wait for each other."""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):
    import torch

    torch.set_num_threads(1)
