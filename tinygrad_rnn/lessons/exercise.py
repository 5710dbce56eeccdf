"""Exercise: a question whose answer is computed, and a verdict on the reader's."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

from ..language import say

__all__ = ["Exercise", "Verdict", "check", "exercise", "question"]

Answer = float | str


@dataclass(frozen=True)
class Exercise:
    """A question of the guide; `answer()` computes the right answer, `because` explains it.

    A numeric answer may differ by `tolerance`, relative to the true one.

    >>> import tinygrad_rnn as tg
    >>> tg.lessons.question("gru.2").answer()
    0.75
    """

    name: str
    text: str
    hint: str
    because: str
    answer: Callable[[], Answer]
    tolerance: float = 0.01

    def accepts(self, answer: Answer) -> bool:
        """Whether `answer` is right. TypeError for text instead of a number, or vice versa."""
        right = self.answer()
        if isinstance(right, str) != isinstance(answer, str):
            kind = "a text" if isinstance(right, str) else "a number"
            raise TypeError(f"the answer to {self.name} is {kind}; got {answer!r}")
        if isinstance(right, str) or isinstance(answer, str):
            return str(answer).strip().lower() in {str(right), say(str(right))}
        return math.isclose(float(answer), right, rel_tol=self.tolerance, abs_tol=1e-12)

    def __str__(self) -> str:
        return f"{say('Exercise {name}.', name=self.name)} {say(self.text)}"

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return f"**{say('Exercise {name}.', name=self.name)}** {say(self.text)}"


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether an answer is `right`, and a comment on it; true if it is right.

    >>> import tinygrad_rnn as tg
    >>> tg.lessons.check("shapes.1", "many to one").says
    'Many letters, one language.'
    """

    right: bool
    says: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"{say('Right.') if self.right else say('Not yet.')} {self.says}"


EXERCISES: dict[str, Exercise] = {}
"""All exercises of the guide by name, such as "lstm.1": chapter and number."""


def exercise(
    name: str, text: str, *, hint: str, because: str, tolerance: float = 0.01
) -> Callable[[Callable[[], Answer]], Callable[[], Answer]]:
    """Decorator: the function that computes the answer of a new exercise."""

    def add(answer: Callable[[], Answer]) -> Callable[[], Answer]:
        EXERCISES[name] = Exercise(name, text, hint, because, answer, tolerance)
        return answer

    return add


def question(name: str) -> Exercise:
    """The exercise of that name. ValueError if there is none.

    >>> import tinygrad_rnn as tg
    >>> tg.lessons.question("lstm.1")
    Exercise lstm.1. The forget gate is 0.9 at every step and for every unit. Along the belt alone,
    what share of the gradient is left after fifty steps?
    """
    if name not in EXERCISES:
        near = difflib.get_close_matches(name, EXERCISES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(EXERCISES)}"
        raise ValueError(f"there is no exercise {name!r}; {hint}")
    return EXERCISES[name]


def check(name: str, answer: Answer) -> Verdict:
    """Compare an answer with the one that the package computes.

    TypeError for text instead of a number, or vice versa.

    >>> import tinygrad_rnn as tg
    >>> tg.lessons.check("lstm.1", 0.9)
    Not yet. Each step multiplies by 0.9 once more.
    >>> bool(tg.lessons.check("lstm.1", 0.9**50))
    True
    """
    asked = question(name)
    right = asked.accepts(answer)
    return Verdict(right, say(asked.because if right else asked.hint))
