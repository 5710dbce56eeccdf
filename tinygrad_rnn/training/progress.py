"""The progress of training: a bar in a terminal or notebook, lines in a log file."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from typing import Any

from .loop import Callback, Training

__all__ = ["Progress", "new_bar"]

_WIDTH = 80
_HIDDEN = ("learning_rate", "gradient_norm")  # of those that come last, if there is no room


class Progress(Callback):
    """A line of metrics after each epoch on stderr, with a progress bar unless that is a file.

    `fit` adds one unless called with `progress=False`.

    >>> import contextlib, io
    >>> import tinygrad_rnn as tg
    >>> x, log = tg.nn.Parameter([4.0]), io.StringIO()
    >>> with contextlib.redirect_stderr(log):
    ...     _ = tg.training.fit(
    ...         tg.nn.Module(), lambda model, batch: (x * x).sum(), [0], epochs=1,
    ...         optimizer=tg.optim.SGD([x]),
    ...     )
    >>> log.getvalue().split()[:4]
    ['epoch', 'train_loss', 'gradient_norm', 'learning_rate']
    """

    _bar: Any = None
    _columns: tuple[str, ...] = ()

    def before_fit(self, training: Training) -> None:
        """See `Callback`."""
        steps = len(training.data) if hasattr(training.data, "__len__") else None
        total = steps and steps * training.epochs
        self._bar = new_bar(total=total, initial=training.step, unit=" steps", leave=False)

    def after_step(self, training: Training) -> None:
        """See `Callback`."""
        self._bar.update()

    def after_epoch(self, training: Training) -> None:
        """See `Callback`."""
        row = training.metrics
        if not self._columns:
            self._columns = _that_fit(tuple(row))
            self._write("  ".join(f"{name:>{_wide(name)}}" for name in self._columns))
        self._write("  ".join(f"{_number(row.get(n)):>{_wide(n)}}" for n in self._columns))

    def after_fit(self, training: Training) -> None:
        """See `Callback`."""
        if training.stopped:
            self._write(f"stopped: {training.stopped}")

    def close(self, training: Training) -> None:
        """See `Callback`."""
        if self._bar is not None:
            self._bar.close()

    def _write(self, line: str) -> None:
        self._bar.write(line, file=sys.stderr)
        sys.stderr.flush()


def new_bar(**options: Any) -> Any:
    """The notebook's bar in a notebook that can show it, else the terminal's; none in a file.

    `options`: those of tqdm.

    >>> with new_bar(total=2, disable=True) as bar:
    ...     _ = bar.update()
    """
    from tqdm import tqdm

    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    in_notebook = type(shell).__name__ == "ZMQInteractiveShell"
    if in_notebook and importlib.util.find_spec("ipywidgets"):
        from tqdm.notebook import tqdm as notebook

        return notebook(**options)
    size = shutil.get_terminal_size()  # Python's idea, where the terminal says 0 x 0
    look = {"ncols": min(size.columns, _WIDTH) - 1, "nrows": size.lines, "disable": None}
    return tqdm(**{**look, **options})


def _that_fit(names: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that fit on a line; rates and norms are dropped first."""
    kept = list(names)
    for name in (*_HIDDEN, *reversed(names)):
        if sum(_wide(n) + 2 for n in kept) - 2 > _WIDTH - 1 and name in kept[1:]:
            kept.remove(name)
    return tuple(kept)


def _wide(name: str) -> int:
    return max(len(name), 7)


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}"
