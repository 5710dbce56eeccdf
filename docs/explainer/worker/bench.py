"""The two sides, kept between the page's questions, and their training on the same batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

import tinygrad_rnn as tg
from tinygrad_rnn.data.tasks import TaskBatch

from .look import example, look, numbers
from .network import Settings, Side

__all__ = ["Bench"]

KEPT = 48  # moments of a training that can be gone back to


class Bench:
    """Sides by name. What the page asks for says all of it, so that a new bench can go on."""

    def __init__(self) -> None:
        self.sides: dict[str, Side] = {}
        self._turned: dict[str, dict[str, float]] = {}  # knobs as they were set last
        self._moments: dict[int, dict[str, dict[str, Any]]] = {}
        self._batches: tuple[Settings, Iterator[TaskBatch]] | None = None
        self.updates = 0

    def side(self, name: str, text: str, settings: Settings, knobs: dict[str, float]) -> Side:
        """The side of that name, made anew if its text has changed, or settings that need it.

        A knob that has changed is turned on the network as it is. A bias that is let go is as it
        was before; a radius that is let go makes the network anew.
        """
        known, turned = self.sides.get(name), self._turned.get(name, {})
        kept = known is not None and known.text == text and known.adopt(settings)
        if known is None or not kept or "radius" in turned.keys() - knobs:
            self.sides.pop(name, None)
            known = Side(text, settings)
            self.sides[name] = known
            turned = {}
            self.restart()
        for knob in turned.keys() - knobs:
            known.knobs.let_go(knob)
        for knob, value in knobs.items():
            if turned.get(knob) != value:
                _turn(known, knob, value)
        self._turned[name] = dict(knobs)
        return known

    def restart(self) -> None:
        """Forget the training; the next update is the first."""
        self._moments.clear()
        self._batches = None
        self.updates = 0
        for side in self.sides.values():
            side.losses.clear()

    def reset(self) -> None:
        """Make all sides anew."""
        self.sides.clear()
        self._turned.clear()
        self.restart()

    def train(self, budget: float, updates: int | None = None) -> dict[str, Any]:
        """Updates of all sides until so many seconds, or updates, are spent."""
        settings = next(iter(self.sides.values())).settings
        if self._batches is None or self._batches[0] != settings:
            self._batches = settings, _forever(settings)
        if self.updates == 0:
            self._keep()
        started = time.perf_counter()
        losses: dict[str, list[float]] = {name: [] for name in self.sides}
        for done in count(1):
            batch = next(self._batches[1])
            for name, side in self.sides.items():
                losses[name].append(side.update(batch))
            self.updates += 1
            if _is_kept(self.updates):
                self._keep()
            if done == updates or time.perf_counter() - started > budget:
                break
        return {
            "losses": losses,
            "updates": self.updates,
            "moments": sorted(self._moments),
            "baseline": settings.lesson.task.baseline,
        }

    def flows(self) -> dict[str, Any]:
        """The gradient at each state, now, by side."""
        return {
            name: numbers(s, _first(s), once=False)[0]["flow"] for name, s in self.sides.items()
        }

    def go_to(self, moment: int) -> None:
        """Put back the weights after so many updates; training goes on from where it was left."""
        if self.updates not in self._moments:
            self._keep()
        for name, weights in self._moments[moment].items():
            self.sides[name].network.load_state_dict(weights)

    def look(self, name: str, level: str) -> dict[str, Any]:
        """What the page shows of a side."""
        return look(self.sides[name], level, name)

    def _keep(self) -> None:
        self._moments[self.updates] = {
            name: side.network.state_dict() for name, side in self.sides.items()
        }
        if len(self._moments) > KEPT:  # every other one, but for the first and the last
            for moment in sorted(self._moments)[1:-1:2]:
                del self._moments[moment]


def _first(side: Side) -> Any:
    return tg.tensor(example(side).inputs[:, :1])


def _is_kept(updates: int) -> bool:
    """Densely at first, where much happens."""
    return (
        updates % (1 if updates < 5 else 5 if updates < 50 else 25 if updates < 500 else 100) == 0
    )


def _forever(settings: Settings) -> Iterator[TaskBatch]:
    """The task's batches, the same for all sides, epoch by epoch."""
    batches = settings.lesson.task.train
    rng = np.random.default_rng(settings.seed)
    while True:
        for key in batches.order(rng):
            yield batches.batch(key)


def _turn(side: Side, knob: str, value: float) -> None:
    """`radius`, or the bias of the gate that the knob is named after."""
    if knob == "radius":
        side.knobs.set_radius(value)
    elif knob in side.knobs.biases:
        side.knobs.set_bias(knob, value)
