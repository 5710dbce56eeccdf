"""What the page is told: numbers of the reader's own cell, and errors with their line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_rnn as tg

SETTINGS = {"task": "adding", "steps": 6, "hidden": 3}
Ask = Callable[..., Any]


def look(ask: Ask, text: str, settings: dict[str, Any] = SETTINGS, **more: Any) -> Any:
    asked = {"side": "a", "text": text, "settings": settings, "knobs": {}, **more}
    return ask("look", **asked)


def train(ask: Ask, texts: dict[str, str], updates: int, settings: Any = SETTINGS) -> Any:
    sides = {name: {"text": text, "knobs": {}} for name, text in texts.items()}
    return ask("train", sides=sides, settings=settings, budget=60, updates=updates)


def test_a_cell_is_shown_with_all_its_numbers(ask: Ask, cells: dict[str, str]) -> None:
    found = look(ask, cells["lstm"])
    names = {"forget gate", "input gate", "candidate", "output gate", "c", "h"}
    assert {*found["values"]} == {*found["gradients"]} == names
    assert {*found["flow"]} == {"c", "h"}
    assert np.shape(found["values"]["forget gate"]) == (6, 3)
    assert len(found["labels"]) == 6 and sum("[" in label for label in found["labels"]) == 2
    labels = [box["label"] for box in found["picture"]["boxes"]]
    assert "forget gate" in labels
    assert len(found["picture"]["places"]) == 6


@pytest.mark.parametrize("task", ["adding", "recall", "copy", "parity", "names", "text"])
def test_every_task_is_learnt_from(ask: Ask, cells: dict[str, str], task: str) -> None:
    settings = {**SETTINGS, "task": task, "steps": 7, "text": "to be or not to be, that is all"}
    found = look(ask, cells["gru"], settings)
    assert found["answer"] and found["right"] and len(found["labels"]) == 7
    trained = train(ask, {"a": cells["gru"]}, 3, settings)
    assert len(trained["losses"]["a"]) == 3 and trained["baseline"] > 0


def test_the_flow_is_the_gradient_of_the_answer(ask: Ask, cells: dict[str, str]) -> None:
    """By hand: dy/dh_t for the plain RNN."""
    found = look(ask, cells["rnn"])
    from importlib import import_module

    side = import_module("explainer.api")._bench.sides["a"]
    slope = side.network.readout.weight.data.sum(axis=0)
    recurrent = side.network.recurrent.cells[0].U.weight.data
    h = np.array(found["values"]["h"])
    for t in reversed(range(6)):
        assert np.allclose(found["gradients"]["h"][t], slope, rtol=2e-3)
        assert found["flow"]["h"][t] == pytest.approx(np.linalg.norm(slope), rel=2e-3)
        slope = (slope * (1 - h[t] ** 2)) @ recurrent


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("self.U(h)", "self.V(h)", 14, "no attribute 'V'"),
        ("return tg.tanh", "return tg.tan(", 14, "SyntaxError"),
        ("tg.tanh(", "tg.tanhh(", 14, "tanh"),
        ("self.U(h)", "self.W(h)", 14, "3"),
        ("(nn.Cell)", "", None, "class MyCell(nn.Cell)"),
    ],
)
def test_an_error_names_the_readers_line(
    ask: Ask, cells: dict[str, str], old: str, new: str, line: int | None, told: str
) -> None:
    text = cells["rnn"]
    assert old in text
    found = look(ask, text.replace(old, new))
    assert found["line"] == line and told in found["error"]
    assert "picture" in look(ask, text)  # the next question is answered


def test_a_change_in_place_is_found_in_the_text(ask: Ask, cells: dict[str, str]) -> None:
    """The backward pass notices it, long after the line has run."""
    text = cells["lstm"].replace("        c = (f", "        c += 1\n        c = (f")
    found = look(ask, text)
    assert text.splitlines()[found["line"] - 1].strip() == "c += 1"
    assert "StaleValueError" in found["error"]


def test_a_value_that_is_no_number_is_named(ask: Ask, cells: dict[str, str]) -> None:
    with np.errstate(all="ignore"):
        found = look(ask, cells["lstm"].replace("f * c + i * g", "tg.log(c)"))
    assert found["broken"] == {"name": "c", "step": 0, "value": "-inf"}
    assert look(ask, cells["lstm"])["broken"] is None


def test_a_loop_at_the_top_of_the_text_is_stopped_and_not_blamed_on_a_key(ask: Ask) -> None:
    """The page interrupts what takes too long: that is no error of the text."""
    found = look(ask, "import tinygrad_rnn as tg\nraise KeyboardInterrupt\n")
    assert found == {"error": "", "line": 2, "stopped": True}


def test_knobs_turn_the_network_itself(ask: Ask, cells: dict[str, str]) -> None:
    found = look(ask, cells["lstm"], knobs={"forget gate": 4.0, "radius": 0.0})
    assert found["knobs"]["forget gate"] == pytest.approx(4.0) and found["radius"] == 0.0
    assert np.min(found["values"]["forget gate"]) > 0.9
    shut = look(ask, cells["lstm"], knobs={"forget gate": -6.0, "radius": 0.0})
    assert shut["flow"]["c"][0] < 1e-8 < found["flow"]["c"][0]
    free = look(ask, cells["lstm"])
    assert free["radius"] > 0.1


def test_a_gate_that_is_switched_on_again_is_as_it_was(ask: Ask, cells: dict[str, str]) -> None:
    """Each unit has a bias of its own, and what was learnt stays."""
    train(ask, {"a": cells["lstm"]}, 3)
    found = look(ask, cells["lstm"])
    shut = look(ask, cells["lstm"], knobs={"input gate": -6.0})
    assert np.max(shut["values"]["input gate"]) < 0.1
    assert look(ask, cells["lstm"])["values"] == found["values"]


def test_the_knobs_of_every_cell_of_the_package(explainer: Any) -> None:
    """A bias knob sets the argument of its gate, and the radius that of each recurrent block."""
    from importlib import import_module

    knobs = import_module("explainer.knobs")
    turned = 0
    for name, cell_class in tg.cells.discover().items():
        tg.manual_seed(0)
        try:
            cell = cell_class(3, 4)
            found = knobs.Knobs(cell, 3)
        except (TypeError, ValueError):  # further arguments or inputs
            continue
        for gate in found.biases:
            found.set_bias(gate, 0.75)
            assert found.bias(gate) == pytest.approx(0.75), (name, gate)
            turned += 1
        if found.radius():  # weights that start at zero cannot be scaled
            found.set_radius(0.5)
            assert found.radius() == pytest.approx(0.5, rel=1e-4), name
            turned += 1
    assert turned > 60


def test_both_sides_learn_from_the_same_examples(ask: Ask, cells: dict[str, str]) -> None:
    trained = train(ask, {"a": cells["rnn"], "b": cells["rnn"]}, 4)
    assert trained["losses"]["a"] == trained["losses"]["b"]
    assert trained["updates"] == 4 and trained["moments"] == [0, 1, 2, 3, 4]


def test_a_training_can_be_gone_back_through(ask: Ask, cells: dict[str, str]) -> None:
    first = look(ask, cells["rnn"])
    train(ask, {"a": cells["rnn"]}, 6)
    last = look(ask, cells["rnn"])
    assert look(ask, cells["rnn"], moment=0)["values"] == first["values"] != last["values"]
    assert look(ask, cells["rnn"], moment=6)["values"] == last["values"]


def test_a_training_can_be_set_aside(ask: Ask, cells: dict[str, str]) -> None:
    train(ask, {"a": cells["rnn"]}, 3)
    learnt = look(ask, cells["rnn"])["values"]
    ask("set_aside")
    assert look(ask, cells["rnn"])["values"] != learnt
    train(ask, {"a": cells["gru"]}, 2)
    assert ask("take_back") == {"found": True}
    assert look(ask, cells["rnn"])["values"] == learnt
    assert train(ask, {"a": cells["rnn"]}, 1)["updates"] == 4
    assert ask("take_back") == {"found": False}


def test_what_the_tour_says_of_its_networks_is_true(explainer: Any, cells: dict[str, str]) -> None:
    """Its stops 3 and 5: how much of the gradient is left after 29 steps."""
    from importlib import import_module

    look, network = import_module("explainer.look"), import_module("explainer.network")

    def left(cell: str, state: str, seed: int, **knobs: float) -> float:
        side = network.Side(cells[cell], network.Settings("recall", 30, 8, 0, 0.02, seed))
        radius = knobs.pop("radius", None)
        for gate, bias in knobs.items():
            side.knobs.set_bias(f"{gate} gate", bias)
        if radius is not None:
            side.knobs.set_radius(radius)
        x = tg.tensor(look.example(side).inputs[:, :1])
        norms = look.numbers(side, x, once=False)[0]["flow"][state]
        return float(norms[0] / norms[-1])

    assert left("rnn", "h", 21, radius=0.7) < 1e-6
    assert left("rnn", "h", 21, radius=1.9) == pytest.approx(1, abs=0.1)
    assert left("rnn", "h", 21, radius=2.0) > 200
    assert left("lstm", "c", 21, forget=5) > 0.8
    for others in ({}, {"input": -6}, {"output": -6}):
        assert left("lstm", "c", 76, forget=5, **others) == pytest.approx(0.81, abs=0.005)
    assert left("lstm", "c", 76, forget=-6) < 1e-20
    assert left("lstm", "c", 76, forget=0) < 1e-5


def test_truncation_cuts_the_gradient(ask: Ask, cells: dict[str, str]) -> None:
    flow = look(ask, cells["rnn"], {**SETTINGS, "truncate": 3})["flow"]["h"]
    assert all(flow[t] > 0 for t in (3, 4, 5)) and flow[0] == 0


def value_of(expression: dict[str, Any]) -> float:
    """Compute an expression again from what is shown of it."""
    functions: dict[str, Callable[..., Any]] = {
        "σ": lambda a: 1 / (1 + np.exp(-a)),
        "tanh": np.tanh,
        "relu": lambda a: max(a, 0.0),
        "+": lambda a, b: a + b,
        "−": lambda a, b: a - b,
        "×": lambda a, b: a * b,
    }
    if "terms" in expression:
        return float(sum(a * b for a, b in expression["terms"]))
    if "args" in expression:
        return float(functions[expression["symbol"]](*map(value_of, expression["args"])))
    return float(expression["value"])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "irnn", "peephole"])
def test_a_unit_is_shown_down_to_its_products(ask: Ask, cells: dict[str, str], cell: str) -> None:
    found = look(ask, cells[cell])
    for name, values in found["values"].items():
        for step, unit in ((0, 0), (4, 2)):
            shown = ask("unit", side="a", name=name, step=step, unit=unit)
            expression = shown["expression"]
            assert expression["value"] == pytest.approx(values[step][unit], rel=1e-3)
            assert value_of(expression) == pytest.approx(expression["value"], rel=1e-4, abs=1e-6)
            assert "args" in expression
            gradient = found["gradients"][name][step][unit]
            assert shown["gradient"] == pytest.approx(gradient, rel=1e-3, abs=1e-9)


def product(path: dict[str, Any]) -> float:
    """Multiply what is shown of a path."""
    return float(path["start"] * np.prod([slope["value"] for slope in path["slopes"]]))


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "mgu", "lem", "peephole", "antisymmetric"])
def test_a_gradient_is_the_sum_of_the_products_that_are_shown(
    ask: Ask, cells: dict[str, str], cell: str
) -> None:
    found = look(ask, cells[cell])
    whole = 0
    for name in found["values"]:
        for step, unit in ((1, 0), (4, 2)):
            shown = ask("unit", side="a", name=name, step=step, unit=unit)
            total = sum(path["value"] for path in shown["paths"])
            assert total == pytest.approx(shown["gradient"], rel=1e-4, abs=1e-7), (name, step)
            for path in shown["paths"]:
                if path["start"] is None:  # through the weights: a sum over all units
                    continue
                whole += 1
                assert product(path) == pytest.approx(path["value"], rel=1e-5, abs=1e-9)
                there = path["at"].removesuffix("[t+1]")
                later = step + (there != path["at"])
                if there in found["gradients"]:
                    start = found["gradients"][there][later][unit]
                    assert path["start"] == pytest.approx(start, rel=1e-3, abs=1e-9)
            for path in shown["onward"]:
                assert path["start"] == shown["gradient"]
                assert product(path) == pytest.approx(path["value"], rel=1e-5, abs=1e-9)
    assert whole or cell == "rnn"


def test_the_gradient_of_a_gate_is_that_of_the_cell_state_times_the_state_before(
    ask: Ask, cells: dict[str, str]
) -> None:
    """By hand: dy/df_t = dy/dc_t c_t-1, and behind the sigmoid f (1 - f) times as much."""
    found = look(ask, cells["lstm"])
    values, gradients = found["values"], found["gradients"]
    for t, unit in ((1, 0), (3, 1), (5, 2)):
        shown = ask("unit", side="a", name="forget gate", step=t, unit=unit)
        (path,), (onward,) = shown["paths"], shown["onward"]
        (slope,) = path["slopes"]
        assert (path["at"], slope["name"]) == ("c", "c[t-1]")
        assert slope["value"] == pytest.approx(values["c"][t - 1][unit], rel=1e-3)
        by_hand = gradients["c"][t][unit] * values["c"][t - 1][unit]
        assert shown["gradient"] == pytest.approx(by_hand, rel=2e-3)
        f = values["forget gate"][t][unit]
        assert [factor["name"] for factor in onward["slopes"]] == ["σ′"]
        assert onward["value"] == pytest.approx(by_hand * f * (1 - f), rel=3e-3)
        belt = ask("unit", side="a", name="c", step=t, unit=unit)["onward"]
        (back,) = (path for path in belt if path["at"] == "c[t-1]")
        assert [factor["name"] for factor in back["slopes"]] == ["forget gate"]
        assert back["value"] == pytest.approx(gradients["c"][t][unit] * f, rel=2e-3)


def test_an_edge_shows_its_gradient_and_a_state_its_jacobians(
    ask: Ask, cells: dict[str, str]
) -> None:
    found = look(ask, cells["lstm"])
    states = 0
    for number, edge in enumerate(found["picture"]["edges"]):
        for step in edge["steps"][1:2]:
            shown = ask("edge", side="a", edge=number, step=step)
            assert shown["norm"] == pytest.approx(np.linalg.norm(shown["gradient"]), rel=1e-2)
            if edge["state"]:
                states += 1
                assert shown["jacobians"]["slices"] == {"h": [0, 3], "c": [3, 6]}
                assert np.shape(shown["jacobians"]["product"]["matrix"]) == (6, 6)
    assert states >= 2  # c and h, in pieces


def test_every_starting_point_is_drawn_and_learns(ask: Ask, cells: dict[str, str]) -> None:
    """A dozen and two; the loss falls on a task for which no memory of long ago is needed."""
    assert len(cells) >= 12
    for name, text in cells.items():
        settings = {**SETTINGS, "task": "names", "steps": 4, "hidden": 6, "rate": 0.05}
        found = look(ask, text, settings)
        assert "error" not in found, (name, found.get("error"))
        assert found["flow"] and found["knobs"].keys() <= found["values"].keys(), name
        losses = train(ask, {"a": text}, 20, settings)["losses"]["a"]
        assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:2]), name


def test_faults_are_found_and_mended(ask: Ask) -> None:
    faults = ask("faults")["faults"]
    assert len(faults) == 20
    for number in (0, 12, 19):
        fault = faults[number]
        wrong = ask("mend", fault=number, text=fault["text"])
        assert not wrong["mended"] and wrong["wrong"]
        solution = ask("solution", fault=number)
        assert solution["was"] in fault["text"] and solution["hint"]
        right = fault["text"].replace(solution["was"], solution["is"])
        assert ask("mend", fault=number, text=right) == {"mended": True, "wrong": [], "steps": 5}


def test_hints_and_findings_are_in_the_language_of_the_page(ask: Ask) -> None:
    text = ask("faults")["faults"][0]["text"]
    assert ask("solution", fault=0, language="ko")["hint"].endswith("곱해야 할까요?")
    assert ask("mend", fault=0, text=text, language="ko")["wrong"] == ["처음 상태 h의 그래디언트"]


def test_a_text_that_does_not_run_is_not_mended(ask: Ask) -> None:
    found = ask("mend", fault=0, text="import numpy as np\n1 / 0\n")
    assert not found["mended"] and "line 2" in found["wrong"][0]
