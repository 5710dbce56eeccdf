from __future__ import annotations

import math
import re
import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_rnn as tg
from tinygrad_rnn import nn, optim
from tinygrad_rnn.training import (
    Callback,
    EachEpoch,
    EarlyStopping,
    History,
    KeepBest,
    Training,
    TrainingError,
    evaluate,
    fit,
    over_seeds,
)


class Numbers(NamedTuple):
    """A batch of some numbers."""

    x: np.ndarray

    @property
    def weight(self) -> int:
        return len(self.x)


class Scale(nn.Module):
    def __init__(self, value: float = 2.0) -> None:
        self.scale = nn.Parameter([value])

    def forward(self, x: Any) -> Any:
        return self.scale * x


def mean_square(model: Any, batch: Any) -> Any:
    y = model(batch.x)
    return tg.square(y).mean(), {"largest": (y.data.max(), 1), "mean": y.data.mean()}


def sgd(model: nn.Module, lr: float = 0.01) -> optim.Optimizer:
    return optim.SGD(model.parameters(), lr=lr)


def quiet(model: nn.Module, loss: Any, data: Any, epochs: int = 1, **options: Any) -> History:
    options.setdefault("optimizer", sgd(model))
    return fit(model, loss, data, epochs=epochs, progress=False, **options)


# What is trained and measured


def test_a_training_is_the_loop_that_one_would_write() -> None:
    rng = np.random.default_rng(0)
    data = [(rng.normal(size=(4, 3)).astype("f4"), rng.integers(0, 2, 4)) for _ in range(5)]
    models = []
    for _ in range(2):
        tg.manual_seed(0)
        models.append(nn.Sequential(nn.Linear(3, 8), tg.tanh, nn.Dropout(0.3), nn.Linear(8, 2)))
    ours, by_hand = models

    def loss(model: Any, batch: Any) -> Any:
        return nn.cross_entropy(model(batch[0]), batch[1])

    adam = optim.Adam(ours.parameters(), lr=0.05)
    cosine = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=15)
    tg.manual_seed(1)
    quiet(ours, loss, data, 3, optimizer=adam, schedule=cosine, clip=0.5)

    adam = optim.Adam(by_hand.parameters(), lr=0.05)
    cosine = optim.lr_scheduler.CosineAnnealingLR(adam, T_max=15)
    tg.manual_seed(1)
    for _ in range(3):
        for batch in data:
            adam.zero_grad()
            loss(by_hand, batch).backward()
            optim.clip_grad_norm_(by_hand.parameters(), 0.5)
            adam.step()
            cosine.step()
    for name, array in by_hand.state_dict().items():
        assert ours.state_dict()[name].tobytes() == array.tobytes()


@given(st.lists(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=6), min_size=1))
def test_means_are_over_items_however_they_are_batched(batches: list[list[float]]) -> None:
    model, data = Scale(), [Numbers(np.array(batch, "f4")) for batch in batches]
    found = evaluate(model, mean_square, data)
    y = 2 * np.concatenate([b.x for b in data]).astype("f8")
    np.testing.assert_allclose(found["loss"], np.mean(y**2), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["mean"], np.mean(y), rtol=1e-5, atol=1e-5)
    largest = [2 * batch.x.max() for batch in data]  # a pair says what it counts
    np.testing.assert_allclose(found["largest"], np.mean(largest), rtol=1e-5, atol=1e-5)


def test_history_says_what_was_measured() -> None:
    model = Scale()
    data = [Numbers(np.ones(2, "f4")), Numbers(np.full(1, 3, "f4"))]
    history = quiet(model, mean_square, data, 2, validation=data[:1], optimizer=sgd(model, 0.0))
    assert history.names == (
        "epoch",
        "train_loss",
        "train_largest",
        "train_mean",
        "gradient_norm",
        "val_loss",
        "val_largest",
        "val_mean",
        "learning_rate",
        "seconds",
    )
    row = history[-1]
    assert (row["epoch"], row["learning_rate"]) == (2, 0.0)
    assert row["train_loss"] == pytest.approx((2 * 4 + 36) / 3)
    assert row["train_largest"] == pytest.approx((2 + 6) / 2)
    assert row["val_loss"] == pytest.approx(4.0)
    assert row["gradient_norm"] == pytest.approx((4 + 36) / 2)
    assert row["seconds"] > 0


def test_a_metric_named_loss_stands_in_the_history() -> None:
    model = Scale()
    history = quiet(model, lambda m, b: (m(b).sum(), {"loss": 7.0}), [np.ones(1, "f4")])
    assert history["train_loss"] == [7.0]


