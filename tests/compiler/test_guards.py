"""What a step reads besides its arguments may change between calls, and is then seen."""

from __future__ import annotations

import contextvars
import dataclasses
import os
import runpy
import sys
import types
import warnings
from collections import deque
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.specialization import Refusal, specializations

T, B, H = 4, 2, 3
X = np.random.default_rng(0).standard_normal((T, B, H)).astype("float32")

rate = 0.5
table = {"rate": [0.5, 1.0]}
weight = tg.tensor(np.linspace(0.5, 1.0, H), dtype="float32", requires_grad=True)
variable: contextvars.ContextVar[float] = contextvars.ContextVar("variable", default=0.5)
settings = types.ModuleType("settings")
settings.__file__ = __file__
settings.rate = 0.5


@dataclasses.dataclass
class Config:
    rate: float = 0.5


class Slotted:
    __slots__ = ("rate",)

    def __init__(self) -> None:
        self.rate = 0.5


class Rated:
    rate = 0.5

    def scaled(self, h):
        return h * self.rate


def helper(h, factor=0.5):
    return h * factor


def other_helper(h):
    return h * 0.25


HERE = sys.modules[__name__]


def closure(rate):
    """A step function whose closure can be changed, and how to change it."""

    def step(h, x):
        h = tg.tanh(h * rate + x)
        return h, h

    def change(new):
        nonlocal rate
        rate = new

    return step, lambda: change(0.25)


def of(read, change, *, made=lambda: None):
    """A case: a step that scales its carry by `read(held)`, and what changes between calls."""

    def case():
        held = made()

        def step(h, x):
            h = tg.tanh(read(held, h) + x)
            return h, h

        return step, lambda: change(held)

    return case


def setting(owner, name, value):
    def change(held):
        setattr(owner if owner is not None else held, name, value)

    return change


CASES = {
    "a closure variable": lambda: closure(0.5),
    "a global number": of(lambda _, h: h * rate, setting(HERE, "rate", 0.25)),
    "a global function": of(lambda _, h: helper(h), setting(HERE, "helper", other_helper)),
    "a default": of(lambda _, h: helper(h), lambda _: setattr(helper, "__defaults__", (0.25,))),
    "in a global dict": of(
        lambda _, h: h * table["rate"][0], lambda _: table["rate"].__setitem__(0, 0.25)
    ),
    "in a list": of(lambda v, h: h * v[0], lambda v: v.__setitem__(0, 0.25), made=lambda: [0.5]),
    "the length of a list": of(lambda v, h: h * len(v), lambda v: v.append(0), made=lambda: [0]),
    "in a deque": of(
        lambda v, h: h * v[0], lambda v: v.appendleft(0.25), made=lambda: deque([0.5])
    ),
    "in a set": of(lambda v, h: h * (0.5 if 1 in v else 0.1), set.clear, made=lambda: {1}),
    "in a dataclass": of(lambda v, h: h * v.rate, setting(None, "rate", 0.25), made=Config),
    "in a namespace": of(
        lambda v, h: h * v.rate, setting(None, "rate", 0.25), made=lambda: SimpleNamespace(rate=0.5)
    ),
    "in slots": of(lambda v, h: h * v.rate, setting(None, "rate", 0.25), made=Slotted),
    "a class attribute": of(lambda v, h: v.scaled(h), setting(Rated, "rate", 0.25), made=Rated),
    "a method": of(
        lambda v, h: v.scaled(h),
        setting(Rated, "scaled", lambda self, h: h * 0.1),
        made=Rated,
    ),
    "a method of one object": of(
        lambda v, h: v.scaled(h), setting(None, "scaled", lambda h: h * 0.1), made=Rated
    ),
    "getattr": of(
        lambda v, h: h * getattr(v, "ra" + "te"), setting(None, "rate", 0.2), made=Config
    ),
    "a global Tensor": of(
        lambda _, h: h * weight,
        setting(HERE, "weight", tg.tensor(np.ones(H), dtype="float32", requires_grad=True)),
    ),
    "an array": of(
        lambda v, h: h * v, lambda v: v.fill(0.25), made=lambda: np.full(H, 0.5, "float32")
    ),
    "an array read by NumPy": of(
        lambda v, h: h * float(np.linalg.norm(v)), lambda v: v.fill(0.25), made=lambda: np.ones(H)
    ),
    "a context variable": of(lambda _, h: h * variable.get(), lambda _: variable.set(0.25)),
    "a module's global": of(lambda _, h: h * settings.rate, setting(settings, "rate", 0.25)),
    "an object that is gone": of(
        lambda v, h: h * (0.25 if v.inner is None else 0.5),
        setting(None, "inner", None),
        made=lambda: SimpleNamespace(inner=lambda: 0),  # nothing else refers to it
    ),
    "a nested object": of(
        lambda v, h: h * v.inner.rate,
        lambda v: setattr(v.inner, "rate", 0.25),
        made=lambda: SimpleNamespace(inner=Config()),
    ),
}


