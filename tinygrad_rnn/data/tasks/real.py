"""Tasks of real data that comes with the package: written digits, and text."""

from __future__ import annotations

import math
from importlib import resources

import numpy as np

from tinygrad_rnn.data.errors import DataError
from tinygrad_rnn.data.split import stratified_split
from tinygrad_rnn.data.tasks.task import Drawn, Examples, Task, TaskBatch

__all__ = ["characters", "sequential_digits"]


def sequential_digits(*, batch_size: int = 32, seed: int = 0) -> Task:
    """Tell a digit after seeing its image pixel by pixel: 64 steps, from the top left on.

    1,797 images of 8x8 pixels in 17 shades, a fifth of each digit held out. x_t: one pixel, 0 to 1.
    Asked after the last step: which of ten digits. A guess has the cross entropy log(10). The small
    sister of pixel-by-pixel MNIST (Le et al. 2015). The data: Alpaydin & Kaynak 1998, licence
    CC BY 4.0; see README.md beside this file.

    >>> task = sequential_digits()
    >>> batch = next(iter(task.train))
    >>> batch.inputs.shape, batch.targets.shape
    ((64, 32, 1), (32,))
    """
    path = resources.files(__package__).joinpath("digits.npz")
    with path.open("rb") as raw, np.load(raw) as file:
        images, digits = file["images"], file["digits"].astype(np.int64)
    pixels = (images.reshape(len(images), 64).T[:, :, None] / 16).astype(np.float32)
    train, held_out = stratified_split(digits, held_out=0.2, seed=0)
    return Task(
        "sequential_digits",
        1,
        10,
        "cross entropy",
        False,
        math.log(10),
        Examples(pixels[:, train], digits[train], batch_size=batch_size, generator=seed),
        Examples(pixels[:, held_out], digits[held_out], batch_size=batch_size),
    )


def characters(
    steps: int = 100, *, batch_size: int = 32, batches: int = 100, seed: int = 0
) -> Task:
    """Tell the next character of English text, at every step.

    60,000 characters of the help texts of Python, the last tenth held out; a sequence starts
    anywhere, with no state. x_t: the character, one-hot. The baseline is the entropy of how often
    each character occurs. The text: Python Software Foundation, PSF licence; see README.md beside
    this file.

    >>> task = characters(steps=20)
    >>> batch = next(iter(task.held_out))
    >>> batch.inputs.shape == (20, 32, task.input_size), batch.targets.shape
    (True, (20, 32))
    """
    text = resources.files(__package__).joinpath("text.txt").read_text(encoding="utf-8")
    alphabet, codes = np.unique(np.array(list(text)), return_inverse=True)
    held_out = len(codes) // 10
    if not 1 <= steps < held_out:
        raise DataError(f"steps is {steps}, but must be from 1 to {held_out - 1}")
    shares = np.bincount(codes) / len(codes)

    def from_part(part: np.ndarray, *, count: int, generator: int | None) -> Drawn:
        def draw(rng: np.random.Generator, rows: int) -> TaskBatch:
            first = rng.integers(len(part) - steps, size=rows)
            seen = part[first + np.arange(steps + 1)[:, None]]
            one_hot = np.eye(len(alphabet), dtype=np.float32)
            return TaskBatch(one_hot[seen[:-1]], seen[1:].astype(np.int64), {})

        return Drawn(draw, batches=count, batch_size=batch_size, generator=generator)

    return Task(
        "characters",
        len(alphabet),
        len(alphabet),
        "cross entropy",
        True,
        float(-(shares * np.log(shares)).sum()),
        from_part(codes[:-held_out], count=batches, generator=seed),
        from_part(codes[-held_out:], count=10, generator=None),
    )
