"""Storages: how to open one by its URL, and what a storage of your own must implement.

Other distributions add storages in the entry-point group `mailtrack.storage`: an entry point is named after its URL
scheme and refers to a function that takes the URL and returns a `Storage`. The function may also take the keyword
`create`: if it is false, a database that does not exist is refused with `DatabaseNotFound`.
"""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from mailtrack._delays import to_bucket
from mailtrack._errors import InvalidSetting
from mailtrack._model import DelayCount, Facet, FacetCount, Figures, HourCount, Judgement, Target
from mailtrack.storage._protocol import MAX_TOP, Storage, SupportsBackup, SupportsSettings

__all__ = [
    "ENTRY_POINT_GROUP",
    "MAX_TOP",
    "DelayCount",
    "Facet",
    "FacetCount",
    "Figures",
    "HourCount",
    "Judgement",
    "Storage",
    "SupportsBackup",
    "SupportsSettings",
    "Target",
    "open_storage",
    "to_bucket",
]

ENTRY_POINT_GROUP = "mailtrack.storage"
"""The entry-point group in which other distributions add storages, each under its URL scheme."""

# Modules load when their scheme is first used.
_BUNDLED = {"memory": "mailtrack.storage._memory", "sqlite": "mailtrack.storage._sqlite"}


def open_storage(url: str, *, create: bool = True) -> Storage:
    """Open the storage that a URL names; whoever opens it closes it, or uses it as a context manager.

    Args:
        url: `memory://`; `sqlite:///file.db` (relative to the working directory), `sqlite:////absolute/file.db`; or a
            scheme that an installed distribution adds.
        create: whether to make a database that does not exist. `memory://`, and a storage of another distribution whose
            function has no such argument, open as they always do.

    Raises:
        DatabaseNotFound: it does not exist, and `create` is false.
        InvalidSetting: the URL is malformed, or nothing installed knows its scheme.
        StorageUnavailable: the storage can't be reached just now.
        StorageError: what the URL names can't be used as a storage.
    """
    scheme, separator, _ = str(url).partition("://")  # a path is no URL
    if not separator or not scheme:
        raise InvalidSetting("database", "must be a URL such as sqlite:///mailtrack.db")
    opener = _opener(scheme.lower())
    return opener(url) if create or not _takes_create(opener) else opener(url, create=False)


def _opener(scheme: str) -> Callable[..., Storage]:
    if module := _BUNDLED.get(scheme):
        return cast("Callable[..., Storage]", import_module(module).open_url)
    from importlib.metadata import entry_points  # only here: it takes a while to load

    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=scheme):
        return cast("Callable[..., Storage]", entry_point.load())
    raise InvalidSetting("database", "no installed storage knows this URL's scheme")


def _takes_create(opener: Callable[..., Storage]) -> bool:
    from inspect import signature  # only here: it takes a while to load

    try:
        return "create" in signature(opener).parameters
    except (TypeError, ValueError):  # some callables written in C have no signature
        return False
