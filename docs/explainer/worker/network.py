"""One side of the page: the reader's cell as a network that learns the task."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim, pytree
from tinygrad_rnn.data.tasks import IGNORE, TaskBatch
from tinygrad_rnn.viz.svg.drawing import Drawing

from .knobs import Knobs
from .source import CellError, blame, cell_class
from .tasks import Lesson, lesson

__all__ = ["Network", "Settings", "Side"]

CLIP = 1.0
LARGEST = 64  # units or steps; more is too slow for a picture within a second


@dataclass(frozen=True)
class Settings:
    """What both sides share; as the page sends it."""

    task: str = "adding"
    steps: int = 20
    hidden: int = 8
    truncate: int = 0  # 0: not at all
    rate: float = 0.01
    seed: int = 0
    text: str = ""

    def __post_init__(self) -> None:
        for name in ("steps", "hidden"):
            if not 2 <= getattr(self, name) <= LARGEST:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, but must be from 2 to {LARGEST}"
                )

    @property
    def lesson(self) -> Lesson:
        """The task that they learn."""
        return lesson(self.task, self.steps, self.text if self.task == "text" else "")


class Network(nn.Module):
    """The cell over a sequence, and what it answers: (T, B, O), or (B, O) of the last step."""

    def __init__(self, cell: nn.Cell, hidden: int, settings: Settings) -> None:
        task = settings.lesson.task
        self.every_step = task.every_step
        self.recurrent = nn.Recurrent(cell, truncate=settings.truncate or None)
        self.readout = nn.Linear(hidden, task.output_size)
        for prefix, part in ("", cell), ("readout.", self.readout):
            for name, parameter in part.named_parameters():
                parameter.name = prefix + name  # as in the reader's text

    def forward(self, x: Any) -> tg.Tensor:
        """x (T, B, I)."""
        outputs, _ = self.recurrent(x)
        return self.readout(outputs if self.every_step else outputs[-1])

    def last(self, x: Any) -> tg.Tensor:
        """The answer after the last step, (B, O): straight from the final state, where it can."""
        return self.with_last(x)[1]

    def with_last(self, x: Any) -> tuple[tg.Tensor, tg.Tensor]:
        """The outputs of all steps, (T, B, H), and `last`."""
        outputs, states = self.recurrent(x)
        (cell,) = self.recurrent.cells
        if hasattr(type(cell), "step"):  # its output is no part of its state
            return outputs, self.readout(outputs[-1])
        return outputs, self.readout(pytree.leaves(states)[0])

    def loss(self, batch: TaskBatch) -> tg.Tensor:
        """The mean over all answers asked."""
        answers = self(tg.tensor(batch.inputs))
        if batch.targets.dtype.kind == "f":
            return nn.mse_loss(answers, batch.targets)
        asked = batch.targets.reshape(-1)
        answers = answers.reshape(-1, answers.shape[-1])
        return nn.functional.cross_entropy(answers, asked, ignore_index=IGNORE)


@dataclass
class Side:
    """A cell's text made a network, with its optimiser, and its knobs."""

    text: str
    settings: Settings
    network: Network = field(init=False)
    knobs: Knobs = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        task = settings.lesson.task
        made = cell_class(self.text)
        try:
            tg.manual_seed(settings.seed)
            cell = made(task.input_size, settings.hidden)
            state = cell(tg.zeros(1, task.input_size), cell.initial_state(1))
            if any(not isinstance(leaf, tg.Tensor) for leaf in pytree.leaves(state)):
                raise CellError(
                    "`forward` returns the next state, one Tensor (B, H) or a tuple of them."
                )
            self.network = Network(cell, cell.output_size, settings)
            self.knobs = Knobs(cell, task.input_size)
        except Exception as error:
            raise blame(error) from error
        self.name = made.__name__
        self.parameters = list(self.network.parameters())
        self.optimizer = optim.Adam(self.parameters, lr=settings.rate)
        self.losses: list[float] = []
        self.drawn: Drawing | None = None  # the picture that the page shows

    def adopt(self, settings: Settings) -> bool:
        """Go on as the same network with other settings; False if they need another network."""
        own = {"rate": settings.rate, "steps": settings.steps, "truncate": settings.truncate}
        if replace(self.settings, **own) != settings:
            return False
        if settings.lesson.task.input_size != self.settings.lesson.task.input_size:
            return False
        self.settings = settings
        self.network.recurrent.truncate = settings.truncate or None
        for group in self.optimizer.param_groups:
            group["lr"] = settings.rate
        return True

    def update(self, batch: TaskBatch) -> float:
        """One step of training; returns the loss before it."""
        try:
            loss = self.network.loss(batch)
            self.optimizer.zero_grad()
            loss.backward()
            optim.clip_grad_norm_(self.parameters, CLIP)
            self.optimizer.step()
        except Exception as error:
            raise blame(error) from error
        self.losses.append(loss.item())
        return self.losses[-1]
