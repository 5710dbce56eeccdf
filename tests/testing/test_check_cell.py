"""check_cell: right cells pass, and each of its laws catches the fault that it is there for."""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn
from tinygrad_rnn.compiler.specialization import Specialization
from tinygrad_rnn.testing import CellError, check_cell
from tinygrad_rnn.testing.cells.changes import changes_of
from tinygrad_rnn.testing.cells.runs import Subject
from tinygrad_rnn.testing.laws import LAWS, Broken

checking = sys.modules["tinygrad_rnn.testing.check_cell"]


class Plain(nn.Cell):
    """A plain RNN cell of one unit, to be spoilt."""

    def __init__(self, input_size, hidden_size=1):
        self.input_size, self.hidden_size = input_size, hidden_size
        self.linear = nn.Linear(input_size + hidden_size, hidden_size)

    def activated(self, x, h):
        return tg.tanh(self.linear(tg.concatenate([x, h], axis=-1))).named("h")

    def forward(self, x, h):
        return self.activated(x, h)


# Right cells


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_our_cells_keep_every_law(cell) -> None:
    report = check_cell(cell, hidden_size=2)
    assert report.ok and str(report).startswith(f"{cell.__name__}(hidden_size=2, input_size=2): 21")


def test_a_cell_with_options_and_kinks() -> None:
    assert check_cell(nn.RNNCell, input_size=1, hidden_size=2, nonlinearity="relu", bias=False).ok


class Pair(NamedTuple):
    h: tg.Tensor
    rest: dict


class Nested(Plain):
    """A state of every kind of nest, an integer in it, and a start that is learnt."""

    def __init__(self, input_size, hidden_size=1):
        super().__init__(input_size, hidden_size)
        self.start = nn.Parameter(np.ones(hidden_size))

    def initial_state(self, batch_size):
        start = tg.broadcast_to(self.start, (batch_size, self.hidden_size))
        count = tg.zeros(batch_size, 1, dtype=np.int64)
        return Pair(start, {"c": [self.zeros(batch_size, 2)], "count": count})

    def step(self, x, state):
        h = self.activated(x, state.h)
        c = 0.5 * state.rest["c"][0] + h
        output = h + tg.sum(c, axis=-1, keepdims=True)
        return output, Pair(h, {"count": state.rest["count"] + 1, "c": [c]})


def test_any_nest_is_a_state_and_a_learnt_start_is_checked() -> None:
    verdicts = {law.name: law.verdict for law in check_cell(Nested).laws}
    assert verdicts["own start"] == "holds"


class Noisy(Plain):
    def forward(self, x, h):
        return self.activated(x, h) + 0.1 * tg.randn(*h.shape, dtype=h.dtype)


def test_random_numbers_are_seeded_and_go_on_afterwards_as_if_nothing_had_been() -> None:
    tg.manual_seed(1)
    expected = tg.rand(2).tolist()
    tg.manual_seed(1)
    report = check_cell(Noisy)
    assert tg.rand(2).tolist() == expected
    assert {law.name for law in report.laws if law.note == "it draws random numbers"} == {
        "permuted",
        "rows",
        "lengths",
        "forward",
    }


class LooksAtData(Plain):
    def forward(self, x, h):
        return self.activated(x, h) if float(np.sum(x.data)) > -1e9 else h


def test_a_cell_that_cannot_be_traced_is_checked_unrolled() -> None:
    (scan,) = (law for law in check_cell(LooksAtData).laws if law.name == "scan")
    assert scan.verdict == "does not apply" and "step by step" in scan.note


class Letters(nn.Cell):
    """Looks its input up: x (B, 1) holds indices."""

    def __init__(self, hidden_size=1, vocabulary=5, row=0):
        self.hidden_size, self._row = hidden_size, row
        self.letter = nn.Embedding(vocabulary, hidden_size)
        self.recurrent = nn.Linear(hidden_size, hidden_size)

    def forward(self, x, h):
        return tg.tanh(self.letter(x[:, 0]) + self.recurrent(h))


