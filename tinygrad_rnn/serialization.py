"""Saving and loading: nested dicts of arrays, numbers and strings, in one `.safetensors` file.

The format is safetensors: a JSON header and raw arrays. Reading one runs no code, and nothing is
ever unpickled. Every array stands under its path, keys joined by `/`, so that the state of a
module is a file that PyTorch and JAX read as well. Ours carry in the header's metadata, under the
key `tinygrad_rnn`, a JSON object of two entries: `tree`, the nest around the arrays, and `sha256`,
by which damage is noticed.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .engine.tensor import Tensor
from .errors import TinygradRnnError
from .files import write_file
from .nn.module import Module

__all__ = ["CheckpointError", "load", "save"]

Arrays = dict[str, npt.NDArray[Any]]
Path = str | os.PathLike[str]

_KEY = "tinygrad_rnn"
_KINDS = "biuf"  # of arrays: bool, integers and floating numbers
_PICKLES = (b"PK\x03\x04", *(b"\x80" + bytes([version]) for version in range(2, 6)))


class CheckpointError(TinygradRnnError, ValueError):
    """A file that is missing, damaged, or not what it should be; one line says which.

    >>> load("no/such/model.safetensors")
    Traceback (most recent call last):
        ...
    tinygrad_rnn.serialization.CheckpointError: cannot read 'no/such/model.safetensors': No such \
file or directory
    """


def save(obj: Module | Mapping[Any, Any], path: Path) -> None:
    """Write a module's state, or a nested dict of arrays, numbers and strings, to the file `path`.

    Of a Module its `state_dict()` is written. In a dict may be: arrays, Tensors and Modules,
    numbers, strings, bools, None, and lists, tuples and dicts of these; keys are strings or
    integers. All of it is loaded as it was, but for what is named here: a Module is loaded as its
    state_dict, a Tensor as an ndarray, and a NumPy scalar as a number. An array that stands in two
    places is written twice. The byte order is the machine's.

    The file is renamed into its place when it is complete on the disk. Equal objects give equal
    bytes. TypeError, with nothing written, for anything else, which the message names by its
    place, and if the arguments are swapped; OSError if the file cannot be written.

    >>> import tempfile, tinygrad_rnn as tg
    >>> model = tg.nn.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.save(model, f"{folder}/linear.safetensors")
    ...     tg.save({"model": model, "epoch": 3, "rates": [0.1, 0.01]}, f"{folder}/run.safetensors")
    ...     model.load_state_dict(tg.load(f"{folder}/linear.safetensors"))
    ...     tg.load(f"{folder}/run.safetensors")["rates"]
    [0.1, 0.01]
    """
    if isinstance(obj, str | os.PathLike):
        raise TypeError(f"save(obj, path): the object comes first, but it is {str(obj)!r}")
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"save(obj, path): the path is {type(path).__name__}, not a str or Path")
    if not isinstance(obj, Module | Mapping):
        raise TypeError(
            f"save(obj, path) takes a Module or a dict, not {type(obj).__name__}" + _advice(obj)
        )
    from safetensors.numpy import save as to_bytes

    arrays: Arrays = {}
    tree = _packed(obj, (), arrays)
    ours = {"tree": tree, "sha256": _digest(arrays, tree)}
    # One key only: safetensors writes several in an order that changes from run to run.
    write_file(path, to_bytes(arrays, {_KEY: json.dumps(ours)}))


def load(path: Path) -> dict[Any, Any]:
    """What `save` wrote to the file `path`: a dict, never a model. No code is run.

    `model.load_state_dict(tg.load(path))` gives a model that was built as before its weights.

    CheckpointError if there is no such file, it cannot be read, is damaged, or is not ours.

    >>> import tempfile, tinygrad_rnn as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tg.save({"h": np.ones(2), "epoch": 3}, f"{folder}/m.safetensors")
    ...     tg.load(f"{folder}/m.safetensors")
    {'h': array([1., 1.]), 'epoch': 3}
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"load(path): the path is {type(path).__name__}, not a str or Path")
    arrays, metadata = _read(os.fspath(path))
    try:
        ours = json.loads(metadata[_KEY])
        tree, digest = ours["tree"], ours["sha256"]
    except (KeyError, TypeError, ValueError):
        raise CheckpointError(
            f"{os.fspath(path)!r} is a safetensors file, but not one that tinygrad_rnn wrote "
            "(its arrays alone can be read: safetensors.numpy.load_file(path))"
        ) from None
    if digest != _digest(arrays, tree):
        raise CheckpointError(
            f"{os.fspath(path)!r} is damaged: its content does not match its SHA-256"
        )
    try:
        found = _unpacked(tree, arrays)
    except (KeyError, TypeError, ValueError, AttributeError):
        found = None
    if not isinstance(found, dict):
        raise CheckpointError(f"{os.fspath(path)!r} was written by another version of tinygrad_rnn")
    return found


