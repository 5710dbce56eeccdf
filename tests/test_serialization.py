from __future__ import annotations

import json
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file, save_file

import tinygrad_rnn as tg
from tinygrad_rnn import CheckpointError, nn, optim

DTYPES = st.sampled_from(["float32", "float64", ">f4", ">i8", "float16", "int64", "int8", "bool"])
ARRAYS = DTYPES.flatmap(
    lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
)
STRINGS = st.text(st.characters(codec="utf-8"), max_size=12)
KEYS = STRINGS | st.integers(-3, 3) | st.sampled_from(["a/b", "~", "~0", "0", "__metadata__", ""])
LEAVES = ARRAYS | st.none() | st.booleans() | st.integers() | st.floats() | STRINGS
NESTS = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(KEYS, inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def same(a: Any, b: Any) -> bool:
    """Whether two nests are equal to the last bit, types included."""
    if isinstance(a, np.ndarray):
        native = a.astype(a.dtype.newbyteorder("="))
        return (b.shape, b.dtype, b.tobytes()) == (a.shape, native.dtype, native.tobytes())
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    return a == b


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved")


@given(NESTS)
def test_what_is_saved_is_loaded(folder: Path, nest: dict[Any, Any]) -> None:
    tg.save(nest, folder / "any.safetensors")
    assert same(nest, tg.load(folder / "any.safetensors"))


def test_strided_arrays(tmp_path: Path) -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    tg.save({"t": matrix.T, "reversed": matrix[:, ::-1]}, tmp_path / "m")
    loaded = tg.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded["t"], matrix.T)
    np.testing.assert_array_equal(loaded["reversed"], matrix[:, ::-1])


def test_a_module_is_saved_as_its_state_which_others_read(tmp_path: Path) -> None:
    model = nn.LSTM(2, 3)
    tg.save(model, tmp_path / "m")
    tg.save({"model": model, "h": tg.ones(2), "n": np.float32(0.5)}, tmp_path / "n")
    again = nn.LSTM(2, 3)
    again.load_state_dict(tg.load(tmp_path / "m"))
    for loaded in (load_file(tmp_path / "m"), again.state_dict(), tg.load(tmp_path / "n")["model"]):
        assert same(dict(sorted(model.state_dict().items())), dict(sorted(loaded.items())))
    assert same(tg.load(tmp_path / "n")["h"], np.ones(2, "f4"))
    assert tg.load(tmp_path / "n")["n"] == 0.5
    assert "model/weight_hh_l0" in load_file(tmp_path / "n")


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    nest = {**{name: np.full(3, 0.5) for name in "abcdef"}, **dict.fromkeys("uvwxyz", 1)}
    for run in ("1", "2"):
        tg.save(nest, tmp_path / run)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize("make", [optim.Adam, optim.RMSprop, lambda p: optim.SGD(p, momentum=0.9)])
def test_a_number_and_its_optimiser_go_on_from_a_file_as_if_never_saved(make, tmp_path):
    def trained(model: nn.Module, optimiser: optim.Optimizer, steps: int) -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            tg.square(model.scale - 3.0).backward()
            optimiser.step()

    def fresh() -> tuple[nn.Module, optim.Optimizer]:
        model = nn.Module()
        model.scale = nn.Parameter(0.5)  # type: ignore[attr-defined]
        return model, make(model.parameters())

    whole, its_optimiser = fresh()
    trained(whole, its_optimiser, 5)
    first, optimiser = fresh()
    trained(first, optimiser, 3)
    tg.save({"model": first, "optimiser": optimiser.state_dict()}, tmp_path / "m")
    saved = tg.load(tmp_path / "m")
    second, optimiser = fresh()
    second.load_state_dict(saved["model"])
    optimiser.load_state_dict(saved["optimiser"])
    trained(second, optimiser, 2)
    assert second.scale.shape == ()  # type: ignore[attr-defined]
    assert second.scale.item() == whole.scale.item()  # type: ignore[attr-defined]


