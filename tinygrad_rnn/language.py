"""The language of pictures, reports and exercises: English, or one that there is a catalogue of.

A text is written in English where it is used, `say("{count} steps", count=3)`, and looked up in
`locale/LANGUAGE.json` by that text. What a reader sees is decided when it is drawn.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

from .errors import TinygradRnnError

__all__ = ["get_language", "say", "use_language"]

LANGUAGES = ("en", "ko")
_VARIABLE = "TINYGRAD_RNN_LANGUAGE"


class LanguageError(TinygradRnnError, ValueError):
    """A language that there is no catalogue of."""


_current: ContextVar[str | None] = ContextVar("tinygrad_rnn.language", default=None)


def get_language() -> str:
    """The language in force: "en" or "ko"; the environment's TINYGRAD_RNN_LANGUAGE at first.

    ValueError if that names a language that there is not.

    >>> with use_language("ko"):
    ...     get_language()
    'ko'
    """
    return _current.get() or _checked(os.environ.get(_VARIABLE) or "en", _VARIABLE)


@contextmanager
def use_language(language: str) -> Iterator[None]:
    """Inside, in this thread, pictures are labelled and reports are written in this language.

    `language`: "en" or "ko"; ValueError for another. Names of your own stay as they are.

    >>> import tinygrad_rnn as tg
    >>> with tg.viz.use_language("ko"):
    ...     print(tg.viz.show("gates").lesson.said.question)
    망각 게이트는 무슨 일을 하는가?
    """
    token = _current.set(_checked(language, "the language"))
    try:
        yield
    finally:
        _current.reset(token)


def say(text: str, /, **values: object) -> str:
    """`text` in the language in force, with `values` in its braces if there are any.

    >>> say("{count} steps", count=3)
    '3 steps'
    """
    found = _catalogue(get_language()).get(text, text)
    return found.format(**values) if values else found


@cache
def _catalogue(language: str) -> Mapping[str, str]:
    if language == "en":
        return {}
    file = files(__package__).joinpath("locale", f"{language}.json")
    found: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _checked(language: str, what: str) -> str:
    if language not in LANGUAGES:
        raise LanguageError(f"{what} is {language!r}, but should be one of {', '.join(LANGUAGES)}")
    return language
