"""Comparisons: sizes that match, the same rows wherever they are made, resuming, what is shown."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tinygrad_rnn import nn
from tinygrad_rnn.comparison import ComparisonError, Entry, compare, leaders, report
from tinygrad_rnn.comparison.engines import _by_value, on_dask
from tinygrad_rnn.comparison.jobs import Job, Recipe, comparable
from tinygrad_rnn.comparison.results import Results
from tinygrad_rnn.comparison.subjects import cells_of, tasks_of
from tinygrad_rnn.data import tasks
from tinygrad_rnn.user_code import UserCodeError

SMALL = {"hidden_size": 4, "epochs": 2, "batches": 2, "batch_size": 4, "steps": 5}
QUIET = {**SMALL, "progress": False}

OWN = """
import tinygrad_rnn as tg

class Mine(tg.nn.RNNCell):
    pass

def counted(steps=5, batch_size=2, batches=2, seed=0):
    return tg.data.tasks.parity(steps, batch_size=batch_size, batches=batches, seed=seed)
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN, encoding="utf-8")
    return path


def rows(found) -> list[dict]:
    return [comparable(row) for row in found.rows]


def test_the_rows_are_the_same_bit_for_bit_whatever_made_them(own) -> None:
    given = ["gru", f"{own}:Mine"], ["adding", f"{own}:counted"]
    here = compare(*given, seeds=2, **QUIET)
    assert [(r["task"], r["cell"], r["seed"]) for r in here.rows][:3] == [
        ("adding", "gru", 0),
        ("adding", "gru", 1),
        ("adding", "own.py:Mine", 0),
    ]
    assert rows(compare(*given, seeds=2, **QUIET)) == rows(here), "again in this process"
    assert rows(compare(*given, seeds=2, workers=2, **QUIET)) == rows(here), "in two others"


def test_the_rows_are_the_same_on_a_cluster(own, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra cluster")
    given = ["gru", f"{own}:Mine"], [f"{own}:counted"]
    here = compare(*given, seeds=2, **QUIET)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        there = compare(*given, seeds=2, dask=cluster.scheduler_address, **QUIET)
    assert rows(there) == rows(here)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ComparisonError, match=r"extra `cluster`.*\[cluster\]"):
        next(on_dask([], print, "tcp://nowhere:1"))


def test_each_cell_has_nearly_as_many_parameters_as_the_first() -> None:
    cells = ["lstm", "mingru", "mlstm,heads=4", "projectedlstm,projection_size=3"]
    found = compare(cells, ["adding"], seeds=1, **{**QUIET, "hidden_size": 20})
    first = found.entries[0]
    assert (first.hidden_size, first.distance) == (20, 0.0)
    for entry in found.entries[1:]:
        assert entry.target == first.parameters
        assert abs(entry.distance) < 0.06, entry
        assert entry.parameters == entry.rows[0]["parameters"]
    assert found.entries[2].hidden_size % 4 == 0, "the nearest of the sizes that it takes"


def test_sizes_that_are_not_matched() -> None:
    same = compare(["rnn", "gru"], ["adding"], seeds=1, match="hidden", **QUIET)
    assert [entry.hidden_size for entry in same.entries] == [4, 4]
    own = compare(["rnn", "rnn,hidden_size=7"], ["adding"], seeds=1, match=None, **QUIET)
    assert [entry.hidden_size for entry in own.entries] == [4, 7]
    with pytest.raises(ComparisonError, match="has its own hidden size"):
        compare(["rnn", "gru,hidden_size=7"], ["adding"], **QUIET)


def test_names_of_ones_own_and_settings() -> None:
    cells = {"plain": "lstm", "no bias": "lstm,bias=False", "made": lambda i, h: nn.GRUCell(i, h)}
    task = {"short": lambda seed, steps: tasks.adding(steps, seed=seed, batches=2)}
    found = compare(cells, task, seeds=[3], match="hidden", **QUIET)
    assert [(row["cell"], row["task"], row["seed"]) for row in found.rows] == [
        (name, "short", 3) for name in cells
    ]
    assert found.entries[1].parameters < found.entries[0].parameters


