"""Return freed memory to the system, since glibc tends to keep it in each thread's arena.

With another C library, or a Python without ctypes, the functions have no effect.
"""

from typing import Any

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_LARGE = 1024 * 1024  # bytes; images and bodies are larger, everything else is smaller


def give_back() -> None:
    """Return all free memory to the system. Takes about a millisecond."""
    if trim := _find("malloc_trim"):
        trim(0)


def keep_large_blocks_apart() -> None:
    """Make this process return each large block to the system as soon as it is freed.

    By default, glibc raises its threshold and stops doing so once a large block has been freed.
    """
    if mallopt := _find("mallopt"):
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def _find(name: str) -> Any:
    """Return a function of the C library, or `None` if it has no such function."""
    try:
        import ctypes  # only here: most programs don't need it

        return getattr(ctypes.CDLL(None), name, None)
    except (ImportError, OSError):
        return None