def test_validation_is_without_dropout_and_gradient_and_may_be_a_function() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    modes = []

    def loss(model: Any, batch: Any) -> Any:
        modes.append((model.training, tg.is_grad_enabled()))
        return model(batch).mean()

    quiet(model, loss, [np.ones((1, 2), "f4")], validation=[np.ones((1, 2), "f4")] * 2)
    assert modes == [(True, True), (False, False), (False, False)]
    assert model.training
    history = quiet(
        model,
        loss,
        [np.ones((1, 2), "f4")],
        validation=lambda m: {"odd": m.training + tg.is_grad_enabled()},
    )
    assert history["val_odd"] == [0.0]
    model.eval()
    evaluate(model, loss, [np.ones((1, 2), "f4")])
    assert not model.training


def test_clip_may_be_a_function() -> None:
    model, given = Scale(), []
    quiet(model, mean_square, [Numbers(np.ones(1, "f4"))], clip=lambda p: given.append(p))
    assert given == [list(model.parameters())]


# Callbacks


def test_callbacks_are_told_in_order_and_closed_after_an_error() -> None:
    class Log(Callback):
        def __init__(self) -> None:
            self.events: list[str] = []

    for name in ("before_fit", "after_step", "after_epoch", "after_fit", "close"):
        setattr(Log, name, lambda self, training, name=name: self.events.append(name))
    log = Log()
    quiet(Scale(), mean_square, [Numbers(np.ones(1, "f4"))] * 2, callbacks=[log])
    assert " ".join(log.events) == "before_fit after_step after_step after_epoch after_fit close"
    log = Log()
    with pytest.raises(ZeroDivisionError):
        quiet(
            Scale(),
            mean_square,
            [Numbers(np.ones(1, "f4"))],
            callbacks=[log, lambda training: 1 // 0],
        )
    assert log.events == ["before_fit", "after_step", "after_epoch", "close"]


@given(
    values=st.lists(st.integers(0, 4) | st.just(math.nan), min_size=1, max_size=12),
    patience=st.integers(1, 4),
    mode=st.sampled_from(["min", "max"]),
)
def test_early_stopping_and_the_best_weights(values: Any, patience: int, mode: str) -> None:
    """Against the definition, on any course of a metric."""
    model, best = Scale(), KeepBest("val_metric", mode=mode)
    course, weights = iter(values), []

    def measure(model: Any) -> dict[str, float]:
        weights.append(float(model.scale.data[0]))
        return {"metric": next(course)}

    history = quiet(
        model,
        mean_square,
        [Numbers(np.ones(1, "f4"))],
        len(values),
        validation=measure,
        callbacks=[best, EarlyStopping("val_metric", patience, mode=mode)],
    )
    sign = 1 if mode == "min" else -1
    stop, at, lowest = len(values), 0, math.inf
    for epoch, value in enumerate(values, start=1):
        if sign * value < lowest:
            at, lowest = epoch, sign * value
        elif epoch - at >= patience:
            stop = epoch
            break
    assert len(history) == stop
    assert best.epoch == at
    assert float(model.scale.data[0]) == weights[at - 1 if at else -1]


def test_a_schedule_each_epoch_with_a_metric() -> None:
    model = Scale()
    optimizer = sgd(model, 1.0)
    step = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    data = [Numbers(np.zeros(1, "f4"))] * 3
    history = quiet(model, mean_square, data, 5, optimizer=optimizer, callbacks=[EachEpoch(step)])
    assert history["learning_rate"] == [1.0, 1.0, 0.5, 0.5, 0.25]
    with pytest.raises(ValueError, match="waits for a metric"):
        EachEpoch(optim.lr_scheduler.ReduceLROnPlateau(optimizer))


@pytest.mark.parametrize("make", [KeepBest, EarlyStopping])
def test_a_metric_that_is_not_there(make: Any) -> None:
    with pytest.raises(ValueError, match=r"no metric 'val_loss' is measured \(fit has no valid"):
        quiet(Scale(), mean_square, [Numbers(np.ones(1, "f4"))], callbacks=[make()])
    with pytest.raises(ValueError, match="mode is 'lowest'"):
        make("val_loss", mode="lowest")


# A loss that is no number


class Exploding(nn.Module):
    """Goes wrong at the third step of time, in its second layer."""

    def __init__(self) -> None:
        self.first = nn.RNN(1, 2)
        self.second = nn.Recurrent(Log1mCell(2, 2))

    def forward(self, x: Any) -> Any:
        outputs, _ = self.first(x)
        return self.second(outputs)[0]


class Log1mCell(nn.Cell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        self.hidden_size = hidden_size
        self.weight = nn.Parameter(np.ones(2), dtype="f4")

    def initial_state(self, batch_size: int) -> Any:
        return self.zeros(batch_size, self.hidden_size)

    def forward(self, x: Any, state: Any) -> Any:
        count = state + 1.0
        return count + 0.0 * self.weight * tg.log(3.0 - count).named("remaining") * x


def test_the_watch_names_layer_op_and_time_step() -> None:
    tg.manual_seed(0)
    model = Exploding()
    before = model.state_dict()
    data = [np.ones((steps, 1, 1), "f4") for steps in (1, 2, 5)]
    with pytest.raises(TrainingError) as caught:
        quiet(model, lambda m, x: m(x).mean(), data, 2)
    message = str(caught.value)
    assert re.match(r"the loss is (nan|-?inf) in epoch 1, step 3: the result of log", message)
    assert "second" in message and re.search(r"\b(step|t) ?=? ?2\b", message), message
    assert "\n" not in message
    after = model.state_dict()
    assert all(np.isfinite(after[name]).all() for name in before)


def test_the_watch_sees_gradients_too_and_leaves_the_weights() -> None:
    model = Scale(0.0)
    with pytest.raises(TrainingError, match=r"the gradient's norm is (nan|inf) in epoch 1, step 1"):
        quiet(model, lambda m, x: tg.sqrt(m(x)).sum(), [np.ones(1, "f4")])
    assert model.scale.data.tolist() == [0.0]
    assert model.scale.grad is None


def test_the_watch_repeats_the_step_with_the_same_random_numbers() -> None:
    tg.manual_seed(0)
    model = Scale(1.0)

    def loss(model: Any, x: Any) -> Any:
        return tg.log(model(tg.rand(1)) - 0.5).sum()  # NaN for every second draw

    with pytest.raises(TrainingError, match="the result of log has the first Inf or NaN"):
        quiet(model, loss, [0] * 50)


def test_what_does_not_come_again_is_said() -> None:
    losses = iter([math.nan, 1.0])
    with pytest.raises(TrainingError, match="it did not occur again when the step was repeated"):
        quiet(Scale(), lambda m, x: m(1.0).sum() * next(losses), [0])


def test_the_watch_looks_at_the_validation() -> None:
    model = Scale(1.0)

    def loss(model: Any, x: Any) -> Any:
        return tg.log(model(x)).sum()

    message = r"the validation's loss is -inf after epoch 1: the result of log has the first"
    with pytest.raises(TrainingError, match=message):
        quiet(model, loss, [np.ones(1, "f4")], validation=[np.zeros(1, "f4")])
    assert model.training and math.isfinite(model.scale.data[0])


def test_weights_that_were_lost_before() -> None:
    model = Scale(math.inf)
    with pytest.raises(TrainingError, match="parameter 'scale' was no longer finite before it"):
        quiet(model, lambda m, x: m(1.0).sum(), [0])


# Arguments that do not fit


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"model": lambda x: x}, TypeError, "model is function, but must be a tg.nn.Module"),
        ({"loss": 3.0}, TypeError, "loss is float, not a function"),
        ({"data": iter([1])}, TypeError, "data is list_iterator, but must be iterable again"),
        ({"data": 5}, TypeError, "data is int, but must be iterable again"),
        ({"validation": iter([1])}, TypeError, "validation is list_iterator"),
        ({"validation": 5}, TypeError, "validation is int"),
        ({"epochs": 0}, ValueError, "epochs is 0, but must be at least 1"),
        ({"epochs": 1.5}, TypeError, "epochs is 1.5, but must be a whole number"),
        ({"optimizer": optim.SGD}, TypeError, "optimizer is type, not an Optimizer"),
        ({"schedule": "cosine"}, TypeError, "schedule is str, but must be an LRScheduler"),
        ({"clip": 0.0}, ValueError, "clip is 0.0, but must be a positive norm"),
        ({"clip": "1"}, TypeError, "clip is '1'"),
        ({"callbacks": [KeepBest]}, TypeError, "is no callback"),
        ({"callbacks": KeepBest("train_loss")}, TypeError, "callbacks is KeepBest, not a list"),
        ({"data": []}, ValueError, "data gave no batch"),
        ({"loss": lambda m, b: 1.0}, TypeError, "returned float, but must return a Tensor"),
        ({"loss": lambda m, b: m(np.ones(3, "f4"))}, ValueError, r"of shape \(3,\)"),
        ({"loss": lambda m, b: (m(1.0), 2)}, TypeError, "beside the loss came int"),
        ({"loss": lambda m, b: (m(1.0), {"a": [1, 2]})}, TypeError, "metric 'a' is list"),
    ],
)
def test_arguments_that_do_not_fit(changed: Any, error: Any, message: str) -> None:
    model = Scale()
    given = {"model": model, "loss": lambda m, b: m(1.0).sum(), "data": [0], "epochs": 1}
    with pytest.raises(error, match=message):
        fit(**{**given, "optimizer": sgd(model), "progress": False, **changed})