def test_a_cell_may_take_indices() -> None:
    report = check_cell(Letters, inputs=range(5))
    verdicts = {law.name: law.verdict for law in report.laws}
    ruled = {"inputs", "own start", "apart"}
    assert {name for name, verdict in verdicts.items() if verdict == "does not apply"} == ruled
    assert set(verdicts.values()) == {"holds", "does not apply"}


def test_inputs_may_be_numbers_of_a_kind() -> None:
    class Logarithmic(Plain):
        def forward(self, x, h):
            return self.activated(tg.log(x), h)

    assert check_cell(Logarithmic, inputs=np.linspace(0.5, 2.0, 9, dtype="f4")).ok
    with pytest.raises(CellError, match="not finite"):
        check_cell(Logarithmic)


def test_a_wrong_lookup_is_found() -> None:
    class Wrong(Letters):
        def forward(self, x, h):
            return tg.tanh(wrong_lookup(self.letter.weight, x[:, 0]) + self.recurrent(h))

    notes = broken_laws(lambda: Wrong(), inputs=range(2))
    assert re.search(r"planted.* step 0.*letter.weight at step", notes["parameters"], re.DOTALL)


# Layers: the same laws, but for those that their options rule out

RULED_OUT = [
    ({"reverse": True, "batch_first": True}, set()),
    ({"unroll": True}, set()),
    ({"num_layers": 2, "checkpoint": 2}, set()),
    ({"num_layers": 2, "bidirectional": True}, {"split", "reverse"}),
    ({"truncate": 2}, set()),
    ({"truncate": 2, "reverse": True}, {"padding", "lengths"}),
    (
        {"num_layers": 2, "dropout": 0.5},
        {"permuted", "rows", "lengths", "split", "reverse", "padding"},
    ),
]


def ruled_out(report) -> set[str]:
    """The laws that did not apply, but for that of a learnt start."""
    return {law.name for law in report.laws if law.verdict == "does not apply"} - {"own start"}


@pytest.mark.parametrize(
    ("options", "laws"),
    RULED_OUT,
    ids=lambda value: str(value if isinstance(value, dict) else sorted(value)),
)
def test_layers_keep_every_law_that_their_options_allow(options, laws) -> None:
    report = check_cell(nn.GRU, input_size=1, hidden_size=1, **options)
    assert report.ok and ruled_out(report) == laws


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM])
def test_our_layers_keep_every_law(layer) -> None:
    assert check_cell(layer, input_size=1, hidden_size=1).ok


def test_a_layer_of_any_cell_and_dropout_that_is_off() -> None:
    nested = check_cell(lambda: nn.Recurrent(Nested(2), num_layers=2))
    assert str(nested).startswith("Recurrent(Nested(2), num_layers=2): 22 laws hold")
    quiet = check_cell(lambda: nn.Recurrent(Plain(1), num_layers=2, dropout=0.5).eval())
    assert ruled_out(quiet) == set()
    letters = check_cell(lambda: nn.Recurrent(Letters(2)), inputs=range(5))
    assert ruled_out(letters) == {"inputs", "apart"}


def test_what_is_wrong_in_a_layer_is_named_with_its_place() -> None:
    notes = broken_laws(lambda: nn.Recurrent(WrongGate(1), bidirectional=True))
    place = r"planted \(gate\) \[Recurrent\.l0(_reverse)?, step 0, .*test_check_cell.py:\d+\]"
    assert re.search(place, notes["parameters"]) and "_l0 at step 0[0, 0]" in notes["parameters"]


# Wrong cells: for each law one that breaks it


def an_op(value, rule):
    made = tg.op(value)
    made.name = "planted"
    made.vjp(rule)
    return made


def half_of_the_rows(grad, out, weight, indices):
    rows = np.zeros(weight.shape)
    np.add.at(rows, indices, 0.5 * grad)
    return rows


wrong_lookup = tg.op(lambda weight, indices: weight[indices])
wrong_lookup.name = "planted"
wrong_lookup.vjp(weight=half_of_the_rows, indices=None)
wrong_gate = an_op(lambda x: np.tanh(x), lambda grad, out, x: grad * (1.0 - out))


class WidensState(Plain):
    def forward(self, x, h):
        return self.activated(x, h) * np.ones(1)


