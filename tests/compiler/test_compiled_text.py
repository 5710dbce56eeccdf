"""What the text of a compiled loop means: the numbers that NumPy has for the same words."""

from __future__ import annotations

import os

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import nn

pytest.importorskip("llvmlite", reason="needs llvmlite")

from tinygrad_rnn.compiler.backends.llvm.machine_code import code_cache
from tinygrad_rnn.compiler.backends.llvm.machine_code.mathematics import FUNCTIONS

ENDS = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 2.0, -2.5, 1e-3, 30.5]
DTYPES = ["int8", "uint8", "int32", "uint16", "int64", "uint64", "float32", "float64"]


@pytest.fixture(autouse=True)
def own_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_RNN_CACHE", str(tmp_path))
    return tmp_path


def run(lines, **arrays) -> None:
    """Run lines in a compiled loop, the arrays known by their names."""
    head = [
        f'{name} = address(table[{k}], "{str(array.dtype).replace("bool", "uint8")}")'
        for k, (name, array) in enumerate(arrays.items())
    ]
    text = "\n    ".join(["def loop(steps, table):", *head, *lines]) + "\n"
    table = np.array([array.ctypes.data for array in arrays.values()], np.uint64)
    (loop,) = code_cache.compiled(text, ["loop"], 2)
    loop(1, table.ctypes.data)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_are_those_of_numpy(dtype) -> None:
    rng = np.random.default_rng(0)
    x, y = (np.concatenate([g.ravel(), rng.normal(0, 2, 40)]) for g in np.meshgrid(ENDS, ENDS))
    x, y = x.astype(dtype), y.astype(dtype)
    ufuncs = {name: getattr(np, name) for name in FUNCTIONS}
    out = {name: np.zeros_like(x) for name in ufuncs}
    lines = [f"for i in range({len(x)}):"]
    for name, ufunc in ufuncs.items():
        operands = "x[i]" if ufunc.nin == 1 else "x[i], y[i]"
        lines.append(f"    out_{name}[i] = {dtype}({name}({operands}))")
    run(lines, x=x, y=y, **{f"out_{name}": found for name, found in out.items()})
    for name, ufunc in ufuncs.items():
        with np.errstate(all="ignore"):
            expected = ufunc(*(x, y)[: ufunc.nin]).astype(dtype)
        np.testing.assert_allclose(
            out[name], expected, rtol=8 * np.finfo(dtype).eps, atol=0, err_msg=name
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_operators_are_those_of_numpy(dtype) -> None:
    """Whole numbers wrap around as NumPy's do."""
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 127, 50).astype(dtype) for _ in range(2))
    signs = ["+", "-", "*", "<", "<=", ">", ">=", "==", "!="] + ["/"] * (x.dtype.kind == "f")
    y[:5] = x[:5] + (x.dtype.kind != "f")
    expected = {}
    with np.errstate(over="ignore"):
        for k, sign in enumerate(signs):
            expected[f"out_{k}"] = eval(f"x {sign} y", {"x": x, "y": y + (sign == "/")})
        expected["negative"], expected["size"] = -x, abs(-x)
    y_or_more = y + 1
    found = {name: np.zeros_like(array) for name, array in expected.items()}
    lines = ["for i in range(50):", "    negative[i] = -x[i]", "    size[i] = abs(-x[i])"]
    for k, sign in enumerate(signs):
        text = f"x[i] {sign} {'y_or_more' if sign == '/' else 'y'}[i]"
        lines.append(f"    out_{k}[i] = {text if k not in range(3, 9) else f'uint8({text})'}")
    run(lines, x=x, y=y, y_or_more=y_or_more, **found)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if "int" in d])