def test_an_optimizer_of_another_model() -> None:
    with pytest.raises(ValueError, match="holds no parameter of model"):
        quiet(Scale(), mean_square, [0], optimizer=sgd(Scale()))


def test_a_schedule_of_another_optimizer_or_one_that_needs_a_metric() -> None:
    model = Scale()
    with pytest.raises(ValueError, match="made for another optimizer"):
        other = optim.lr_scheduler.StepLR(sgd(model), 1)
        quiet(model, mean_square, [0], schedule=other)
    optimizer = sgd(model)
    plateau: Any = optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(TypeError, match=r"callbacks=\[EachEpoch\(schedule, 'val_loss'\)\]"):
        quiet(model, mean_square, [0], optimizer=optimizer, schedule=plateau)


# Progress, history, seeds


PROGRAM = """
import numpy as np, tinygrad_rnn as tg
model = tg.nn.Linear(1, 1)
tg.training.fit(
    model, lambda m, x: (tg.square(m(x)).sum(), {"a rather long name of a metric": 1.0}),
    [np.ones((1, 1), "f4")] * 3, validation=[np.ones((1, 1), "f4")], epochs=2,
    optimizer=tg.optim.SGD(model.parameters()),
)
"""


def test_progress_in_a_log_file_is_lines_that_fit() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == ""
    heading, *rows = done.stderr.splitlines()
    assert heading.split()[:2] == ["epoch", "train_loss"]
    assert [row.split()[0] for row in rows] == ["1", "2"]
    assert max(map(len, done.stderr.splitlines())) < 80


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
def test_progress_in_a_terminal_is_a_bar() -> None:
    import os

    ours, theirs = os.openpty()
    subprocess.run([sys.executable, "-c", PROGRAM], stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert re.search(r"\d/6 ", shown)
    assert max(map(len, re.split(r"[\r\n]+", shown))) < 80


def test_progress_in_a_notebook_is_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    notebook = pytest.importorskip("tqdm.notebook")
    made: list[Any] = []

    class Bar:
        def __init__(self, **options: Any) -> None:
            made.append(options)

        def update(self) -> None: ...

        def write(self, line: str, file: Any) -> None: ...

        def close(self) -> None: ...

    shell = type("ZMQInteractiveShell", (), {})()
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setattr(notebook, "tqdm", Bar)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    model = Scale()
    fit(model, mean_square, [Numbers(np.ones(1, "f4"))], epochs=2, optimizer=sgd(model))
    assert made[0]["total"] == 2


def test_history_of_rows() -> None:
    history = History([{"epoch": 1, "a": 1.0}, {"epoch": 2, "a": math.nan, "<b>": 5}])
    assert history["a"][0] == 1.0 and math.isnan(history["<b>"][0])
    assert history.best("a")["epoch"] == 1
    with pytest.raises(KeyError, match="no metric 'c' was measured; there are epoch, a, <b>"):
        history["c"]
    assert "&lt;b&gt;" in history._repr_html_()
    assert repr(History()) == "<History of no epochs>"


def test_seeds_spread() -> None:
    found = over_seeds(lambda seed: {"x": 2.0 * seed, "drawn": tg.rand(1).item()}, [1, 2, 3])
    assert (found["x"].mean, found["x"].std) == (4.0, 2.0)
    assert len(set(found["drawn"].values)) == 3
    assert found == over_seeds(lambda s: {"x": 2.0 * s, "drawn": tg.rand(1).item()}, [1, 2, 3])
    assert math.isnan(over_seeds(lambda seed: {"x": 1}, 1)["x"].std)
    with pytest.raises(ValueError, match="no seeds"):
        over_seeds(lambda seed: {}, 0)
    with pytest.raises(ValueError, match=r"seed 1 gave \['b'\], the first one \['a'\]"):
        over_seeds(lambda seed: {"ab"[seed]: 1}, 2)


def test_a_training_can_be_stepped_by_hand() -> None:
    model = Scale()
    training = Training(model, mean_square, [Numbers(np.ones(1, "f4"))], optimizer=sgd(model))
    training.train_epoch()
    assert (training.epoch, training.step) == (1, 1)
    assert training.metrics["train_loss"] == 4.0