class AsWide(Plain):
    """A Parameter of NumPy's dtype, which makes all the rest float64."""

    def __init__(self, input_size=2):
        super().__init__(input_size)
        self.scale = nn.Parameter(np.ones(1), "float64")

    def forward(self, x, h):
        return self.activated(x, h) * self.scale


class WidensWholeNumbers(Plain):
    def step(self, x, h):
        h = self.activated(x, h)
        return h + x.sum(axis=-1, keepdims=True), h


class Tied(Plain):
    """Its map is no argument: one and the same in every cell."""

    the_map = nn.Linear(2, 1)

    def __init__(self, input_size=2):
        super().__init__(input_size)
        self.shared = self.the_map

    def forward(self, x, h):
        return self.activated(x, h) + 0.1 * self.shared(tg.concatenate([h, h], axis=-1))


class DropsThroughNumPy(Plain):
    def forward(self, x, h):
        new = self.activated(x, h)
        return new / (1.0 + np.abs(new.data))


class WrongStructure(Plain):
    def forward(self, x, h):
        return (self.activated(x, h),)


class Remembers(Plain):
    """Keeps something outside of its state."""

    before = 0.0

    def forward(self, x, h):
        new = self.activated(x, h) + 0.1 * self.before
        self.before = float(np.sum(new.data))
        return new


class WrongGate(Plain):
    def forward(self, x, h):
        return wrong_gate(self.linear(tg.concatenate([x, h], axis=-1))).named("gate")


class CutState(Plain):
    def forward(self, x, h):
        return self.activated(x, h.detach())


class CutInput(Plain):
    def forward(self, x, h):
        return self.activated(x.detach(), h)


class CutParameter(Plain):
    def forward(self, x, h):
        return tg.tanh(x @ self.linear.weight.detach()[0, :2, None] + h)


class CutStart(Nested):
    def initial_state(self, batch_size):
        h, rest = super().initial_state(batch_size)
        return Pair(0.5 * h + 0.5 * h.detach(), rest)


class ForgetsAfter10Steps(Plain):
    """Right on short sequences."""

    def initial_state(self, batch_size):
        return super().initial_state(batch_size), tg.zeros(batch_size, 1, dtype=np.int64)

    def forward(self, x, state):
        h, count = state
        late = count.data.max(initial=0) == 12
        return self.activated(x, h.detach() if late else h), count + 1


class OneSharedWeight(Plain):
    """Holds on to a parameter by a name that a copy of the cell does not follow."""

    def __init__(self, input_size, hidden_size=1):
        super().__init__(input_size, hidden_size)
        weight = self.linear.weight
        self.grown = lambda x, h: tg.tanh(tg.concatenate([x, h], axis=-1) @ weight.T)

    def forward(self, x, h):
        return self.grown(x, h)


class MixesRows(Plain):
    """Batch normalisation: what a row gives depends on the others."""

    def forward(self, x, h):
        return self.activated(x - np.mean(x, axis=0, keepdims=True), h)


class FavoursTheFirstRow(Plain):
    def forward(self, x, h):
        return self.activated(x, h) * np.linspace(1.0, 2.0, x.shape[0])[:, None].astype(h.dtype)


class FailsOnTheThirdStep(Plain):
    def initial_state(self, batch_size):
        return super().initial_state(batch_size), tg.zeros(batch_size, 1, dtype=np.int64)

    def forward(self, x, state):
        h, count = state
        if count.data.max(initial=0) >= 4:
            raise RuntimeError("no more")
        return self.activated(x, h), count + 1


class HiddenConstant(Plain):
    """A random matrix that is neither parameter nor buffer is not saved."""

    def __init__(self, input_size, hidden_size=1):
        super().__init__(input_size, hidden_size)
        self.mixing = tg.rand(hidden_size, hidden_size, dtype=np.float64)

    def forward(self, x, h):
        return self.activated(x, h @ self.mixing.astype(h.dtype))


class LooksBehindTheTensor(Plain):
    """Reads a private attribute, which no one sees: its first value stays."""

    def __init__(self, input_size, hidden_size=1):
        super().__init__(input_size, hidden_size)
        self.register_buffer("scale", np.ones(1, np.float32))

    def forward(self, x, h):
        return self.activated(x, h) * float(self.scale._data[0])


