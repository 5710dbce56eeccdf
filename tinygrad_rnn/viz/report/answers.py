"""What the networks of a run predict: for one name, and for all held-out names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import pad
from ...language import say
from ..charts.confusion import plot_confusion
from ..charts.history import plot_history
from ..style.text import escaped
from .section import Section, chart_figure

if TYPE_CHECKING:
    from ...training.history import History
    from ...training.names import Classifier, Corpus

__all__ = ["Answers", "answer_card", "measured"]

TOP = 4
EXAMPLES = 8
BATCH = 256

_SCORES = (
    "Accuracy on {count:,} names that they never saw: {scores}. Always answering {class_}, the "
    "most common class, would give {share:.1%}."
)
_CURVES = (
    "The loss and the accuracy after each epoch, in training and on the held-out names "
    "(validation). Where the two lines diverge, the network overfits: it memorises names."
)
_CONFUSION = (
    "Each row holds the held-out names of one class. The darker a cell, the more of them got that "
    "answer. On the diagonal the answer is right. Hover over a cell for its number."
)
_EXAMPLES = (
    "The held-out names of which the network was most certain, one for each answer. What would "
    "you have answered?"
)


@dataclass(frozen=True)
class Answers:
    """A trained network and its answers for the names that it was not trained on."""

    name: str
    model: Classifier
    corpus: Corpus
    history: History

    @cached_property
    def probabilities(self) -> Any:
        """(N, classes), for each held-out name."""
        codes = self.corpus.held_out.codes
        parts = [
            self.model.probabilities(*pad(codes[start : start + BATCH]))
            for start in range(0, len(codes), BATCH)
        ]
        return np.concatenate(parts)

    @property
    def is_right(self) -> Any:
        """(N,), whether each answer is right."""
        return self.probabilities.argmax(axis=1) == self.corpus.held_out.labels

    def of(self, name: str) -> list[tuple[str, float]]:
        """Classes and probabilities for a name, the most probable first.

        DataError for a letter that does not occur in the training data.
        """
        codes = self.corpus.vocabulary.encode(name)
        found = self.model.probabilities(*pad([codes]))[0]
        order = np.argsort(-found, kind="stable")
        return [(self.corpus.classes[i], float(found[i])) for i in order]

    def counts(self) -> Any:
        """The confusion matrix: (true class, answered class)."""
        size = len(self.corpus.classes)
        found = np.zeros((size, size), int)
        np.add.at(found, (self.corpus.held_out.labels, self.probabilities.argmax(axis=1)), 1)
        return found


def answer_card(answers: Answers, name: str, truth: str | None) -> str:
    """What one network answers for a name, as HTML: the first few classes with bars."""
    ranked = answers.of(name)[:TOP]
    rows = "".join(
        f'<tr><th scope="row">{escaped(label)}</th>'
        f'<td><i style="width:{100 * share:.1f}%"></i></td><td>{share:.0%}</td></tr>'
        for label, share in ranked
    )
    said, verdict = ranked[0][0], ""
    if truth is not None:
        verdict = say("✓ right") if said == truth else say("✗ wrong: it is {truth}", truth=truth)
        verdict = f"<b>{escaped(verdict)}</b>"
    return (
        f'<figure class="answer"><figcaption>{escaped(answers.name)}: {escaped(said)} {verdict}'
        f"</figcaption><table>{rows}</table></figure>"
    )


def measured(all_answers: Mapping[str, Answers]) -> list[Section]:
    """How good the networks are: accuracy and curves, the confusion matrix, examples."""
    best = max(all_answers.values(), key=lambda answers: float(answers.is_right.mean()))
    curves = [
        chart_figure(plot_history(a.history, ["loss", "accuracy"]), name)
        for name, a in all_answers.items()
    ]
    part, classes = best.corpus.held_out, best.corpus.classes
    commonest = np.bincount(part.labels, minlength=len(classes)).argmax()
    share = float((part.labels == commonest).mean())
    scores = "; ".join(f"{n} {a.is_right.mean():.1%}" for n, a in all_answers.items())
    found = {"count": len(part), "scores": scores, "class_": classes[commonest], "share": share}
    about = f"{say(_SCORES, **found)} {say(_CURVES)}"
    return [
        Section(say("How good are they?"), about, curves),
        Section(say("Which classes are confused?"), say(_CONFUSION),
                [chart_figure(plot_confusion(best.counts(), classes), best.name)]),
        Section(say("Right and wrong"), say(_EXAMPLES),
                [_examples(best, True), _examples(best, False)]),
    ]  # fmt: skip


def _examples(answers: Answers, right: bool) -> str:
    part, classes = answers.corpus.held_out, answers.corpus.classes
    said, sure = answers.probabilities.argmax(axis=1), answers.probabilities.max(axis=1)
    order = np.argsort(-np.where(answers.is_right == right, sure, -1.0), kind="stable")

    def rows() -> Iterator[str]:
        seen: set[int] = set()  # one of each class: most of the surest answers are of one language
        for i in order:
            if answers.is_right[i] == right and said[i] not in seen and len(seen) < EXAMPLES:
                seen.add(int(said[i]))
                truth = (
                    ""
                    if right
                    else f"<td>{escaped(say('is {truth}', truth=classes[part.labels[i]]))}</td>"
                )
                yield (
                    f'<tr><th scope="row">{escaped(part.names[i])}</th>'
                    f"<td>{escaped(classes[said[i]])}</td><td>{sure[i]:.0%}</td>{truth}</tr>"
                )

    kind = say("surely right") if right else say("surely wrong")
    return (
        f'<figure class="answer"><figcaption>{escaped(answers.name)}: {kind}</figcaption>'
        f'<table class="list">{"".join(rows())}</table></figure>'
    )
