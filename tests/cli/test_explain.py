"""`tinygrad-rnn explain`: what it serves, and what it says without a site."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.request import urlopen

import pytest

from tinygrad_rnn.cli import main
from tinygrad_rnn.cli.commands.explain import server


def test_without_a_site_it_says_how_to_build_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain"]) == 2
    assert "docs/explainer/build.py" in capsys.readouterr().err
    assert main(["explain", str(tmp_path)]) == 2
    assert "no explainer in" in capsys.readouterr().err


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "service.js").touch()
    with server(tmp_path, 0) as serving:
        assert main(["explain", str(tmp_path), "--port", str(serving.server_port)]) == 2
    assert "choose another with --port" in capsys.readouterr().err
    assert main(["explain", str(tmp_path), "--port", "70000"]) == 2
    assert "from 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.mjs", "text/javascript"), ("a.wasm", "application/wasm"), ("a.css", "text/css")],
)
def test_files_have_the_types_that_browsers_insist_on(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_text("content")
    with server(tmp_path, 0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        with urlopen(f"http://127.0.0.1:{serving.server_port}/{name}") as answer:
            assert answer.headers["Content-Type"] == kind
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
            assert answer.read() == b"content"
        serving.shutdown()
