from __future__ import annotations

import pytest

from tinygrad_rnn.compiler.backends.blas import _openblas, one_blas_thread

CHOICES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    for name in CHOICES:
        monkeypatch.delenv(name, raising=False)
    get_threads = _openblas("get")
    if get_threads is None:
        pytest.skip("NumPy is not linked to an OpenBLAS that can be reached")
    seen = [get_threads()]
    with one_blas_thread():
        seen.append(get_threads())
    seen.append(get_threads())
    return seen


def test_one_thread_inside_and_as_many_as_before_afterwards(threads: list[int]) -> None:
    before, inside, after = threads
    assert inside == 1
    assert after == before


def test_what_the_user_chose_is_kept(threads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    get_threads = _openblas("get")
    assert get_threads is not None
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = get_threads()
    with one_blas_thread():
        assert get_threads() == before
