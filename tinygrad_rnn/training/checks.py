"""Checks that the arguments of `fit` are consistent, before training starts."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

from .. import nn, optim

__all__ = ["check_arguments"]


def check_arguments(
    model: Any,
    loss: Any,
    data: Any,
    validation: Any,
    epochs: Any,
    optimizer: Any,
    schedule: Any,
    clip: Any,
) -> None:
    """TypeError or ValueError for the first argument that does not fit."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is {type(model).__name__}, but must be a tg.nn.Module")
    if not callable(loss):
        raise TypeError(f"loss is {type(loss).__name__}, not a function of model, batch")
    _check_batches("data", data)
    if validation is not None and not callable(validation):
        _check_batches("validation", validation)
    try:
        count = operator.index(epochs)
    except TypeError:
        raise TypeError(f"epochs is {epochs!r}, but must be a whole number") from None
    if count < 1:
        raise ValueError(f"epochs is {epochs}, but must be at least 1")
    _check_optimizer(optimizer, model)
    if schedule is not None:
        _check_schedule(schedule, optimizer)
    if clip is not None and not callable(clip):
        if isinstance(clip, bool) or not isinstance(clip, int | float):
            raise TypeError(f"clip is {clip!r}, neither a norm nor a function of the parameters")
        if not clip > 0:
            raise ValueError(f"clip is {clip}, but must be a positive norm")


def _check_batches(name: str, batches: Any) -> None:
    if not isinstance(batches, Iterable) or iter(batches) is batches:
        raise TypeError(
            f"{name} is {type(batches).__name__}, but must be iterable again and again, such as a "
            "list of batches or what tinygrad_rnn.data has"
        )


def _check_optimizer(optimizer: Any, model: nn.Module) -> None:
    if not isinstance(optimizer, optim.Optimizer):
        raise TypeError(
            f"optimizer is {type(optimizer).__name__}, not an Optimizer: write "
            "optimizer=tg.optim.Adam(model.parameters())"
        )
    learnt = {id(p) for group in optimizer.param_groups for p in group["params"]}
    ours = [id(p) for p in model.parameters()]
    if ours and learnt.isdisjoint(ours):
        raise ValueError(
            "optimizer holds no parameter of model: was it made for another model, or before "
            "this one was built?"
        )


def _check_schedule(schedule: Any, optimizer: Any) -> None:
    if not isinstance(schedule, optim.lr_scheduler.LRScheduler):
        raise TypeError(
            f"schedule is {type(schedule).__name__}, but must be an LRScheduler, stepped after "
            "each step; one that waits for a metric is a callback: "
            "callbacks=[EachEpoch(schedule, 'val_loss')]"
        )
    if schedule.optimizer is not optimizer:
        raise ValueError("schedule was made for another optimizer than the one that is given")
