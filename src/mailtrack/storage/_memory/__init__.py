"""The storage in memory: all data of one process, gone with it."""

from mailtrack._errors import InvalidSetting
from mailtrack.storage._memory.storage import MemoryStorage

__all__ = ["MemoryStorage", "open_url"]


def open_url(url: str) -> MemoryStorage:
    """Open a new, empty storage for `memory://`."""
    if url.lower() != "memory://":
        raise InvalidSetting("database", "a memory storage takes nothing after memory://")
    return MemoryStorage()
