"""Storages, and how one is opened by its URL.

Schemes are a table here and, for storages of other distributions, the entry-point group `mailtrack.storage`: an entry
point is named after its scheme and leads to a function that takes the URL and returns a `Storage`.
"""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from mailtrack.errors import InvalidSetting
from mailtrack.storage.protocol import Storage

__all__ = ["ENTRY_POINT_GROUP", "Storage", "open_storage"]

ENTRY_POINT_GROUP = "mailtrack.storage"

# Modules load when their scheme is first used.
_BUNDLED = {"memory": "mailtrack.storage.memory", "sqlite": "mailtrack.storage.sqlite"}


def open_storage(url: str) -> Storage:
    """Open the storage that a URL names; whoever opens it closes it, or uses it as a context manager.

    Args:
        url: `memory://`; `sqlite:///file.db` (relative to the working directory), `sqlite:////absolute/file.db`; or a
            scheme that an installed distribution adds.

    Raises:
        InvalidSetting: the URL is malformed, or nothing installed knows its scheme.
        StorageUnavailable: the storage can't be reached just now.
        StorageError: what the URL names can't be used as a storage.
    """
    scheme, separator, _ = str(url).partition("://")  # a path is no URL
    if not separator or not scheme:
        raise InvalidSetting("database", "must be a URL such as sqlite:///mailtrack.db")
    return _opener(scheme.lower())(url)


def _opener(scheme: str) -> Callable[[str], Storage]:
    if module := _BUNDLED.get(scheme):
        return cast("Callable[[str], Storage]", import_module(module).open_url)
    from importlib.metadata import entry_points  # only here: it takes a while to load

    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=scheme):
        return cast("Callable[[str], Storage]", entry_point.load())
    raise InvalidSetting("database", "no installed storage knows this URL's scheme")