# What cannot be saved


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (np.ones(2), r'takes a Module or a dict, not ndarray: give it a name, {"x": x}'),
        ([1, 2], "takes a Module or a dict, not list"),
        ({"a": {"b": [object()]}}, "'a/b/0': it is object"),
        ({"a": {1.5: 0}}, "'a': its key 1.5 is no string or integer"),
        ({"a": {1, 2}}, "'a': it is set: save a list"),
        ({"a": np.array([None])}, "'a': an array of object"),
        ({"a": np.ones(2, "complex64")}, "'a': an array of complex64"),
        ({"a": np.random.default_rng()}, "'a': it is Generator: save its bit_generator.state"),
        ({"o": optim.SGD([nn.Parameter([1.0])])}, r"'o': it is SGD: save its state_dict\(\)"),
    ],
)
def test_what_cannot_be_saved_is_named_and_the_old_file_stays(obj, message, tmp_path) -> None:
    tg.save({"w": np.zeros(1)}, tmp_path / "m")
    with pytest.raises(TypeError, match=message):
        tg.save(obj, tmp_path / "m")
    assert tg.load(tmp_path / "m")["w"] == 0
    assert [f.name for f in tmp_path.iterdir()] == ["m"]


def test_swapped_arguments(tmp_path: Path) -> None:
    for path in (tmp_path / "m", str(tmp_path / "m")):
        with pytest.raises(TypeError, match=r"save\(obj, path\): the object comes first"):
            tg.save(path, nn.Linear(1, 1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"the path is Linear"):
        tg.save({}, nn.Linear(1, 1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"load\(path\): the path is Linear"):
        tg.load(nn.Linear(1, 1))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


# Files that are not what they should be


@pytest.fixture(scope="module")
def saved(folder: Path) -> bytes:
    tg.save({"w": np.arange(4.0), "epoch": 1}, folder / "m")
    return (folder / "m").read_bytes()


@given(data=st.data())
def test_any_changed_byte_is_noticed(folder: Path, saved: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(saved) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != saved[place]))
    damaged = folder / "damaged"
    damaged.write_bytes(saved[:place] + bytes([byte]) + saved[place + 1 :])
    try:
        loaded = tg.load(damaged)
    except CheckpointError as error:
        assert "\n" not in str(error)
        assert "damaged" in str(error) or "not one that" in str(error)
    else:  # a byte of the header that means nothing, such as a blank
        assert same(loaded, {"w": np.arange(4.0), "epoch": 1})


@given(length=st.integers(0, 200))
def test_truncated_files(folder: Path, saved: bytes, length: int) -> None:
    damaged = folder / "truncated"
    damaged.write_bytes(saved[: min(length, len(saved) - 1)])
    with pytest.raises(CheckpointError, match="truncated' is damaged"):
        tg.load(damaged)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none': No such file"):
        tg.load(tmp_path / "none")
    with pytest.raises(CheckpointError, match="directory"):
        tg.load(tmp_path)


@pytest.mark.parametrize("metadata", ["{", "[]", "{}", '{"tree": 0, "sha256": ""}', None])
def test_files_of_others(metadata: str | None, tmp_path: Path) -> None:
    save_file({"w": np.ones(1)}, tmp_path / "m", metadata and {"tinygrad_rnn": metadata})
    with pytest.raises(CheckpointError, match=r"not one that tinygrad_rnn wrote|damaged"):
        tg.load(tmp_path / "m")


@pytest.mark.parametrize(
    "tree", ['"a"', '{"dict": 5}', '{"array": "x"}', '{"what": []}', '{"a": 1, "b": 2}', "[]"]
)
def test_a_nest_of_another_version(tree: str, tmp_path: Path) -> None:
    import hashlib

    digest = hashlib.sha256(json.dumps(json.loads(tree), sort_keys=True).encode()).hexdigest()
    ours = f'{{"tree": {tree}, "sha256": "{digest}"}}'
    save_file({}, tmp_path / "m", {"tinygrad_rnn": ours})
    with pytest.raises(CheckpointError, match="another version"):
        tg.load(tmp_path / "m")


class Evil:
    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('code was run')",))


@pytest.mark.parametrize("protocol", range(2, 6))
def test_pickles_are_never_read(protocol: int, tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(pickle.dumps(Evil(), protocol))
    with pytest.raises(CheckpointError, match="is a pickle"):
        tg.load(tmp_path / "m.pt")


def test_files_of_torch_save(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:  # which torch.save writes
        archive.writestr("m/data.pkl", pickle.dumps(Evil(), 2))
        archive.writestr("m/version", "3\n")
    with pytest.raises(CheckpointError, match=r"is a pickle.*safetensors\.torch\.save_file"):
        tg.load(tmp_path / "m.pt")


def test_element_types_that_numpy_has_not(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    (tmp_path / "m").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    # Where `ml_dtypes` is imported, as by JAX, NumPy has it, but the file is still a foreign one.
    with pytest.raises(CheckpointError, match="safetensors file"):
        tg.load(tmp_path / "m")
