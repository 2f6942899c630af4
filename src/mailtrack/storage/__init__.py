"""Storages: how to open one by its URL, and what a storage of your own must implement.

Other distributions add storages in the entry-point group `mailtrack.storage`: an entry point is named after its URL
scheme and refers to a function that takes the URL and returns a `Storage`. The function may also take the keywords
`create`: if it is false, a database that does not exist is refused with `DatabaseNotFound`; and `read_url`: a
replica of it, to read from.
"""

from collections.abc import Callable
from importlib import import_module
from typing import cast

from mailtrack import _forking as forking
from mailtrack._delays import to_bucket
from mailtrack._errors import InvalidSetting
from mailtrack._figures import DelayCount, Facet, FacetCount, Figures, HourCount
from mailtrack._model import Judgement, Target
from mailtrack.storage._abilities import (
    SupportsBackup,
    SupportsFork,
    SupportsLocalFile,
    SupportsSettings,
    SupportsWebhooks,
)
from mailtrack.storage._feed import Feed
from mailtrack.storage._protocol import Storage

__all__ = [
    "DelayCount",
    "Facet",
    "FacetCount",
    "Feed",
    "Figures",
    "HourCount",
    "Judgement",
    "Storage",
    "SupportsBackup",
    "SupportsFork",
    "SupportsLocalFile",
    "SupportsSettings",
    "SupportsWebhooks",
    "Target",
    "open_storage",
    "to_bucket",
]

ENTRY_POINT_GROUP = "mailtrack.storage"
"""The entry-point group in which other distributions add storages, each under its URL scheme."""

# Modules load when their scheme is first used.
_BUNDLED = {
    "memory": "mailtrack.storage._memory",
    "postgres": "mailtrack.storage._postgres",
    "postgresql": "mailtrack.storage._postgres",
    "sqlite": "mailtrack.storage._sqlite",
}


def open_storage(url: str, *, create: bool = True, read_url: str | None = None) -> Storage:
    """Open the storage that a URL names. The caller closes it, or uses it as a context manager.

    Args:
        url: `memory://`; `sqlite:///file.db` (relative to the working directory), `sqlite:////absolute/file.db`;
            `postgresql://user:password@host:port/name`, which needs `mailtrack[postgres]`; or a scheme that an
            installed distribution adds.
        create: whether to create a database that does not exist. `memory://`, and storages of other distributions
            whose function has no such argument, ignore it.
        read_url: the URL of a replica of the database, from which figures and lists of opens and recipients are read;
            for storages in PostgreSQL, and others whose function has such an argument. See `docs/many-nodes.md`.

    Raises:
        DatabaseNotFound: it does not exist, and `create` is false.
        InvalidSetting: the URL is malformed, or no installed storage has its scheme; or `read_url` is no replica of it.
        StorageUnavailable: the storage can't be reached now.
        StorageError: the URL does not lead to a usable storage.
    """
    scheme, separator, _ = str(url).partition("://")  # a path is no URL
    if not separator or not scheme:
        raise InvalidSetting("database", "must be a URL such as sqlite:///mailtrack.db")
    opener = _opener(scheme.lower())
    arguments: dict[str, object] = {} if create or not _takes(opener, "create") else {"create": False}
    if read_url is not None:
        if not _takes(opener, "read_url"):
            raise InvalidSetting("read_url", "can't be used: this storage has no replicas")
        arguments["read_url"] = read_url
    storage = opener(url, **arguments)
    if isinstance(storage, SupportsFork):
        forking.watch(storage)
    return storage


def _opener(scheme: str) -> Callable[..., Storage]:
    if module := _BUNDLED.get(scheme):
        return cast("Callable[..., Storage]", import_module(module).open_url)
    from importlib.metadata import entry_points  # only here: it takes a while to load

    for entry_point in entry_points(group=ENTRY_POINT_GROUP, name=scheme):
        return cast("Callable[..., Storage]", entry_point.load())
    raise InvalidSetting("database", "no installed storage knows this URL's scheme")


def _takes(opener: Callable[..., Storage], name: str) -> bool:
    from inspect import signature  # only here: it takes a while to load

    try:
        return name in signature(opener).parameters
    except (TypeError, ValueError):  # some callables written in C have no signature
        return False
