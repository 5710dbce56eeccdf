"""What the two networks learn, and how a sequence is shown to a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tinygrad_rnn.data import load_names, tasks
from tinygrad_rnn.data.tasks import Drawn, Task, TaskBatch

__all__ = ["Lesson", "lesson", "told"]

BATCH = 32
EPOCH = 100  # batches
CLASSES = ("Polish", "Italian", "Irish", "Finnish", "Arabic", "German")

Array = Any


@dataclass(frozen=True)
class Lesson:
    """A task in words: `labels(x)` of the steps of a sequence (T, I), `classes` of the answers."""

    task: Task
    labels: Callable[[Array], list[str]]
    classes: tuple[str, ...] = ()


@cache
def lesson(name: str, steps: int, text: str = "") -> Lesson:
    """The task of that name over so many steps; `text` is the reader's own, for "text"."""
    if name == "adding":
        return Lesson(tasks.adding(steps, batch_size=BATCH), _marked)
    if name == "recall":
        task = tasks.delayed_recall(steps, batch_size=BATCH)
        return Lesson(task, _first, tuple("ABCD"))
    if name == "copy":
        length = min(3, max(1, (steps - 1) // 3))
        task = tasks.copy_memory(steps - 2 * length, symbols=4, length=length, batch_size=BATCH)
        return Lesson(task, lambda x: ["ABCD·?"[code] for code in x.argmax(-1)], tuple("ABCD"))
    if name == "parity":
        return Lesson(tasks.parity(steps, batch_size=BATCH), _bits, ("even", "odd"))
    if name == "names":
        return _names(steps)
    if name == "text":
        return _characters(text, steps)
    raise ValueError(f"there is no task {name!r}")


def _marked(x: Array) -> list[str]:
    """The number of each step, in brackets if it is one of those to add."""
    return [f"[{value:.2f}]" if mark else f"{value:.2f}" for value, mark in x]


def _first(x: Array) -> list[str]:
    return ["ABCD"[int(x[0].argmax())], *("~" for _ in x[1:])]


def _bits(x: Array) -> list[str]:
    return [str(int(bit)) for bit in x[:, 0]]


def _names(steps: int) -> Lesson:
    """Tell from which language a surname is, letter by letter; of a longer one, its end."""
    data = load_names()
    chosen = [data.classes.index(name) for name in CLASSES]
    alphabet = sorted(
        {c for item, k in zip(data.items, data.labels) if k in chosen for c in item.lower()}
    )
    place = {character: n for n, character in enumerate(alphabet)}
    of_class = [
        [item.lower()[-steps:] for item, k in zip(data.items, data.labels) if k == label]
        for label in chosen
    ]
    one_hot = np.eye(len(alphabet) + 1, dtype=np.float32)  # the last one: nothing, before a name

    def draw(part: int) -> Callable[[np.random.Generator, int], TaskBatch]:
        def batch(rng: np.random.Generator, rows: int) -> TaskBatch:
            targets = rng.integers(len(CLASSES), size=rows)
            codes = np.full((steps, rows), len(alphabet))
            for row, label in enumerate(targets):
                names = of_class[label]
                held_out = len(names) // 5
                names = names[:held_out] if part else names[held_out:]
                name = names[rng.integers(len(names))]
                codes[steps - len(name) :, row] = [place[c] for c in name]
            return TaskBatch(one_hot[codes], targets, {})

        return batch

    task = Task(
        "names", len(alphabet) + 1, len(CLASSES), "cross entropy", False,
        float(np.log(len(CLASSES))),
        Drawn(draw(0), batches=EPOCH, batch_size=BATCH, generator=0),
        Drawn(draw(1), batches=10, batch_size=BATCH),
    )  # fmt: skip
    return Lesson(task, lambda x: [[*alphabet, "·"][code] for code in x.argmax(-1)], CLASSES)


def _characters(text: str, steps: int) -> Lesson:
    """Tell the next character of the reader's own text, at every step."""
    if len(text) < steps + 2:
        raise ValueError(
            f"a text of at least {steps + 2} characters is needed, this has {len(text)}"
        )
    alphabet, codes = np.unique(np.array(list(text)), return_inverse=True)
    shares = np.bincount(codes) / len(codes)
    one_hot = np.eye(len(alphabet), dtype=np.float32)

    def draw(rng: np.random.Generator, rows: int) -> TaskBatch:
        first = rng.integers(len(codes) - steps, size=rows)
        seen = codes[first + np.arange(steps + 1)[:, None]]
        return TaskBatch(one_hot[seen[:-1]], seen[1:].astype(np.int64), {})

    task = Task(
        "text", len(alphabet), len(alphabet), "cross entropy", True,
        float(-(shares * np.log(shares)).sum()),
        Drawn(draw, batches=EPOCH, batch_size=BATCH, generator=0),
        Drawn(draw, batches=10, batch_size=BATCH),
    )  # fmt: skip
    shown = tuple("␣" if c == " " else "↵" if c == "\n" else str(c) for c in alphabet)
    return Lesson(task, lambda x: [shown[code] for code in x.argmax(-1)], shown)


def told(lesson: Lesson, answers: Array, targets: Array) -> dict[str, Any]:
    """What the network answers to one sequence, (O,) or (T, O), and what is right."""
    if lesson.task.loss == "squared error":
        return {
            "answer": f"{float(answers.ravel()[-1]):.2f}",
            "right": f"{float(targets.ravel()[-1]):.2f}",
        }
    chosen, asked = answers.argmax(-1).reshape(-1), np.asarray(targets).reshape(-1)
    names = lesson.classes
    return {
        "answer": " ".join(names[k] for k, right in zip(chosen, asked) if right >= 0),
        "right": " ".join(names[k] for k in asked if k >= 0),
    }
