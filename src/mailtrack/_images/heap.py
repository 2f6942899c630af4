"""Memory that was needed for a moment, given back to the system: glibc likes to keep it, for each thread.

Where the C library is another, or Python has no ctypes, nothing is done.
"""

from typing import Any

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_LARGE = 1024 * 1024  # bytes; pictures and bodies are above it, all else below


def give_back() -> None:
    """Give back what is free now. Takes about a millisecond."""
    if trim := _find("malloc_trim"):
        trim(0)


def keep_large_blocks_apart() -> None:
    """Let each large block of this process go back when it is freed, from now on.

    Of itself glibc stops doing so once a large block has been freed.
    """
    if mallopt := _find("mallopt"):
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def _find(name: str) -> Any:
    """Return a function of the C library, `None` where there is none."""
    try:
        import ctypes  # only here: most programs do without

        return getattr(ctypes.CDLL(None), name, None)
    except (ImportError, OSError):
        return None
