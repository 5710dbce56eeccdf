"""Commands that are printed work when they are pasted, whatever the environment is like."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_rnn import invocation
from tinygrad_rnn.invocation import command, install_command

ROOT = Path(__file__).parent.parent


def pasted(line: str, **options) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        shlex.split(line), env=env, capture_output=True, encoding="utf-8", timeout=120, **options
    )


def environment(folder: Path) -> Path:
    """An environment as the README makes it, without pip, with the command in it."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", folder / ".venv"],
        check=True,
    )
    program = folder / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "tinygrad-rnn"
    program.write_text(
        f"#!{program.parent / 'python'}\nimport sys\nfrom tinygrad_rnn.cli import main\n"
        "sys.exit(main())\n"
    )
    program.chmod(0o755)
    return program


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_the_environments_own_command_is_printed_as_it_is_called(tmp_path: Path) -> None:
    program = environment(tmp_path)
    called = program.relative_to(tmp_path)
    shown = pasted(f"{called}", cwd=tmp_path).stdout
    line = next(
        line for line in shown.splitlines() if line.endswith(" predict runs/surnames Kowalski")
    )
    assert line.split()[0] == str(called)
    again = pasted(line, cwd=tmp_path)  # nothing is trained yet: it is the command that is found
    assert again.returncode == 2 and "runs/surnames" in again.stderr
    with_path = f"env PATH={program.parent}:{os.environ['PATH']} tinygrad-rnn train --help"
    assert "\n  tinygrad-rnn train --resume" in pasted(with_path, cwd=tmp_path).stdout


def test_the_module_is_printed_as_a_module(tmp_path: Path) -> None:
    shown = pasted(f"{shlex.quote(sys.executable)} -m tinygrad_rnn train --what", cwd=tmp_path)
    line = shown.stderr.partition("(see ")[2].rstrip(")\n")
    helped = pasted(line, cwd=tmp_path)
    assert helped.returncode == 0 and "--epochs" in helped.stdout


def test_names_with_spaces_are_quoted() -> None:
    assert shlex.split(command("predict", "my runs/a", "O'Neil"))[-2:] == ["my runs/a", "O'Neil"]


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_an_extra_is_installed_into_an_environment_without_pip(tmp_path: Path) -> None:
    python = environment(tmp_path).parent / "python"
    code = "from tinygrad_rnn.invocation import install_command; print(install_command('llvm'))"
    line = pasted(
        f"{python} -Ic {shlex.quote(f'import sys; sys.path.insert(0, {str(ROOT)!r}); {code}')}",
        cwd=tmp_path,
    ).stdout.strip()
    assert shlex.split(line)[-2:] == ["install", f"{ROOT}[llvm]"]
    listed = pasted(f"{line.partition(' install ')[0]} list", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ({"url": "file:///{folder}", "dir_info": {}}, "./got[plot]"),
        ({"url": "file:///{folder}", "dir_info": {"editable": True}}, "--editable ./got[plot]"),
        (
            {"url": "https://example.org/a.git", "vcs_info": {"vcs": "git"}},
            "tinygrad-rnn[plot] @ git+https://example.org/a.git",
        ),
        (
            {"url": "https://example.org/a.whl", "archive_info": {}},
            "tinygrad-rnn[plot] @ https://example.org/a.whl",
        ),
        ({"url": "file:///no/longer/there", "dir_info": {}}, "tinygrad-rnn[plot]"),
        (None, "tinygrad-rnn[plot]"),
    ],
)
def test_what_is_installed_is_what_it_came_from(
    origin: dict | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Distribution:
        @staticmethod
        def read_text(name: str) -> str | None:
            assert name == "direct_url.json"
            return None if origin is None else json.dumps(origin).replace("/{folder}", str(folder))

    folder = tmp_path / "got"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(invocation, "__file__", str(tmp_path / "site" / "tinygrad_rnn" / "a.py"))
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Distribution)
    found = shlex.split(install_command("plot"))
    assert " ".join(found[found.index("install") + 1 :]) == expected


def test_in_a_checkout_it_is_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert install_command("data").endswith(" install '.[data]'")
