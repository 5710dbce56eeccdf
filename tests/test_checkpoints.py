from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

import tinygrad_rnn as tg
from tinygrad_rnn import checkpoints, nn, optim
from tinygrad_rnn.checkpoints import CheckpointError

DTYPES = st.sampled_from(["float32", "float64", ">f4", ">i8", "float16", "int64", "int8", "bool"])
ARRAYS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda name: name != "__metadata__"),
    DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))),
    max_size=4,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")


@given(ARRAYS, st.dictionaries(st.text(), JSON, max_size=4))
def test_what_is_saved_is_loaded(
    folder: Path, arrays: dict[str, np.ndarray], description: dict[str, object]
) -> None:
    path = folder / "any.safetensors"
    checkpoints.save(path, arrays, description)
    loaded, said = checkpoints.load(path)
    assert said == description
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype.newbyteorder("=")
        assert loaded[name].shape == array.shape
        np.testing.assert_array_equal(loaded[name], array)


def test_strided_arrays(tmp_path: Path) -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    checkpoints.save(tmp_path / "m", {"t": matrix.T, "reversed": matrix[:, ::-1]})
    loaded, _ = checkpoints.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded["t"], matrix.T)
    np.testing.assert_array_equal(loaded["reversed"], matrix[:, ::-1])


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
    state = optimiser.state_dict()["state"][0]
    checkpoints.save(tmp_path / "m", {**first.state_dict(), **state})
    arrays, _ = checkpoints.load(tmp_path / "m")
    second, optimiser = fresh()
    second.load_state_dict({"scale": arrays.pop("scale")})
    optimiser.load_state_dict({**optimiser.state_dict(), "state": {0: arrays}})
    trained(second, optimiser, 2)
    assert second.scale.shape == ()  # type: ignore[attr-defined]
    assert second.scale.item() == whole.scale.item()  # type: ignore[attr-defined]


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    arrays = {name: np.full(3, 0.5) for name in "abcdef"}
    description = dict.fromkeys("uvwxyz", 1)
    for run in ("1", "2"):
        checkpoints.save(tmp_path / run, arrays, description)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.fixture(scope="module")
def saved(folder: Path) -> bytes:
    checkpoints.save(folder / "m", {"w": np.arange(4.0)}, {"epoch": 1})
    return (folder / "m").read_bytes()


@given(data=st.data())
def test_any_changed_byte_is_noticed(folder: Path, saved: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(saved) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != saved[place]))
    damaged = folder / "damaged"
    damaged.write_bytes(saved[:place] + bytes([byte]) + saved[place + 1 :])
    try:
        arrays, description = checkpoints.load(damaged)
    except CheckpointError as error:
        assert "\n" not in str(error)
        assert "damaged" in str(error) or "not one that" in str(error)
    else:  # a byte of the header that means nothing, such as a blank
        assert description == {"epoch": 1}
        np.testing.assert_array_equal(arrays["w"], np.arange(4.0))


@given(length=st.integers(0, 200))
def test_truncated_files(folder: Path, saved: bytes, length: int) -> None:
    damaged = folder / "truncated"
    damaged.write_bytes(saved[: min(length, len(saved) - 1)])
    with pytest.raises(CheckpointError, match="truncated' is damaged"):
        checkpoints.load(damaged)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none': No such file"):
        checkpoints.load(tmp_path / "none")
    with pytest.raises(CheckpointError, match="directory"):
        checkpoints.load(tmp_path)


@pytest.mark.parametrize(
    "metadata", [None, {"tinygrad_rnn": "{"}, {"tinygrad_rnn": "[]"}, {"tinygrad_rnn": "{}"}]
)
def test_files_of_others(metadata: dict[str, str] | None, tmp_path: Path) -> None:
    save_file({"w": np.ones(1)}, tmp_path / "m", metadata)
    with pytest.raises(CheckpointError, match="not one that tinygrad_rnn wrote"):
        checkpoints.load(tmp_path / "m")


def test_element_types_that_numpy_has_not(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    (tmp_path / "m").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(CheckpointError, match="no safetensors file of NumPy arrays"):
        checkpoints.load(tmp_path / "m")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "m", {"w": np.zeros(1)})
    with pytest.raises(TypeError):
        checkpoints.save(tmp_path / "m", {"w": np.ones(1)}, {"model": object()})
    assert checkpoints.load(tmp_path / "m")[0]["w"] == 0
    assert [f.name for f in tmp_path.iterdir()] == ["m"]
