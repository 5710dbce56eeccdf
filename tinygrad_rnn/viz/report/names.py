"""The report on name classifiers, as a lesson: the answer, how good it is, how it came about."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import ops
from ...engine.tensor import Tensor
from ...language import say
from ..charts.plots import plot_gradient_flow
from ..gradient.analysis import gradient_flow
from ..style.text import escaped, in_words
from .answers import Answers, answer_card, measured
from .section import Section, chart_figure, write_report
from .views import views

if TYPE_CHECKING:
    from ...training.history import History
    from ...training.names import Classifier, Corpus

__all__ = ["embedded", "names_report", "place_of"]

_LEAD = (
    "The networks read a name letter by letter. Their state after the last letter decides the "
    "answer. This page shows first how good they are, then what happens inside."
)
_HELD_OUT = "“{name}” is {class_}. It is one of the names held out: the networks never saw it."
_TRAINED_ON = (
    "“{name}” is {class_}. The networks were trained on this very name, so they may have "
    "memorised it."
)
_NOWHERE = "“{name}” is in none of the lists, so there is no right answer to compare with."
_LEFT = "{name} {short} in {count} letters, {long} in {many}"
_HUNDRED = (
    "Short names hardly show it: the gradient has only a few steps in which to shrink. So here "
    "the same trained networks read {many} letters, held-out names one after another. What is "
    "left of the gradient, from the last letter back to the first: {told}. This is where a plain "
    "RNN and an LSTM differ, and why LSTMs were invented. (tinygrad-rnn show vanishing lets you "
    "change the values that decide it.)"
)

LONG = 100  # letters, a sequence long enough for a gradient to vanish


def names_report(
    path: str | os.PathLike[str],
    models: Mapping[str, Classifier],
    corpus: Corpus,
    histories: Mapping[str, History],
    name: str,
) -> Path:
    """Write a page about classifiers of names, by the name of their cell, and how they read `name`.

    It holds each network's answer and whether it is right, accuracy, learning curves, confusion
    matrix and examples; then the gradient and the gates letter by letter, and the gradient over a
    hundred letters. DataError for a letter that does not occur in the training data; OSError if the
    page cannot be written.

    >>> import tempfile
    >>> from tinygrad_rnn import data, nn
    >>> from tinygrad_rnn.training.names import Corpus, Settings, build, train_names
    >>> settings = Settings(hidden_size=4, epochs=1, batch_size=2000)
    >>> corpus = Corpus.of(data.load_names())
    >>> model = build(nn.GRUCell, corpus, settings)
    >>> history = train_names(model, corpus, settings)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = Path(folder) / "report.html"
    ...     names_report(page, {"gru": model}, corpus, {"gru": history}, "Kowalski").name
    'report.html'
    """
    answers = {n: Answers(n, model.eval(), corpus, histories[n]) for n, model in models.items()}
    label, where = place_of(corpus, name)
    truth = None if label is None else corpus.classes[label]
    cards = "".join(answer_card(a, name, truth) for a in answers.values())
    lead = f'<p class="lead">{escaped(where)}</p><div class="row">{cards}</div><p>{say(_LEAD)}</p>'
    goal = label if label is not None else _goal(answers, name)

    def loss(scores: Tensor) -> Tensor:
        found: Tensor = (-ops.log_softmax(scores)[0, goal]).named("loss")
        return found

    reads = {n: model.read for n, model in models.items()}
    letters = {n: embedded(model, corpus, name) for n, model in models.items()}
    flow, *others = views(reads, letters, list(name), loss)
    sections = [*measured(answers), flow, _long(models, corpus, reads, letters, loss), *others]
    return write_report(path, say("Which language is “{name}” from?", name=name), sections, lead)


def place_of(corpus: Corpus, name: str) -> tuple[int | None, str]:
    """The class of a name if the corpus has it, and a sentence about where it has it."""
    for part in (corpus.held_out, corpus.train):
        if name in part.names:
            label = int(part.labels[part.names.index(name)])
            found = {"name": name, "class_": corpus.classes[label]}
            return label, say(_HELD_OUT if part is corpus.held_out else _TRAINED_ON, **found)
    return None, say(_NOWHERE, name=name)


def embedded(model: Classifier, corpus: Corpus, name: str) -> Tensor:
    """The input of the recurrent layer: the embedded letters, with a gradient of their own."""
    codes = corpus.vocabulary.encode(name)
    letters: Any = model.eval().embedding(codes[:, None]).detach()
    found: Tensor = letters.requires_grad_().named("letter")
    return found


def _goal(answers: Mapping[str, Answers], name: str) -> int:
    """The answer of the most accurate network, for a name whose class is not known."""
    best = max(answers.values(), key=lambda a: float(a.is_right.mean()))
    return best.corpus.classes.index(best.of(name)[0][0])


def _long(
    models: Mapping[str, Classifier], corpus: Corpus, reads: Mapping[str, Any],
    letters: Mapping[str, Tensor], loss: Any,
) -> Section:  # fmt: skip
    """The same networks over a hundred letters: where vanishing happens."""
    text = _joined(corpus.held_out.names)
    flows, told = {}, []
    for name, model in models.items():
        flows[name] = gradient_flow(reads[name], embedded(model, corpus, text), loss)
        short = _kept(gradient_flow(reads[name], letters[name], loss))
        long = _kept(flows[name])
        count = len(letters[name])
        shares = {"short": in_words(short), "long": in_words(long)}
        told.append(say(_LEFT, name=name, count=count, many=LONG, **shares))
    about = say(_HUNDRED, many=LONG, told=say("; ").join(told))
    chart = plot_gradient_flow(flows)
    return Section(say("And over a hundred letters?"), about, [chart_figure(chart)])


def _joined(names: Sequence[str]) -> str:
    """A hundred letters: names one after the other, the longest first, again and again."""
    letters = "".join(reversed(names))
    return (letters * (LONG // len(letters) + 1))[:LONG]


def _kept(flow: Mapping[str, Mapping[str, Any]]) -> float:
    """The share of the gradient that is left at the first step, on the state that keeps most."""
    shares = []
    for states in flow.values():
        for norms in states.values():
            known = norms[np.isfinite(norms)]
            if known.size and known.max() > 0:
                shares.append(float(known[0] / known.max()))
    return max(shares, default=0.0)
