import errno
import os
import sys

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


def test_it_fails_as_the_system_does(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.close(descriptor)
    with pytest.raises(OSError, match="descriptor") as caught:
        write(descriptor, b"x")
    assert caught.value.errno == errno.EBADF


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_a_full_disk_is_told_of():
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