# The nest as JSON: numbers, strings, bools and None stand for themselves, all else is an object of
# one entry that says what it is. So a dict with any keys can be told from these.


def _packed(value: Any, place: tuple[str, ...], arrays: Arrays) -> Any:
    """`value` as JSON, its arrays put into `arrays` by their path."""
    if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
        value = value.item()
    if isinstance(value, Module):
        value = value.state_dict()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, Tensor | np.ndarray):
        name = "/".join(place)
        arrays[name] = _as_stored(value, name)
        return {"array": name}
    if isinstance(value, list | tuple):
        parts = [_packed(part, (*place, str(n)), arrays) for n, part in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": parts}
    if isinstance(value, Mapping):
        for key in value:
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise TypeError(
                    f"cannot save {_shown(place)}: its key {key!r} is no string or integer"
                )
        return {
            "dict": [
                [key, _packed(part, (*place, _escaped(key, value)), arrays)]
                for key, part in value.items()
            ]
        }
    raise TypeError(f"cannot save {_shown(place)}: it is {type(value).__name__}" + _advice(value))


def _escaped(key: str | int, siblings: Mapping[Any, Any]) -> str:
    """The key as a part of a path; no two keys of a dict give the same."""
    if isinstance(key, int):
        return str(key) if str(key) not in siblings else f"~i{key}"
    if key == "__metadata__":  # a name that safetensors keeps for itself
        return "~m"
    return key.replace("~", "~0").replace("/", "~1")


def _as_stored(value: Tensor | npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """The array as safetensors holds it: contiguous, in the machine's byte order."""
    array = value._data if isinstance(value, Tensor) else value
    if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
        raise TypeError(
            f"cannot save {_shown((name,))}: an array of {array.dtype}; bool, integers and "
            "float16 to float64 can be saved"
        )
    # `np.ascontiguousarray` would make an array of shape (1,) of a number.
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def _unpacked(tree: Any, arrays: Arrays) -> Any:
    """What `_packed` packed."""
    if not isinstance(tree, dict):
        return tree
    ((kind, value),) = tree.items()
    if kind == "array":
        return arrays[value]
    if kind == "float":
        return float(value)
    if kind == "dict":
        return {key: _unpacked(part, arrays) for key, part in value}
    parts = [_unpacked(part, arrays) for part in value]
    return {"list": parts, "tuple": tuple(parts)}[kind]


def _shown(place: tuple[str, ...]) -> str:
    return repr("/".join(place)) if place else "the object"


def _advice(value: Any) -> str:
    """How to write it right, for what people try to save."""
    if hasattr(value, "state_dict"):
        return ": save its state_dict()"
    if isinstance(value, Tensor | np.ndarray):
        return ': give it a name, {"x": x}'
    if isinstance(value, np.random.Generator):
        return ": save its bit_generator.state"
    if isinstance(value, set | frozenset):
        return ": save a list"
    return ""


def _read(path: str) -> tuple[Arrays, dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with open(path, "rb") as opened:  # for Python's own errors, which say more
            beginning = opened.read(9)
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except OSError as error:
        raise CheckpointError(f"cannot read {path!r}: {error.strerror}") from None
    except (SafetensorError, TypeError, AttributeError) as error:
        # The latter two: an element type that NumPy does not have, such as bfloat16.
        if beginning.startswith(_PICKLES) and not beginning.endswith(b"{"):
            raise CheckpointError(
                f"{path!r} is a pickle, as torch.save and pickle.dump write; reading one runs the "
                "code in it, so it is not read. In PyTorch: safetensors.torch.save_file"
            ) from None
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path!r} is damaged or no safetensors file of NumPy arrays ({reason})"
        ) from None


def _digest(arrays: Arrays, tree: Any) -> str:
    sha256 = hashlib.sha256(json.dumps(tree, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        sha256.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        sha256.update(array.tobytes())
    return sha256.hexdigest()
