"""The settings of a training run. Each field is also an option of `tinygrad-rnn train`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ...errors import TinygradRnnError

__all__ = ["Settings", "SettingsError"]


class SettingsError(TinygradRnnError, ValueError):
    """A setting out of its range; the message names it.

    >>> Settings(layers=0)
    Traceback (most recent call last):
        ...
    tinygrad_rnn.training.names.settings.SettingsError: layers is 0, but must be at least 1
    """


def _setting(default: Any, says: str, fits: Callable[[Any], bool], expected: str) -> Any:
    return field(default=default, metadata={"help": says, "fits": fits, "expected": expected})


def _count(default: int, says: str) -> Any:
    return _setting(default, says, lambda value: value >= 1, "at least 1")


@dataclass(frozen=True)
class Settings:
    """Sizes of the network and how it is trained.

    SettingsError if a value is of another type or out of range.

    >>> Settings(hidden_size=64).hidden_size
    64
    >>> Settings(dropout=1.5)
    Traceback (most recent call last):
        ...
    tinygrad_rnn.training.names.settings.SettingsError: dropout is 1.5, but must be at \
least 0, below 1
    """

    hidden_size: int = _count(128, "units of the recurrent state")
    embedding_size: int = _count(64, "numbers that stand for a letter")
    layers: int = _count(1, "recurrent layers on top of each other")
    dropout: float = _setting(
        0.3, "share of values dropped while training", lambda p: 0 <= p < 1, "at least 0, below 1"
    )
    epochs: int = _count(20, "passes over the training names")
    batch_size: int = _count(128, "names a step")
    learning_rate: float = _setting(
        0.005,
        "of AdamW at the start; falls to 0 along a cosine",
        lambda rate: 0 < rate < float("inf"),
        "positive and finite",
    )
    weight_decay: float = _setting(
        0.1, "of AdamW", lambda decay: 0 <= decay < float("inf"), "at least 0 and finite"
    )
    clip_norm: float = _setting(
        1.0,
        "largest norm of all gradients together",
        lambda norm: norm > 0,
        "positive (inf: no limit)",
    )
    seed: int = _setting(
        0,
        "of all random numbers: same seed, same bits",
        lambda seed: 0 <= seed < 2**63,
        "at least 0 and below 2**63",
    )

    def __post_init__(self) -> None:
        for setting in fields(self):
            value, kind = getattr(self, setting.name), type(setting.default)
            if kind is float and type(value) is int:
                object.__setattr__(self, setting.name, float(value))
            elif type(value) is not kind:
                raise SettingsError(
                    f"{setting.name} is {value!r}, but must be of type {kind.__name__}"
                )
            if not setting.metadata["fits"](value):
                raise SettingsError(
                    f"{setting.name} is {value!r}, but must be {setting.metadata['expected']}"
                )

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """From a dict, as a model file holds it. SettingsError for an unknown name.

        >>> Settings.of({"layers": 2}).layers
        2
        """
        unknown = sorted(set(values) - {setting.name for setting in fields(cls)})
        if unknown:
            raise SettingsError(f"unknown settings: {', '.join(map(str, unknown))}")
        return cls(**values)