def test_what_is_stopped_goes_on_and_makes_nothing_twice(tmp_path, capsys) -> None:
    whole = compare(["rnn"], ["adding", "parity"], seeds=2, folder=tmp_path / "whole", **QUIET)
    folder = tmp_path / "stopped"
    lines = (tmp_path / "whole/results.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 4
    folder.mkdir()
    half = lines[2][: len(lines[2]) // 2]
    (folder / "results.jsonl").write_text("".join(lines[:2]) + half)
    found = compare(["rnn"], ["adding", "parity"], seeds=2, folder=folder, **SMALL)
    told = capsys.readouterr().err
    assert "is incomplete: it is dropped" in told
    assert len(re.findall(r"seed \d", told)) == 2, "two runs were there"
    assert rows(found) == rows(whole)
    now = (folder / "results.jsonl").read_text().splitlines(keepends=True)
    assert now[:2] == lines[:2]
    assert [comparable(json.loads(line)) for line in now] == [
        comparable(json.loads(line)) for line in lines
    ]
    more = compare(["rnn", "gru"], ["parity"], seeds=2, folder=folder, **SMALL)
    assert len(re.findall(r"seed \d", capsys.readouterr().err)) == 2, "only what is new"
    assert len(more.rows) == 4


def test_results_of_other_settings_or_code_are_not_taken_for_these(own, tmp_path) -> None:
    folder = tmp_path / "runs"
    compare([f"{own}:Mine"], ["adding"], seeds=1, folder=folder, **QUIET)
    with pytest.raises(ComparisonError, match=r"epochs was 2, is 3.*--again"):
        compare([f"{own}:Mine"], seeds=1, folder=folder, **{**QUIET, "epochs": 3})
    again = compare([f"{own}:Mine"], seeds=1, folder=folder, again=True, **{**QUIET, "epochs": 3})
    assert len(again.rows[0]["curves"]["val_loss"]) == 3
    own.write_text(OWN.replace("    pass", '    """A docstring."""  # and a comment\n\n    pass'))
    compare([f"{own}:Mine"], seeds=1, folder=folder, **{**QUIET, "epochs": 3})
    own.write_text(OWN.replace("    pass", "    size = 3"))
    with pytest.raises(ComparisonError, match="the code of the cell has changed"):
        compare([f"{own}:Mine"], seeds=1, folder=folder, **{**QUIET, "epochs": 3})


def test_a_file_that_is_no_results_is_left_alone(tmp_path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text('{"epoch": 1}\n')
    with pytest.raises(ComparisonError, match="line 1: not a result"):
        compare(["rnn"], folder=tmp_path, **QUIET)
    assert file.read_text() == '{"epoch": 1}\n'


KILLED = """
import sys
from tinygrad_rnn.comparison import compare
if __name__ == "__main__":
    compare(["rnn"], ["adding"], seeds=50, workers=int(sys.argv[2]), folder=sys.argv[1],
            hidden_size=4, epochs=1, batches=2, batch_size=4, steps=5)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_kill_loses_no_finished_run_and_leaves_no_process(workers, tmp_path) -> None:
    script, folder = tmp_path / "script.py", tmp_path / "runs"
    script.write_text(KILLED)
    environment = {**os.environ, "PYTHONPATH": str(Path(nn.__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, script, folder, str(workers)],
        stderr=subprocess.PIPE, env=environment, text=True, start_new_session=True,
    )  # fmt: skip
    told = []
    while len(told) < 3:  # said after it is on the disk
        told += [line for line in [process.stderr.readline()] if "seed" in line]
    process.kill()
    process.wait()
    kept = (folder / "results.jsonl").read_bytes().splitlines()
    assert 3 <= len(kept) < 50
    assert {json.loads(line)["seed"] for line in kept[:3]} >= {
        int(re.search(r"seed (\d+)", line)[1]) for line in told
    }
    end = time.monotonic() + 30
    while _alive(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _alive(process.pid), "its workers have ended with it"
    process.stderr.close()


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return any(
        stat.split(")")[-1].split()[2] == str(group) and stat.split(")")[-1].split()[0] != "Z"
        for stat in _stats()
    )


def _stats() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append(path.read_text())
        except OSError:
            continue
    return found


def test_two_comparisons_do_not_write_into_one_folder(tmp_path) -> None:
    with Results(tmp_path), pytest.raises(ComparisonError, match="another process is comparing"):
        compare(["rnn"], folder=tmp_path, **QUIET)


@pytest.mark.parametrize(
    ("cells", "task", "wrong"),
    [
        (["ltsm"], "adding", r"no cell 'ltsm' \(did you mean 'lstm'\?\)"),
        (["lstm"], "adin", "no task 'adin'"),
        ([], "adding", "there is no cell"),
        (["rnn", "rnn"], "adding", "two cells 'rnn'"),
        (["lstm,bias"], "adding", "after the comma come settings"),
        (["convlstm"], "adding", r"convlstm on adding"),
        ([lambda i, h: nn.RNNCell(i + 1, h)], "adding", "on adding"),
    ],
)
def test_what_cannot_be_compared_is_told_before_anything_is_trained(cells, task, wrong) -> None:
    with pytest.raises((ComparisonError, UserCodeError), match=wrong):
        compare(cells, [task], **QUIET)


def test_arguments_that_do_not_fit() -> None:
    for wrong in ({"match": "weights"}, {"workers": 0}, {"seeds": 0}, {"epochs": 0}, {"clip": 0}):
        with pytest.raises(ComparisonError, match=next(iter(wrong))):
            compare(["rnn"], **{**QUIET, **wrong})
    with pytest.raises(TypeError, match=r"write \[...\]"):
        compare("rnn")
    with pytest.raises(ComparisonError, match=r"put it into a file"):
        compare([lambda i, h: nn.RNNCell(i, h)], workers=2, **QUIET)


def entry(cell: str, *losses: float | None) -> Entry:
    made = [
        {"loss": loss, "accuracy": None, "step_seconds": 0.001, "diverged": "" if loss else "inf",
         "seed": seed, "curves": {"val_loss": [loss]}, "flow_before": [], "flow_after": []}
        for seed, loss in enumerate(losses)
    ]  # fmt: skip
    return Entry("adding", cell, 4, 40, 41, 1 / 6, made)


def test_ties_are_those_that_the_spread_does_not_tell_apart() -> None:
    best, near, far = entry("a", 0.1, 0.3), entry("b", 0.3, 0.5), entry("c", 0.31, 0.32)
    broken = entry("d", 0.01, None)
    assert [e.cell for e in leaders([far, near, best, broken])] == ["b", "a"]
    assert leaders([broken]) == []


def test_tables_and_page_tell_of_every_cell(tmp_path) -> None:
    found = compare(["lstm", "gru"], ["adding", "parity"], seeds=2, **QUIET)
    found.entries.append(entry("diverges", None, 0.2))
    found.entries[-1].rows[0].update(environment={}, task="adding")
    found.entries[-1].rows[1].update(environment={}, task="adding")
    table = found.table()
    assert all(len(line) <= 80 for line in table.splitlines()), table
    assert "0.2000 (1 diverged)" in table
    page = found.report(tmp_path / "page.html").read_text()
    for name in ("lstm", "gru", "diverges", "Learning curves", "Gradient flow", "Speed"):
        assert name in page
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", page)
    assert found._repr_html_().count("<table>") == 2


def test_many_cells_have_a_panel_each(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MANY", 2)
    names = ["rnn", "gru", "mingru"]
    found = compare(names, ["adding"], seeds=1, **{**QUIET, "epochs": 1, "batches": 1})
    page = found.report(tmp_path / "page.html").read_text()
    for name in names:
        assert page.count(f">{name}</text>") >= 3, "results, curves, flow"


def test_a_task_of_one_kind_with_long_names_fits_the_terminal() -> None:
    long = {"a cell with a name that is much too long for a table": "rnn", "lstm": "lstm"}
    table = compare(long, ["parity"], seeds=2, **QUIET).table()
    assert all(len(line) <= 80 for line in table.splitlines())
    assert "…" in table


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_signals_are_as_they_were() -> None:
    before = signal.getsignal(signal.SIGINT)
    compare(["rnn"], seeds=1, **QUIET)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_job_travels_with_the_code_of_the_users_file(own, tmp_path) -> None:
    cloudpickle = pytest.importorskip("cloudpickle", reason="needs the extra cluster")
    (cell,), (task,) = cells_of([f"{own}:Mine"]), tasks_of([f"{own}:counted"])
    job = Job(cell, task, 0, 4, Recipe(2, 2, 4, 5), "numpy", "float32", "0")
    here = job.run()
    with _by_value([job], cloudpickle) as sent:
        (tmp_path / "job").write_bytes(cloudpickle.dumps(sent[0]))
    own.unlink()
    code = (
        "import json, pickle, sys; job = pickle.load(open(sys.argv[1], 'rb')); "
        "print(json.dumps(job.run()))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "job"],
        env={**os.environ, "PYTHONPATH": str(Path(nn.__file__).parents[2])},
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert comparable(json.loads(ended.stdout)) == comparable(here)
