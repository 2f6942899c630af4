import sys

import pytest

from mailtrack._images import heap

CALLS = [heap.give_back, heap.keep_large_blocks_apart]


@pytest.mark.parametrize("call", CALLS)
def test_it_does_no_harm(call):
    data = bytes(4 * 1024 * 1024)
    call()
    assert len(data) == data.count(0)


@pytest.mark.parametrize("call", CALLS)
def test_a_python_without_ctypes_goes_on(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "ctypes", None)
    call()


@pytest.mark.parametrize("call", CALLS)
def test_another_c_library_is_left_alone(call, monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    call()
