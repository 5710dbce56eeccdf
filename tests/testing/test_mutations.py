"""The checkers find every planted fault, and nothing in what is right."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tinygrad_rnn.testing import gradcheck

mutations = runpy.run_path(str(Path(__file__).with_name("mutations.py")))
faults = runpy.run_path(str(Path(__file__).with_name("planted_faults.py")))
PLANTED = [*faults["OPS"], *faults["LSTMS"]]


@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.name)
def test_a_wrong_gradient_is_found(fault) -> None:
    assert mutations["ours"](fault)
    assert mutations["ours_in_one_evaluation"](fault)


@pytest.mark.parametrize(("steps", "at"), [(40, range(40)), (200, [0, 1, 99, 198, 199])])
def test_bptt_cut_at_a_step_is_found(steps, at) -> None:
    cuts = faults["cuts"](steps)
    missed = [step for step in at if not mutations["ours_in_one_evaluation"](cuts[step])]
    assert missed == []


@pytest.mark.parametrize(("level", "name", "by", "found"), mutations["OTHERS"])
def test_other_faults_are_found(level, name, by, found) -> None:
    assert found()


def test_there_are_at_least_thirty_at_three_levels() -> None:
    levels = [fault.level for fault in PLANTED] + [level for level, *_ in mutations["OTHERS"]]
    assert len(levels) >= 30 and set(levels) == {"op", "cell", "layer"}


def test_the_page_has_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")
    for name in [fault.name for fault in PLANTED] + [name for _, name, *_ in mutations["OTHERS"]]:
        assert f"| {name} | " in page, f"{name}: run python docs/make_trust.py mutations.py"


def test_without_a_fault_nothing_is_found() -> None:
    right = faults["lstm_fault"]("cell", "")
    assert gradcheck(right.op(), right.point).ok
    (cut,) = {fault.value for fault in faults["cuts"](40)}
    network = faults["Fault"]("layer", "", cut, faults["rnn_backward"], faults["cuts"](40)[0].point)
    assert gradcheck(network.op(), network.point).ok
    for check in mutations["installed"](mutations["PEERS"]).values():
        assert not check(right) and not check(network)
