"""Tasks for recurrent networks: functions that return a `Task`, the same for every cell.

>>> task = adding(steps=50)
>>> task.name, task.input_size, task.output_size, task.loss
('adding', 2, 1, 'squared error')
>>> sorted(discover())
['adding', 'characters', 'copy_memory', 'delayed_recall', 'irregular_series', 'parity', \
'sequential_digits']
"""

from __future__ import annotations

from collections.abc import Callable

from tinygrad_rnn.data.tasks.memory import adding, copy_memory, delayed_recall, parity
from tinygrad_rnn.data.tasks.real import characters, sequential_digits
from tinygrad_rnn.data.tasks.task import IGNORE, Drawn, Examples, Task, TaskBatch
from tinygrad_rnn.data.tasks.timed import irregular_series

__all__ = [
    "IGNORE",
    "Drawn",
    "Examples",
    "Task",
    "TaskBatch",
    "adding",
    "characters",
    "copy_memory",
    "delayed_recall",
    "discover",
    "irregular_series",
    "parity",
    "sequential_digits",
]


def discover() -> dict[str, Callable[..., Task]]:
    """The tasks of this package by name.

    >>> discover()["parity"](steps=5).output_size
    2
    """
    made = (globals()[name] for name in __all__ if name.islower() and name != "discover")
    return {function.__name__: function for function in made}
