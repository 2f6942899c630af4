"""Freed memory is returned to the system where the C library can do it; elsewhere nothing happens."""

import sys

import pytest

from mailtrack import InvalidImage
from mailtrack._images import check, memory

CALLS = [memory.give_back, memory.keep_large_blocks_apart]


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


class _Library:
    """A C library that notes what it is asked for."""

    def __init__(self) -> None:
        self.calls = []

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))


@pytest.fixture
def library(monkeypatch):
    library = _Library()
    monkeypatch.setattr("ctypes.CDLL", lambda name: library if name is None else None)
    return library


def test_giving_back_leaves_no_free_memory_at_the_top(library):
    memory.give_back()
    assert library.calls == [("malloc_trim", 0)]


def test_blocks_from_a_mebibyte_on_are_kept_apart(library):
    memory.keep_large_blocks_apart()
    assert library.calls == [("mallopt", -3, 1024 * 1024)]


@pytest.fixture
def steps(monkeypatch):
    """The steps of checking an upload, in their order."""
    steps = []
    monkeypatch.setattr(memory, "give_back", lambda: steps.append("memory returned"))
    return steps


def test_free_memory_is_returned_before_and_after_an_upload_is_decoded(steps, monkeypatch):
    monkeypatch.setattr(check, "_rebuild", lambda data, _: steps.append("decoded") or data)
    check.check_upload(check.TRANSPARENT_PNG.data)
    assert steps == ["memory returned", "decoded", "memory returned"]


def test_free_memory_is_returned_after_a_damaged_upload(steps, monkeypatch):
    def fail(*arguments):
        raise ValueError(arguments)

    monkeypatch.setattr(check, "_rebuild", fail)
    with pytest.raises(InvalidImage):
        check.check_upload(check.TRANSPARENT_PNG.data)
    assert steps == ["memory returned"] * 2
