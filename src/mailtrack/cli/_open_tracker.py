"""The tracker of a command, on the storage that its options and the environment name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mailtrack._tracker import Tracker
from mailtrack.cli import _base_url as base_url
from mailtrack.cli._settings import Settings
from mailtrack.storage import open_storage


@contextmanager
def open_tracker(
    *, create: bool = False, with_judge: bool = False, with_spool: bool = False, **given: Any
) -> Iterator[Tracker]:
    """Open the storage that the options and the environment name, and yield a tracker on it.

    Args:
        create: whether to create a database that does not exist.
        with_judge: whether the tracker judges by the options and the environment, instead of by the defaults.
        with_spool: whether the tracker has the server's spool, which is not started.
        given: the options of the command, by attribute of `Settings`.

    Raises:
        DatabaseNotFound: the database does not exist, and `create` is false.
        InvalidSetting: an option or a variable has a value that can't be used.
    """
    settings = Settings.resolve(given)
    with open_storage(settings.database, create=create) as storage:
        yield Tracker(
            storage,
            base_url=settings.base_url or base_url.recall(storage),
            judge=settings.make_judge() if with_judge else None,
            spool=settings.make_spool() if with_spool else None,
            allow_special_domains=settings.allow_special_domains,
            webhook_allow=settings.webhook_allow,
        )