def test_whole_numbers_divided_are_those_of_numpy(dtype) -> None:
    """By 0 and -1, too, for which processors have no division."""
    ends = np.iinfo(dtype)
    some = [ends.min, ends.max, 0, 1, 2, 3, 7, 100, *([-1, -2, -7] if ends.min else [])]
    x, y = (g.ravel() for g in np.meshgrid(*[np.array(some, dtype)] * 2))
    times, rest = np.zeros_like(x), np.zeros_like(x)
    lines = [
        f"for i in range({len(x)}):",
        "    times[i] = floor_divide(x[i], y[i])",
        "    rest[i] = remainder(x[i], y[i])",
    ]
    run(lines, x=x, y=y, times=times, rest=rest)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(times, x // y)
        np.testing.assert_array_equal(rest, x % y)


def test_numbers_become_those_of_other_dtypes() -> None:
    values = np.array([0, 1, 2, 100, 127])
    for signed in (1, -1):
        for old in DTYPES:
            for new in DTYPES:
                if signed < 0 and "uint" in old + new:
                    continue
                x = (signed * values).astype(old)
                out, flags = np.zeros(5, new), np.zeros(5, bool)
                lines = ["for i in range(5):", f"    out[i] = {new}(x[i])"]
                run([*lines, "    flags[i] = uint8(x[i] != 0)"], x=x, out=out, flags=flags)
                np.testing.assert_array_equal(out, x.astype(new))
                np.testing.assert_array_equal(flags, x != 0)


def test_flags() -> None:
    x, y = np.array([[False, False, True, True], [False, True, False, True]])
    found = {name: np.zeros(4, bool) for name in ("either", "both", "more", "larger", "neither")}
    lines = [
        "for i in range(4):",
        "    a = x[i] != 0",
        "    b = y[i] != 0",
        "    either[i] = uint8(a + b)",
        "    both[i] = uint8(a & b)",
        "    more[i] = uint8(where(a, flag(True), b))",
        "    larger[i] = uint8(maximum(flag(False), maximum(a, b)))",
        "    neither[i] = uint8((a | b) == 0)",
    ]
    run(lines, x=x, y=y, **found)
    for name, expected in [("both", x & y)] + [(n, x | y) for n in ("either", "more", "larger")]:
        np.testing.assert_array_equal(found[name], expected, err_msg=name)
    np.testing.assert_array_equal(found["neither"], ~(x | y))


def test_a_damaged_file_is_compiled_again(own_directory) -> None:
    text = "def loop(steps, table):\n    pass\n"
    code = code_cache._code("loop_of_nothing", text)
    (file,) = own_directory.iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-1], b"", b"\0" * 9, whole[:40] + b"?" + whole[41:]):
        file.write_bytes(damaged)
        assert code_cache._code("loop_of_nothing", text) == code
        assert file.read_bytes() == whole


def test_a_file_in_the_place_of_another_is_not_run(own_directory) -> None:
    texts = ["def loop(steps, table):\n    pass\n", "def loop(steps, table):\n    steps + 1\n"]
    codes = [code_cache._code(f"loop_{k}", text) for k, text in enumerate(texts)]
    first, second = (own_directory / f"loop_{k}.o" for k in range(2))
    whole = first.read_bytes(), second.read_bytes()
    first.write_bytes(whole[1])
    second.write_bytes(whole[0])
    assert [code_cache._code(f"loop_{k}", text) for k, text in enumerate(texts)] == codes
    assert (first.read_bytes(), second.read_bytes()) == whole


@pytest.mark.skipif(os.name != "posix", reason="needs mode bits")
def test_what_others_could_write_is_not_loaded(own_directory, monkeypatch) -> None:
    text = "def loop(steps, table):\n    pass\n"
    code_cache._code("loop_of_nothing", text)
    (file,) = own_directory.iterdir()
    before = dict(code_cache.counts)
    file.chmod(0o666)
    code_cache._code("loop_of_nothing", text)
    assert code_cache.counts["from disk"] == before["from disk"]
    own_directory.chmod(0o777)
    assert code_cache._safe_directory() != own_directory
    own_directory.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert code_cache._safe_directory() != own_directory


def test_a_full_disk_stops_no_run(own_directory, monkeypatch) -> None:
    def full(*_) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(code_cache, "write_file", full)
    assert code_cache._code("loop_of_nothing", "def loop(steps, table):\n    pass\n")
    assert not list(own_directory.iterdir())


def test_a_function_without_a_compiled_form_is_named() -> None:
    @tg.op
    def spacing(x):
        return np.spacing(x)

    class Cell(nn.Cell):
        hidden_size = 2

        def __init__(self) -> None:
            self.w = nn.Parameter(np.ones((2, 2)), "float64")

        def forward(self, x, h):
            return x @ self.w + spacing(h)

    tg.set_executor("llvm")
    try:
        with tg.no_grad(), pytest.warns(UserWarning, match="because of the op spacing"):
            nn.Recurrent(Cell())(np.ones((3, 1, 2)))
    finally:
        tg.set_executor("numpy")