@tg.op
def tamed(x):
    return x * 1.0


@tamed.vjp
def _(grad, out, x):
    return np.tanh(grad)


class TamesTheGradient(Plain):
    """Its gradient is not linear in that of its results, so it cannot be carried forward."""

    def forward(self, x, h):
        return tamed(self.activated(x, h))


BROKEN = {
    "state": [
        (
            WidensState,
            r"must return a state of the dtypes that it got, float32\[1, 1\]; it returned",
        ),
        (WrongStructure, ""),
    ],
    "dtype": [
        (AsWide, "scale is created in float64, but the default dtype is float32"),
        (WidensWholeNumbers, "for x of bool, the output is float64, not float32"),
    ],
    "apart": [(Tied, r"shared.weight of a cell is shared.weight of the next")],
    "repeat": [(Remembers, "the second time")],
    "changed": [(LooksBehindTheTensor, r"self.scale, in place, changed \[test_check_cell")],
    "parameters": [
        (WrongGate, r"planted \(gate\) \[WrongGate, step 0"),
        (CutParameter, "is cut"),
        (DropsThroughNumPy, "all inputs, along one direction"),
    ],
    "inputs": [(CutInput, r"x\[0, 0, 0\]: gradient 0, true derivative")],
    "initial state": [(CutState, r"initial state\[0, 0\]: gradient 0, true")],
    "own start": [(CutStart, "start.*a factor of 0.5")],
    "far": [(ForgetsAfter10Steps, r"with 50 steps, 1 row:\n.* the graph is cut .*, step 10")],
    "sum": [(OneSharedWeight, r"gradient by linear.weight.*: 0, not")],
    "truncated": [(Remembers, r"the gradient of linear.weight, carried from step to step")],
    "forward": [(TamesTheGradient, r"the derivative of the outputs along random parameters is")],
    "rows": [(MixesRows, "with 1 step, 2 rows"), (FavoursTheFirstRow, "outputs at step 0")],
    "permuted": [(FavoursTheFirstRow, "rows rolled by one: outputs at step 0")],
    "lengths": [(MixesRows, "")],
    "length": [(FailsOnTheThirdStep, r"RuntimeError: no more \[test_check_cell.py:\d+\]")],
    "saved": [(HiddenConstant, "loaded: outputs at step 0")],
    "split": [(Remembers, "split before step 0")],
}


def broken_laws(cell, **options) -> dict[str, str]:
    with pytest.raises(CellError) as caught:
        check_cell(cell, **options)
    assert not caught.value.report.ok
    return {law.name: law.note for law in caught.value.report.broken}


@pytest.mark.parametrize(
    ("law", "cell", "note"),
    [(law, *case) for law, cases in BROKEN.items() for case in cases],
)
def test_a_wrong_cell_breaks_the_law(law, cell, note, monkeypatch) -> None:
    monkeypatch.setattr(checking, "LAWS", [one for one in LAWS if one.name == law])
    notes = broken_laws(cell)
    assert re.search(note, notes[law], re.DOTALL), notes[law]


# Faults in the layer that runs the cell


def doubled_in_a_scan(outputs, last, x, unrolled, reverse, lengths):
    return outputs if unrolled or not len(x) else 2.0 * outputs, last


def not_mirrored_back(outputs, last, x, unrolled, reverse, lengths):
    return (outputs[::-1] if reverse else outputs), last


def padding_in_the_output(outputs, last, x, unrolled, reverse, lengths):
    return outputs + 1e-9 * np.sum(np.where(x == x, x, 1.0), axis=-1, keepdims=True), last


def padding_in_the_gradient(outputs, last, x, unrolled, reverse, lengths):
    if lengths is None or not len(x):
        return outputs, last
    tail = np.sum(x[-1]) * 0.0  # the value of the real steps is as it was
    return outputs + tail, last


LAYER_FAULTS = {
    "scan": (doubled_in_a_scan, "scan: outputs at step 0"),
    "reverse": (not_mirrored_back, "reverse=True: outputs at step 0"),
    "padding": (padding_in_the_output, "outputs or gradients in the padding"),
    "lengths": (padding_in_the_gradient, "lengths .* nan"),
}


