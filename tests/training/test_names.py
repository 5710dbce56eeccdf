from __future__ import annotations

import math
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest

from tinygrad_rnn import CheckpointError, nn
from tinygrad_rnn.data import NameData, pad
from tinygrad_rnn.training import Callback, TrainingError
from tinygrad_rnn.training.names import (
    Classifier,
    Corpus,
    NamesRun,
    Settings,
    SettingsError,
    Trained,
    build,
    measure,
    train_names,
)

SMALL = Settings(
    hidden_size=12, embedding_size=4, batch_size=8, epochs=12, dropout=0.0, learning_rate=0.02
)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Words that end as they began, and words that do not: the state must carry the letter."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("ab"), rng.integers(2, 6))) for _ in range(120)]
    labels = np.array([int(word[0] == word[-1]) for word in words])
    return Corpus.of(NameData(("different", "equal"), tuple(words), labels, "ab"))


def test_corpus_holds_out_a_fifth_of_each_class(corpus: Corpus) -> None:
    whole = np.bincount(corpus.train.labels) + np.bincount(corpus.held_out.labels)
    np.testing.assert_allclose(np.bincount(corpus.held_out.labels), 0.2 * whole, atol=0.5)
    for part in (corpus.train, corpus.held_out):
        for name, codes, label in zip(part.names, part.codes, part.labels, strict=True):
            assert corpus.vocabulary.decode(codes) == name
            assert label == (name[0] == name[-1])


def test_other_seed_other_names_held_out() -> None:
    data = NameData(("a", "b"), tuple("abcdefghijklmnopqrst"), np.repeat([0, 1], 10), "abcdefghijk")
    data = NameData(data.classes, data.items, data.labels, "".join(data.items))
    assert Corpus.of(data, 0).held_out.names == Corpus.of(data, 0).held_out.names
    assert Corpus.of(data, 0).held_out.names != Corpus.of(data, 1).held_out.names


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_learns_what_takes_memory(cell: type[nn.Cell], corpus: Corpus) -> None:
    settings = Settings.of({**asdict(SMALL), "epochs": 25})
    last = train_names(build(cell, corpus, settings), corpus, settings)[-1]
    assert last["val_accuracy"] > 0.9
    assert last["train_loss"] < 0.3


def test_epochs_say_what_they_measured(corpus: Corpus) -> None:
    model, found = build(nn.GRUCell, corpus, SMALL), []

    class Watch(Callback):
        steps = 0

        def after_step(self, training: object) -> None:
            self.steps += 1

        def after_epoch(self, training: object) -> None:
            found.append(measure(model, corpus.held_out))

    watch = Watch()
    history = train_names(model, corpus, SMALL, callbacks=[watch])
    assert history["val_loss"] == [measured["loss"] for measured in found]
    assert history["val_accuracy"] == [measured["accuracy"] for measured in found]
    assert history["epoch"] == list(range(1, 13))
    assert watch.steps == 12 * -(-len(corpus.train) // SMALL.batch_size)
    rates = history["learning_rate"]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.001 * SMALL.learning_rate


def test_evaluation_counts_each_name_once_however_it_is_padded(corpus: Corpus) -> None:
    model = build(nn.LSTMCell, corpus, SMALL)
    one_by_one = np.array(
        [model.probabilities(*pad([codes]))[0] for codes in corpus.held_out.codes]
    )
    of_label = one_by_one[np.arange(len(corpus.held_out)), corpus.held_out.labels]
    loss, accuracy = measure(model, corpus.held_out).values()
    assert loss == pytest.approx(float(-np.log(of_label).mean()), rel=1e-5)
    assert accuracy == np.mean(one_by_one.argmax(axis=1) == corpus.held_out.labels)


def test_same_seed_same_bits(corpus: Corpus) -> None:
    settings = Settings.of({**asdict(SMALL), "dropout": 0.4, "epochs": 2})
    states = []
    for _ in range(2):
        model = build(nn.LSTMCell, corpus, settings)
        train_names(model, corpus, settings)
        states.append(model.state_dict())
    for name, array in states[0].items():
        assert array.tobytes() == states[1][name].tobytes(), name


def test_dropout_acts_in_training_only(corpus: Corpus) -> None:
    model = build(nn.RNNCell, corpus, Settings.of({**asdict(SMALL), "dropout": 0.5}))
    symbols, lengths = pad(corpus.train.codes[:4])
    assert np.any(model(symbols, lengths).data != model(symbols, lengths).data)
    first = model.probabilities(symbols, lengths)
    np.testing.assert_array_equal(first, model.probabilities(symbols, lengths))
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)
    assert model.training


