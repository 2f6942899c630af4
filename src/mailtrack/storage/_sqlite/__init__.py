"""The embedded storage: one SQLite file, shared by any number of threads and processes of one machine."""

from mailtrack._errors import InvalidSetting
from mailtrack.storage._sqlite.storage import SQLiteStorage

__all__ = ["SQLiteStorage", "open_url"]

_PREFIX = "sqlite:///"


def open_url(url: str, *, create: bool = True) -> SQLiteStorage:
    """Open the storage for `sqlite:///relative.db` or `sqlite:////absolute.db`; by default, create a missing file."""
    path = url[len(_PREFIX) :] if url.lower().startswith(_PREFIX) else ""
    if not path or path == ":memory:" or "\x00" in path:
        raise InvalidSetting("database", "must name a file, as in sqlite:///mailtrack.db")
    return SQLiteStorage(path, create=create)
