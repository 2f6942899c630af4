"""The optional abilities of a storage, each a small Protocol with a suite of its own in `mailtrack.testing`."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from mailtrack._model import Page
from mailtrack._webhook import Delivery, DeliveryCount, DeliveryState, Webhook
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
            Events that are added to the copy come behind all cursors that the storage has given until then.

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


@runtime_checkable
class SupportsWebhooks(Protocol):
    """An optional ability of a storage: webhooks, each with an outbox of deliveries.

    Threads, atomicity, reads and errors are as for `Storage`. `mailtrack.testing.WebhookContract` is this text as
    tests.
    """

    def add_webhook(self, webhook: Webhook) -> None:
        """Add a webhook, with `Webhook.after` at the end of the feed, whatever the given one has.

        Raises:
            StorageError: another webhook has the same id; nothing was added.
        """
        ...

    def get_webhook(self, webhook_id: str) -> Webhook:
        """Return a webhook.

        Raises:
            WebhookNotFound: there is none.
        """
        ...

    def list_webhooks(self) -> list[Webhook]:
        """Return all webhooks, of which there are few, in the order in which they were added."""
        ...

    def change_webhook(self, former: Webhook, present: Webhook) -> bool:
        """Replace a webhook by another value with the same id, if it still has the former value.

        Returns:
            Whether it had. If not, nothing has changed, so read it again.

        Raises:
            WebhookNotFound: there is none.
        """
        ...

    def delete_webhook(self, webhook_id: str) -> Webhook:
        """Delete a webhook with its deliveries, and return it as it was.

        Raises:
            WebhookNotFound: there is none.
        """
        ...

    def fill_outbox(self, webhook_id: str, *, after: str | None, to: str, deliveries: Sequence[Delivery]) -> bool:
        """Add deliveries, and move `Webhook.after` on from one cursor to another, in one transaction.

        A webhook has one delivery for each event id. Where it has one already, that stays as it is; but with
        `Webhook.replay_since`, and `Delivery.event_at` then or later, it becomes the given one, with a new id.

        Args:
            webhook_id: the webhook.
            after: the cursor at which `Webhook.after` must be.
            to: the cursor to move it to.
            deliveries: up to 10,000 pending deliveries, without ids.

        Returns:
            Whether it was there, and enabled. If not, nothing has changed, since another process was faster.
        """
        ...

    def take_deliveries(self, webhook_id: str, *, now: datetime, until: datetime, limit: int) -> list[Delivery]:
        """Return pending deliveries of a webhook that are due, the longest due first, each to one caller only.

        They are the caller's alone until a time, or until `settle_deliveries`. Those whose taker's time is over are due
        again. A webhook that does not exist, or is not enabled, has none.

        Args:
            webhook_id: the webhook.
            now: the current time: due is what has its `Delivery.next_try_at` then or earlier.
            until: how long they are the caller's.
            limit: the maximum number, 1 to 1,000.
        """
        ...

    def settle_deliveries(self, webhook_id: str, deliveries: Sequence[Delivery]) -> None:
        """Store what has become of deliveries that were taken. Those that are gone, or have ended, are passed over."""
        ...

    def list_deliveries(
        self, webhook_id: str, *, limit: int, cursor: str | None = None, state: DeliveryState | None = None
    ) -> Page[Delivery]:
        """Return deliveries of a webhook, the last added first. One that does not exist has none.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

    def count_deliveries(self) -> dict[str, DeliveryCount]:
        """Return the counts of pending deliveries of all webhooks, by their ids."""
        ...

    def delete_deliveries(self, *, before: datetime, limit: int) -> int:
        """Delete deliveries that ended before a time, up to a limit of 1 to 10,000, and return how many."""
        ...
