"""`load_write`: a `write` that keeps the interpreter lock during the system call."""

import os
from collections.abc import Callable


def load_write() -> Callable[[int, bytes], int]:
    """Return a function like `os.write` that keeps the interpreter lock during the system call.

    `os.write` releases the lock for the microsecond in which the system copies a line. To get it back the thread queues
    behind all others, which with a few threads takes ten times as long as the rest of recording an open. The price:
    when the system makes a writer wait for the disk, because writeback can't keep up, all threads of the process wait.
    """
    try:
        import ctypes  # only here: a program that never opens a spool does not load it

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
