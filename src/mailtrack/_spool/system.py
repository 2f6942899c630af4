"""Calls of the system on the way of an open, made so that they cost no more than they must."""

import os
from collections.abc import Callable


def load_write() -> Callable[[int, bytes], int]:
    """Return `os.write`, as it would be if it kept the interpreter.

    `os.write` lets other threads have the interpreter for the microsecond that the system takes to copy a line. Getting
    it back means to queue behind all of them, which with a few threads takes ten times as long as the rest of the way
    of an open. The price: where the system makes a writer wait for the disk, which it does when it can't keep up with
    what is written already, all threads of the process wait.
    """
    try:
        import ctypes  # only here: programs that take no hits do without

        system_write = ctypes.PyDLL(None, use_errno=True).write
    except (ImportError, OSError, AttributeError):  # some builds of Python have no ctypes
        return os.write
    system_write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
    system_write.restype = ctypes.c_ssize_t

    def write(descriptor: int, data: bytes) -> int:
        written: int = system_write(descriptor, data, len(data))
        if written < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return written

    return write