@pytest.mark.parametrize("law", LAYER_FAULTS)
@pytest.mark.parametrize(
    ("place", "checked"),
    [
        ("tinygrad_rnn.testing.cells.network", Plain),
        ("tinygrad_rnn.nn.recurrent.layers", lambda: nn.Recurrent(Plain(1), reverse=True)),
    ],
    ids=["cell", "layer"],
)
def test_a_fault_in_how_it_is_run_breaks_the_law(law, place, checked, monkeypatch) -> None:
    fault, note = LAYER_FAULTS[law]
    module = sys.modules[place]
    right = module.run

    def run(cell, x, state, *further, unrolled=False, reverse=False, lengths=None, **options):
        way = {"unrolled": unrolled, "reverse": reverse, "lengths": lengths}
        return fault(*right(cell, x, state, *further, **way, **options), x, **way)

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(checking, "LAWS", [one for one in LAWS if one.name == law])
    notes = broken_laws(checked)
    assert re.search(note, notes[law], re.DOTALL), notes[law]


def test_every_law_is_shown_to_fail() -> None:
    assert {*BROKEN, *LAYER_FAULTS} == {law.name for law in LAWS}


# The report, and how it is asked for


def test_the_smallest_counterexample_is_shown() -> None:
    assert broken_laws(ForgetsAfter10Steps).keys() == {"far"}
    assert broken_laws(CutState)["parameters"].startswith("with 2 steps, 1 row:")


def test_numbers_that_overflow_are_what_is_said_of_a_cell_in_which_they_do() -> None:
    class Overflows(nn.Cell):
        def __init__(self, input_size, hidden_size):
            self.hidden_size = hidden_size
            self.W, self.U = nn.Linear(input_size, hidden_size), nn.Linear(hidden_size, hidden_size)

        def forward(self, x, h):
            return tg.exp(self.W(x) + self.U(h))

    found = broken_laws(Overflows)
    assert "inf; not all results are finite" in found["length"]
    assert found.keys() <= {"length", "far", "padding"}  # where all numbers are finite, all hold


def test_an_error_of_the_cell_is_shown_in_full_once() -> None:
    notes = broken_laws(FailsOnTheThirdStep)
    first, *others = [note for note in notes.values() if "RuntimeError" in note]
    assert re.search(r"RuntimeError: no more \[test_check_cell.py:\d+\]$", first)
    assert others and all(note.endswith(", as above") for note in others)


def test_what_laws_have_in_common_is_printed_once() -> None:
    class Broken(Plain):
        def forward(self, x, h):
            raise RuntimeError("no such thing")

    with pytest.raises(CellError) as caught:
        check_cell(Broken)
    printed = str(caught.value)
    assert printed.count("no such thing") == 1 and printed.count("BROKEN") == 2
    assert re.search(r"by the same error: .*repeat,\s+parameters,\s+inputs", printed)
    with pytest.raises(CellError) as caught:
        check_cell(CutInput)
    assert str(caught.value).count("first wrong on the way back: the same place as above") == 1


def test_the_table_fits_80_columns() -> None:
    with pytest.raises(CellError) as caught:
        check_cell(WrongGate)
    assert max(map(len, str(caught.value).splitlines())) <= 80


def test_a_check_that_takes_too_long_says_what_is_missing() -> None:
    with pytest.warns(UserWarning, match="0 seconds were not enough for Plain.*seconds=") as warned:
        report = check_cell(Plain, seconds=0)
    assert len(warned) == 1
    assert report.unchecked == report.laws and "22 not checked" in str(report)


def test_a_cell_of_images() -> None:
    class Blur(nn.Cell):
        """A state of one number a pixel; x (B, 2, 3, 3) has two channels."""

        input_size = (2, 3, 3)

        def __init__(self, hidden_size=3):
            self.hidden_size = hidden_size
            self.mix = nn.Parameter(np.ones(3))

        def initial_state(self, batch_size):
            return self.zeros(batch_size, 3, 3)

        def forward(self, x, h):
            blurred = 0.5 * (h + tg.concatenate([h[:, 1:], h[:, :1]], axis=1))
            return tg.tanh(self.mix[0] * x[:, 0] + self.mix[1] * x[:, 1] + self.mix[2] * blurred)

    class Unsized(Blur):
        input_size = None

    # Of whole numbers its ops make float64, as NumPy does.
    assert check_cell(Blur, except_for=["dtype"]).ok
    assert check_cell(Unsized, input_shape=(2, 3, 3), except_for=["dtype"]).ok
    with pytest.raises(TypeError, match=r"if it is an image, input_shape=\(3, 8, 8\)"):
        check_cell(Unsized)