def run(step, **options):
    x = tg.tensor(X, requires_grad=True)
    h, ys = tg.scan(step, tg.zeros(B, H), x, **options)
    (grad,) = tg.grad((ys * ys).sum(), [x])
    return [h.detach().data, ys.detach().data, grad.data]


def assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


def refused(step) -> str | None:
    latest = specializations(step.__code__).latest
    return latest.reason if isinstance(latest, Refusal) else None


@pytest.fixture(autouse=True)
def everything_is_put_back():
    """What the cases change in this module."""
    names = ("rate", "table", "weight", "helper")
    kept = {name: getattr(HERE, name) for name in names}
    scaled, defaults = Rated.scaled, helper.__defaults__
    token = variable.set(0.5)
    yield
    variable.reset(token)
    for name, value in kept.items():
        setattr(HERE, name, value)
    table["rate"], helper.__defaults__ = [0.5, 1.0], defaults
    Rated.rate, Rated.scaled, settings.rate = 0.5, scaled, 0.5


@pytest.fixture(params=["numpy", "llvm"])
def executor(request, compiled):
    tg.set_executor(request.param)
    return request.param


@pytest.mark.parametrize("name", CASES)
def test_a_change_between_calls_is_seen(name, executor) -> None:
    step, change = CASES[name]()
    for _ in range(2):
        before = run(step)
        assert refused(step) is None
        assert_close(before, run(step, unroll=True))
    change()
    found = run(step)
    assert_close(found, run(step, unroll=True))
    assert np.abs(found[0] - before[0]).max() > 1e-3, "the change makes a difference"


def test_grad_mode_is_a_part_of_what_a_program_is_for() -> None:
    def step(h, x):
        h = tg.tanh(h * (0.5 if tg.is_grad_enabled() else 0.25) + x)
        return h, h

    for _ in range(2):
        with tg.no_grad():
            assert_close(
                [tg.scan(step, tg.zeros(B, H), tg.tensor(X))[0].data],
                [tg.scan(step, tg.zeros(B, H), tg.tensor(X), unroll=True)[0].data],
            )
        assert_close(run(step), run(step, unroll=True))


# What is refused

scale = nn.Parameter(np.full(H, 0.5))
generator = np.random.default_rng(0)


def reads_a_file(h):
    with open(__file__) as file:
        return h * len(file.readline())


class Counter:
    count = 0


def counts(h):
    Counter.count += 1
    return h * 0.5


seen: list[int] = []


def appends(h):
    seen.append(1)
    return h * 0.5


def late(h):
    """Another factor from the third step on."""
    seen.append(1)
    return h * (0.5 if len(seen) < 3 else 0.1)


def swallows(h):
    try:
        return h * float(h.sum())
    except Exception:
        return h * 0.5


