"""The state of the global random generators: this package's, NumPy's old one and Python's."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ops import generator

__all__ = ["random_state", "set_random_state"]


def random_state() -> dict[str, Any]:
    """All of it, as `tg.save` takes it.

    >>> import tinygrad_rnn as tg
    >>> before = random_state()
    >>> drawn = tg.rand(2), random.random(), np.random.rand()
    >>> set_random_state(before)
    >>> bool((tg.rand(2) == drawn[0]).data.all()), (random.random(), np.random.rand()) == drawn[1:]
    (True, True)
    """
    version, words, gauss = random.getstate()
    return {
        "tinygrad_rnn": generator().bit_generator.state,
        "numpy": np.random.get_state(legacy=False),
        "python": [version, np.array(words, dtype=np.uint32), gauss],
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restore what `random_state` returned.

    >>> set_random_state(random_state())
    """
    generator().bit_generator.state = state["tinygrad_rnn"]
    np.random.set_state(state["numpy"])
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