def test_diverging_training_stops_before_the_weights_are_lost(corpus: Corpus) -> None:
    model = build(nn.RNNCell, corpus, SMALL)
    settings = Settings.of({**asdict(SMALL), "learning_rate": 1e30, "weight_decay": 1e30})
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) in epoch 1, step \d+"):
        train_names(model, corpus, settings)


class TwoStates(nn.Cell):
    """Shows its second state to the outside, and has a name of a setting that differs."""

    def __init__(self, inputs: int, hidden: int) -> None:
        self.inner = nn.LSTMCell(inputs, hidden)

    def initial_state(self, batch_size: int) -> object:
        return self.inner.initial_state(batch_size)

    def step(self, x: object, state: object) -> object:
        h, c = self.inner(x, state)
        return c, (h, c)


def test_any_cell_will_do_and_its_own_output_is_read(corpus: Corpus) -> None:
    model = build(TwoStates, corpus, SMALL)
    symbols, lengths = pad(corpus.train.codes[:3])
    outputs, _ = model.recurrent(model.embedding(symbols), lengths=lengths)
    last = outputs.data[lengths - 1, np.arange(3)]
    expected = model.readout(last).data
    np.testing.assert_allclose(model(symbols, lengths).data, expected, rtol=1e-5)


def test_stacked_layers_read_the_top_one(corpus: Corpus) -> None:
    model = build(nn.GRUCell, corpus, Settings.of({**asdict(SMALL), "layers": 2}))
    symbols, lengths = pad(corpus.train.codes[:3])
    outputs, _ = model.recurrent(model.embedding(symbols), lengths=lengths)
    last = outputs.data[lengths - 1, np.arange(3)]
    np.testing.assert_allclose(model(symbols, lengths).data, model.readout(last).data, rtol=1e-5)


# The run's folder


def test_run_is_read_back_as_it_was(corpus: Corpus, tmp_path: Path) -> None:
    run = NamesRun(tmp_path, corpus, SMALL)
    models: dict[str, Classifier] = {}
    for name, cell in {"rnn": nn.RNNCell, "gru": nn.GRUCell}.items():
        models[name] = build(cell, corpus, SMALL)
        run.histories[name] = train_names(models[name], corpus, SMALL, run=run.part(name))
    trained = Trained.load(tmp_path)
    assert trained.settings == SMALL
    assert trained.classes == corpus.classes
    assert trained.histories == run.histories
    assert trained.accuracies == {n: h[-1]["val_accuracy"] for n, h in run.histories.items()}
    assert Trained.load(tmp_path / "gru").best == "gru"
    assert Trained.load(tmp_path / "gru" / "checkpoint.safetensors").best == "gru"
    again = trained.model("gru", nn.GRUCell)
    assert measure(again, corpus.held_out) == measure(models["gru"], corpus.held_out)
    ranked = trained.rank(again.eval(), trained.encode("abba"))
    assert ranked[0][0] == "equal"
    assert math.isclose(sum(probability for _, probability in ranked), 1, rel_tol=1e-5)
    with pytest.raises(CheckpointError, match="does not hold the models"):
        trained.model("gru", nn.LSTMCell)


# Settings


def test_settings_can_be_written_down_and_read() -> None:
    settings = Settings(hidden_size=7, learning_rate=1)
    assert Settings.of(asdict(settings)) == settings
    assert isinstance(settings.learning_rate, float)


@pytest.mark.parametrize("name", [setting.name for setting in fields(Settings)])
@pytest.mark.parametrize("value", [-1, "8", None, True, math.nan])
def test_settings_out_of_range(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"{name} is {value!r}".replace("-1", "-1(.0)?")):
        Settings.of({name: value})


def test_unknown_settings() -> None:
    with pytest.raises(SettingsError, match="unknown settings: units"):
        Settings.of({"units": 8})
