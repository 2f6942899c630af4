"""The write of the spool: like `os.write`, but no other thread runs meanwhile."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailtrack._spool.system import load_write

write = load_write()


def test_it_writes_all_that_it_is_given(tmp_path):
    path = tmp_path / "file"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        assert write(descriptor, b"one\0two\n") == 8
    finally:
        os.close(descriptor)
    assert path.read_bytes() == b"one\0two\n"


@pytest.mark.parametrize("data", [b"", b"x", b"\0\n\xff" * 7, bytes(range(256)) * 40_000], ids=len)
def test_it_writes_what_os_write_writes(tmp_path: Path, data: bytes) -> None:
    written = []
    for function in (write, os.write):
        path = tmp_path / f"{len(written)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        try:
            written.append((function(descriptor, data), path.read_bytes()))
        finally:
            os.close(descriptor)
    assert written == [(len(data), data)] * 2


@pytest.fixture
def pipe() -> Iterator[int]:
    """The end of a pipe to write to, which nobody reads and which does not wait."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    yield writing
    os.close(reading)
    os.close(writing)


def test_a_short_write_returns_what_was_written_and_the_next_one_fails(pipe: int) -> None:
    assert 0 < write(pipe, b"x" * 10_000_000) < 10_000_000
    with pytest.raises(BlockingIOError) as caught:
        write(pipe, b"x")
    assert caught.value.errno == errno.EAGAIN


@pytest.fixture
def patient() -> Iterator[None]:
    """Threads get the interpreter only when another one gives it up."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("patient")
def test_no_other_thread_runs_while_it_writes() -> None:
    """Here to a process that only begins to read: long enough for a thread that waits for the interpreter."""
    data, go, ran = b"x" * 10_000_000, threading.Lock(), []
    go.acquire()
    thread = threading.Thread(target=lambda: (go.acquire(), ran.append(True)))
    thread.start()
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"], stdin=subprocess.PIPE
    ) as reader:
        descriptor = reader.stdin.fileno()
        go.release()
        assert write(descriptor, data) == len(data)
        meanwhile = list(ran)
    thread.join()
    assert (meanwhile, ran) == ([], [True])


def test_it_fails_as_the_system_does(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.close(descriptor)
    with pytest.raises(OSError, match="descriptor") as caught:
        write(descriptor, b"x")
    assert caught.value.errno == errno.EBADF


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_a_full_disk_is_reported():
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="space") as caught:
            write(descriptor, b"x")
    finally:
        os.close(descriptor)
    assert caught.value.errno == errno.ENOSPC


def test_a_python_without_ctypes_writes_as_well(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert load_write() is os.write