REFUSED = {
    "data": (lambda h: h * float(scale.data[0]), r"\.data is read"),
    "item": (lambda h: h * scale[:1].item(), r"item\(\)"),
    "norm": (lambda h: h * np.linalg.norm(scale.data), r"\.data"),
    "asarray": (lambda h: h * np.asarray(scale.detach()), "as an array"),
    "numpy": (lambda h: h * scale.detach().numpy(), r"numpy\(\)"),
    "tolist": (lambda h: h * scale.tolist()[0], r"tolist\(\)"),
    "copied": (lambda h: h * tg.tensor(scale), "created from its elements"),
    "branch": (lambda h: h * 0.5 if h.sum() > 0 else h, "truth"),
    "swallowed": (swallows, r"float\(\)"),
    "the environment": (lambda h: h * len(os.environ.get("HOME", "")), "environment"),
    "a file": (reads_a_file, "open"),
    "a generator": (lambda h: h * float(generator.random()), "random generator"),
    "NumPy's numbers": (lambda h: h * np.random.rand(H).astype("float32"), "random"),
    "numbers by hand": (lambda h: h * tg.rand(H), "tg.rand_like"),
    "printing": (lambda h: h * (print(end="") or 0.5), "print"),
    "a counter": (counts, "changes something that the next step reads"),
    "a list": (appends, "changes something that the next step reads"),
    "the third step": (late, "changes something that the next step reads"),
    "a mask": (lambda h: h + h[h > 0.1].sum(), "depends on data"),
    "a mask that picks as much": (
        lambda h: h + (h * 0.0 + 1.0)[h * 0.0 > -1.0].sum(),
        "shape of getitem's result depends on data",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_guarded_runs_op_by_op_and_says_why(name) -> None:
    read, reason = REFUSED[name]

    def step(h, x):
        h = tg.tanh(read(h) * 0.5 + x)
        return h, h

    def once(**options):
        seen.clear()
        tg.manual_seed(1)
        np.random.seed(1)
        globals()["generator"] = np.random.default_rng(1)
        return [*run(step, **options), tg.rand(2).data]

    with pytest.warns(UserWarning, match=rf"step runs step by step.*{reason}"):
        found = once()
    expected = once(unroll=True)
    assert_close(found, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is said once
        assert_close(once(), expected)


def test_effects_happen_as_often_as_unrolled() -> None:
    def step(h, x):
        appends(h)
        return tg.tanh(h + x), None

    for steps in (1, 2, 7):
        seen.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tg.scan(step, tg.zeros(B, H), tg.zeros(steps, B, H))
        assert len(seen) == steps


def test_an_iterator_is_not_advanced_twice() -> None:
    factors = iter([0.1, 0.2, 0.3, 0.4])

    def step(h, x):
        return tg.tanh(h * next(factors) + x), None

    with pytest.warns(UserWarning, match="iterator"):
        h, _ = tg.scan(step, tg.ones(B, H), X)
    expected = np.ones((B, H))
    for factor, x in zip([0.1, 0.2, 0.3, 0.4], X, strict=True):
        expected = np.tanh(expected * factor + x)
    assert_close([h.data], [expected])


# Numbers that change


def test_a_number_that_changes_becomes_an_input(executor) -> None:
    config = Config()

    def step(h, x):
        h = tg.tanh(h / config.rate + x * (1.0 - config.rate))
        return h, h

    made = []
    for rate in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
        config.rate = rate
        assert_close(run(step), run(step, unroll=True))
        made.append(specializations(step.__code__).compiled()[-1])
    assert len(set(map(id, made))) == 2  # the first, and one for any number
    assert run(step)[0].dtype == np.float32


def test_a_number_that_is_branched_on_makes_programs_of_its_own() -> None:
    config = Config()

    def step(h, x):
        h = tg.tanh(h + x) if config.rate > 0.7 else tg.sigmoid(h - x)
        return h, h

    for rate in (0.5, 0.6, 0.9, 0.4, 1.0):
        config.rate = rate
        assert_close(run(step), run(step, unroll=True))
    assert refused(step) is None


def test_a_function_made_anew_for_each_call_is_traced_once() -> None:
    made = set()
    for k in range(5):
        w = tg.tensor(np.full(H, 0.1 * k), dtype="float32", requires_grad=True)

        def step(h, x, w=w):
            h = tg.tanh(h * w + x)
            return h, h

        h, _ = tg.scan(step, tg.zeros(B, H), X)
        (found,) = tg.grad(h.sum(), [w])
        h, _ = tg.scan(step, tg.zeros(B, H), X, unroll=True)
        assert_close([found.data], [tg.grad(h.sum(), [w])[0].data])
        made |= {id(one) for one in specializations(step.__code__).compiled()}
    assert len(made) == 1


def test_an_array_changed_before_the_backward_pass_is_noticed() -> None:
    array = np.full(H, 0.5, "float32")

    def step(h, x):
        h = tg.tanh(h * array + x)
        return h, h

    for _ in range(2):
        x = tg.tensor(X, requires_grad=True)
        h, _ = tg.scan(step, tg.zeros(B, H), x)
        array *= 2.0
        with pytest.raises(tg.StaleValueError, match="changed"):
            h.sum().backward()


@pytest.mark.parametrize("changed", [0, 1])
@pytest.mark.parametrize("executor", ["numpy", "llvm"])
def test_a_file_that_was_imported_twice_has_two_sets_of_globals(
    changed, executor, tmp_path
) -> None:
    if executor == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    (tmp_path / "twice.py").write_text("RATE = 1.0\n\n\ndef scaled(x):\n    return x * RATE\n")
    modules = [runpy.run_path(str(tmp_path / "twice.py")) for _ in range(2)]
    first, second = (module["scaled"] for module in modules)
    assert first.__code__ == second.__code__

    class Cell(nn.Cell):
        hidden_size = 2

        def __init__(self):
            self.weight = nn.Parameter(np.full(2, 0.5, np.float32))

        def forward(self, x, h):
            return first(x) + second(h) * self.weight

    layer, x = nn.Recurrent(Cell(), executor=executor), tg.ones(4, 1, 2)
    for _ in range(2):
        layer(x)
    modules[changed]["scaled"].__globals__["RATE"] = 3.0
    found, _ = layer(x)
    layer.unroll = True
    np.testing.assert_allclose(found.data, layer(x)[0].data, rtol=1e-6)
