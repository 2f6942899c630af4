"""The optional abilities of a storage, each a small Protocol with a suite of its own in `mailtrack.testing`."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from mailtrack.storage._protocol import Storage


@runtime_checkable
class SupportsBackup(Protocol):
    """An optional ability of a storage: a copy of it in one file, as `Tracker.backup` makes.

    Threads and errors are as for `Storage`. `mailtrack.testing.BackupContract` is this text as tests.
    """

    def copy_to(self, file: Path) -> Storage:
        """Write a complete copy of the storage as of one moment after the call, while others go on writing.

        Args:
            file: an empty file, which receives the copy and keeps its mode. Temporary files may be put beside it while
                the copy is made or open. After an error its content is no copy.

        Returns:
            The copy, open; the caller closes it. Then all of it is in the one file, for a storage of the same kind.

        Raises:
            StorageUnavailable: there is no room for it, or the storage can't be reached.
            StorageError: the storage is damaged.
        """
        ...


@runtime_checkable
class SupportsFork(Protocol):
    """An optional ability of a storage: to be opened before `os.fork`, and used in the parent and in the child.

    It matters where a server opens the storage and then forks its workers, as `gunicorn --preload` does. The storages
    that `open_storage` returns are called back around each fork of the process. In a child, the storage has the state
    of the moment of the fork, and goes on from there: with the same data where it is shared, with a copy of its own
    where it lives in memory. `mailtrack.testing.ForkContract` is this text as tests.
    """

    def before_fork(self) -> None:
        """Wait until no call is under way, and hold back new ones until `after_fork`."""
        ...

    def after_fork(self, *, child: bool) -> None:
        """Accept calls again, in the parent or in the child.

        A child neither uses nor closes the connections of its parent.
        """
        ...


@runtime_checkable
class SupportsLocalFile(Protocol):
    """An optional ability of a storage: to be a file of this machine.

    The counts of the rate limit are then kept beside it, see `Tracker.database_file`.
    `mailtrack.testing.LocalFileContract` is this text as tests.
    """

    @property
    def path(self) -> Path:
        """The file. It exists while the storage is open, and is the same at any time, also once it is closed."""
        ...


@runtime_checkable
class SupportsSettings(Protocol):
    """An optional ability of a storage: short texts by name, such as the base URL of `mailtrack serve`.

    Threads, atomicity, reads and errors are as for `Storage`. Without it, such settings are not known to later
    commands. `mailtrack.testing.SettingsContract` is this text as tests.
    """

    def get_setting(self, name: str) -> str | None:
        """Return the text stored under a name, `None` where there is none."""
        ...

    def set_setting(self, name: str, value: str | None) -> None:
        """Store a text of at most 4,096 characters under a name, replacing the former one; `None` removes it."""
        ...
