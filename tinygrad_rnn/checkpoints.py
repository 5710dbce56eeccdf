"""Checkpoints: named arrays and what they belong to, in one `.safetensors` file.

The format is safetensors: a JSON header and raw arrays. Reading one runs no code. Ours carry in
the header's metadata, under the key `tinygrad_rnn`, a JSON object of two entries: `description`,
what the caller says about the arrays, and `sha256`, by which damage is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import TinygradRnnError
from .files import write_file

__all__ = ["CheckpointError", "load", "save"]

Arrays = Mapping[str, npt.NDArray[Any]]

_KEY = "tinygrad_rnn"


class CheckpointError(TinygradRnnError, ValueError):
    """A model file that is missing, damaged, or not what it should be; one line says which.

    >>> load("no/such/model.safetensors")
    Traceback (most recent call last):
        ...
    tinygrad_rnn.checkpoints.CheckpointError: cannot read the model file \
'no/such/model.safetensors': No such file or directory
    """


def save(
    path: str | os.PathLike[str], arrays: Arrays, description: Mapping[str, Any] | None = None
) -> None:
    """Write `arrays` (such as a module's `state_dict()`) and a JSON-able `description` to `path`.

    Shapes and dtypes are kept; a number is an array of shape (). The byte order is not kept: an
    array comes back in the machine's own.
    The file is renamed into its place when it is complete. Equal arrays and descriptions give
    equal bytes. OSError if the file cannot be written.

    >>> import tempfile, tinygrad_rnn as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/m.safetensors", tg.nn.Linear(3, 2).state_dict(), {"inputs": 3})
    ...     arrays, description = load(f"{folder}/m.safetensors")
    >>> sorted(arrays), description
    (['bias', 'weight'], {'inputs': 3})
    """
    from safetensors.numpy import save as to_bytes

    description = dict(description or {})
    whole = {name: _as_stored(array) for name, array in arrays.items()}
    ours = {"description": description, "sha256": _digest(whole, description)}
    # One key only: safetensors writes several in an order that changes from run to run.
    write_file(path, to_bytes(whole, {_KEY: json.dumps(ours, ensure_ascii=False)}))


def load(path: str | os.PathLike[str]) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """The arrays and the description that `save` wrote to `path`.

    CheckpointError if there is no such file, it cannot be read, is damaged, or is not ours.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/m.safetensors", {"h": np.ones(2)}, {"epoch": 3})
    ...     load(f"{folder}/m.safetensors")
    ({'h': array([1., 1.])}, {'epoch': 3})
    """
    arrays, metadata = _read(os.fspath(path))
    try:
        ours = json.loads(metadata[_KEY])
        description, digest = dict(ours["description"]), ours["sha256"]
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(
            f"{os.fspath(path)!r} is a safetensors file, but not one that tinygrad_rnn wrote "
            f"(its metadata has no valid entry {_KEY!r})"
        ) from None
    if digest != _digest(arrays, description):
        raise CheckpointError(
            f"{os.fspath(path)!r} is damaged: its content does not match its SHA-256"
        )
    return arrays, description


def _as_stored(array: Any) -> npt.NDArray[Any]:
    """The array in C order and native byte order; its shape as it is, () included."""
    array = np.asarray(array)
    return np.asarray(array, array.dtype.newbyteorder("="), order="C")


def _read(path: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with open(path, "rb"):  # for Python's own errors, which say more than safetensors' do
            pass
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except OSError as error:
        raise CheckpointError(f"cannot read the model file {path!r}: {error.strerror}") from None
    except (SafetensorError, TypeError, AttributeError) as error:
        # The latter two: an element type that NumPy does not have, such as bfloat16.
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path!r} is damaged or no safetensors file of NumPy arrays ({reason})"
        ) from None


def _digest(arrays: Arrays, description: Mapping[str, Any]) -> str:
    sha256 = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        sha256.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        sha256.update(array.tobytes())
    return sha256.hexdigest()
