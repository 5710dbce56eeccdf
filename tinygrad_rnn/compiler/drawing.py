"""Drawing the same random numbers again, without advancing any generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..ops import generator
from ..ops.random import use_generator

__all__ = ["drawing_from"]


@contextmanager
def drawing_from(state: Any) -> Iterator[None]:
    """Within this context this thread draws the numbers that follow that state of the generator.

    None: the usual numbers.
    """
    if state is None:
        yield
        return
    own = np.random.Generator(type(generator().bit_generator)())
    own.bit_generator.state = state
    with use_generator(own):
        yield
