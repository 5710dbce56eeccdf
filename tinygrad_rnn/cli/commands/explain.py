"""`tinygrad-rnn explain`: serve the explainer, the page in which the package runs."""

from __future__ import annotations

import argparse
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..parser import CommandError, add_command

if TYPE_CHECKING:
    from ..parser import Commands

__all__ = ["register", "server"]

_DETAILS = """\
Serves the explainer on this machine only: a page with an editor for your own
cell, its picture, its gradient through time and its training, all run in the
browser. SITE is its folder, built from a checkout of the package by

  python docs/explainer/build.py

OPTIONS
examples:
  tinygrad-rnn explain docs/_build/site/explainer
"""
_BUILD = (
    "build it in a checkout of the package, with Node.js 18 or later: "
    "python docs/explainer/build.py, which writes docs/_build/site/explainer"
)
_PORT = 8484


def register(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "explain", "serve the live explainer to a browser", _DETAILS)
    parser.add_argument("site", metavar="SITE", nargs="?", type=Path, help="its folder")
    parser.add_argument(
        "--port", type=int, default=_PORT, help="0 for any free port (default: %(default)s)"
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser")
    parser.set_defaults(command=_explain)


def _explain(options: argparse.Namespace) -> int:
    if options.site is None:
        raise CommandError(f"explain needs the folder of the explainer: {_BUILD}")
    if not (options.site / "service.js").is_file():
        raise CommandError(f"there is no explainer in {str(options.site)!r}: {_BUILD}")
    try:
        serving = server(options.site, options.port)
    except OverflowError as error:
        raise CommandError(f"--port is {options.port}, but must be from 0 to 65535") from error
    except OSError as error:
        raise CommandError(
            f"port {options.port} cannot be used ({error.strerror}): choose another with --port, "
            "or 0 for any free port"
        ) from error
    with serving:
        address = f"http://127.0.0.1:{serving.server_port}/"
        print(f"The explainer is at {address} (Ctrl-C ends it)", flush=True)
        if options.open:
            webbrowser.open(address)
        serving.serve_forever()
    return 0


def server(site: Path, port: int) -> ThreadingHTTPServer:
    """A server of that folder on 127.0.0.1. OSError if the port cannot be used."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(_Files, directory=str(site)))


class _Files(SimpleHTTPRequestHandler):
    """Files with the MIME types that browsers require, in a cross-origin isolated page.

    The two headers let a page share memory with its worker, so that an endless loop there can be
    interrupted without losing the training.
    """

    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".js": "text/javascript",
        ".css": "text/css",
        ".wasm": "application/wasm",
        ".json": "application/json",
        ".svg": "image/svg+xml",
    }

    def end_headers(self) -> None:
        """Add the headers, and make browsers revalidate files that were rebuilt."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