def test_laws_that_a_cell_is_not_meant_to_keep() -> None:
    excepted = ["rows", "lengths"]
    report = check_cell(MixesRows, except_for=excepted)
    assert [law.name for law in report.laws if law.verdict == "excepted"] == excepted
    assert "element [0, 0, 0]" in str(report)


def test_what_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="no law row; they are state, dtype, apart, repeat"):
        check_cell(Plain, except_for=["row"])
    with pytest.raises(TypeError, match="needs a value for 'mode'"):
        check_cell(lambda input_size, mode: Plain(input_size))
    with pytest.raises(TypeError, match=r"takes an nn\.Cell or a layer .*, not Linear"):
        check_cell(lambda: nn.Linear(2, 2))
    with pytest.raises(TypeError, match="neither an argument nor an attribute input_size"):
        check_cell(Sizeless)
    with pytest.raises(TypeError, match=r"pass the class, Plain, or a function, lambda: Plain"):
        check_cell(Plain(2))
    for inputs in (27, [], ["a"], [[1.0]]):
        with pytest.raises(TypeError, match=r"inputs are the possible values of x, such as ran"):
            check_cell(Plain, inputs=inputs)


class Sizeless(nn.Cell):
    def __init__(self):
        self.hidden_size = 1


# What changes between two calls

SCALE = 0.5


class Tuned(Plain):
    """Reads numbers, switches and arrays from everywhere that a cell can."""

    slope = 1.5

    def __init__(self, input_size, hidden_size=1):
        super().__init__(input_size, hidden_size)
        self.tau, self.linearly = 0.7, False
        self.table = {"shifts": [0.1, np.ones(hidden_size, np.float32)]}

    def forward(self, x, h):
        one, other = self.table["shifts"]
        new = self.activated(x, h) * self.tau + one * other
        return new if self.linearly else tg.tanh(self.slope * SCALE * new)


FINDS = {
    "self.tau": "self.tau changed",
    "a class attribute": "Tuned.slope changed",
    "a global": "the global SCALE changed",
    "a switch": "self.linearly changed",
    "a number in a list": "self.table['shifts'][0] changed",
    "an array": "self.table['shifts'][1], in place, changed",
    "a parameter": "linear.weight, in place, changed",
}


def require_that_changes_are_seen(cell) -> None:
    (law,) = (law for law in LAWS if law.name == "changed")
    law.check(Subject(cell, {}), *law.cases[0])


def test_a_cell_that_reads_from_everywhere_keeps_the_law() -> None:
    before = Tuned.slope, SCALE
    require_that_changes_are_seen(Tuned)
    assert (Tuned.slope, SCALE) == before


def test_everything_that_a_cell_reads_is_changed() -> None:
    found = [f"{change.what} changed" for change in changes_of(Tuned(2))]
    assert set(FINDS.values()) <= set(found)


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("Number", ["self.tau", "a number in a list", "a class attribute", "a global"]),
        ("Constant", ["a switch"]),
        ("ArrayCheck", ["an array"]),
    ],
)
def test_a_guard_that_sees_nothing_breaks_the_law(check, expected, monkeypatch) -> None:
    kind = getattr(sys.modules["tinygrad_rnn.compiler.guards.checks"], check)
    monkeypatch.setattr(kind, "holds", lambda self, value, binding: True)
    monkeypatch.setattr(Specialization, "constants_are_unchanged", lambda self: True)
    with pytest.raises(Broken) as broken:
        require_that_changes_are_seen(Tuned)
    assert any(FINDS[what] in str(broken.value) for what in expected)
    assert f"[{__file__.rpartition('/')[2]}:" in str(broken.value)
