"""`ReplicatedStorage`: a storage in a database that has a replica, from which figures and lists are read."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar

from mailtrack._errors import InvalidSetting, PixelNotFound, StorageUnavailable
from mailtrack._figures import DayCount, Figures
from mailtrack._model import Erased, Image, Judgement, Open, Page, Pixel, Recipient, RecipientState, VerdictKind
from mailtrack.storage._postgres import urls
from mailtrack.storage._postgres.connections import Connections
from mailtrack.storage._postgres.replica import Replica
from mailtrack.storage._postgres.storage import PostgresStorage
from mailtrack.storage._replica import ReplicaState

T = TypeVar("T")


class _Mirror(PostgresStorage):
    """The storage on a replica: tables come from the primary."""

    def __init__(self, url: str, connections: Connections) -> None:
        self._given = connections
        super().__init__(url, create=False)

    def _connect(self, *, create: bool) -> Connections:  # noqa: ARG002  # nothing can be made on a replica
        return self._given


class ReplicatedStorage(PostgresStorage):
    """A storage that reads figures, opens, and recipients of a pixel or a person from a replica of its database.

    Pixels, keys, settings, events, webhooks and whose token it is are always read from the database itself, and so is
    all where the replica does not answer, or lacks what this process has changed.

    Args:
        url: the database, see `PostgresStorage`.
        read_url: the same on a replica, with the same schema.
        create: whether to make the tables where there are none.

    Raises:
        InvalidSetting: a URL is malformed, or `read_url` is no replica of the database.
        StorageError: the database can't be used. A replica that can't be reached is none: it may come later.
    """

    def __init__(self, url: str, read_url: str, *, create: bool = True) -> None:
        address = _parse(read_url)
        super().__init__(url, create=create)
        try:
            if address.schema != self._address.schema:
                raise InvalidSetting("read_url", "has another schema than the database")
            self._replica = Replica(address, self._connections)
            self._mirror = _Mirror(read_url, self._replica.connections)
            try:
                self._replica.verify()
            except StorageUnavailable as error:
                self._replica.fail(error)
        except BaseException:
            self.close()
            raise

    def get_replica_state(self) -> ReplicaState:
        """Return how the replica is doing."""
        return self._replica.state

    def _read(self, read: Callable[[PostgresStorage], T]) -> T:
        """Return what a read returns, from the replica if that can be read."""
        if self._replica.is_usable():
            try:
                return read(self._mirror)
            except StorageUnavailable as error:
                self._replica.fail(error)
            except PixelNotFound:
                pass  # it may be new
        return read(self)

    # The methods of the superclass are named, since `self` has them as below.

    def list_opens(
        self,
        pixel_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        skip: int = 0,
        kind: VerdictKind | None = None,
        recipient_id: str | None = None,
    ) -> Page[Open]:
        return self._read(
            lambda one: PostgresStorage.list_opens(
                one, pixel_id, limit=limit, cursor=cursor, skip=skip, kind=kind, recipient_id=recipient_id
            )
        )

    def list_recipients(
        self,
        pixel_id: str,
        *,
        limit: int,
        cursor: str | None = None,
        states: Collection[RecipientState] | None = None,
        search: str | None = None,
        ref: str | None = None,
    ) -> Page[Recipient]:
        return self._read(
            lambda one: PostgresStorage.list_recipients(
                one, pixel_id, limit=limit, cursor=cursor, states=states, search=search, ref=ref
            )
        )

    def find_recipients(self, email: str, *, limit: int, cursor: str | None = None) -> Page[Recipient]:
        return self._read(lambda one: PostgresStorage.find_recipients(one, email, limit=limit, cursor=cursor))

    def count_by_day(self, pixel_ids: Collection[str], *, since: datetime) -> dict[str, list[DayCount]]:
        return self._read(lambda one: PostgresStorage.count_by_day(one, pixel_ids, since=since))

    def get_figures(self, pixel_id: str, *, top: int) -> Figures:
        return self._read(lambda one: PostgresStorage.get_figures(one, pixel_id, top=top))

    # Changes that a page shows next.

    def add_pixel(self, pixel: Pixel, image: Image | None = None) -> None:
        with self._replica.changing():
            super().add_pixel(pixel, image)

    def update_pixel(
        self, pixel_id: str, *, name: str | None = None, archived: bool | None = None, note: str | None = None
    ) -> None:
        with self._replica.changing():
            super().update_pixel(pixel_id, name=name, archived=archived, note=note)

    def delete_pixel(self, pixel_id: str) -> None:
        with self._replica.changing():
            super().delete_pixel(pixel_id)

    def add_recipients(self, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
        with self._replica.changing():
            return super().add_recipients(pixel_id, recipients)

    def mark_sent(self, pixel_id: str, recipient_ids: Collection[str] | None, *, at: datetime) -> int:
        with self._replica.changing():
            return super().mark_sent(pixel_id, recipient_ids, at=at)

    def delete_recipient(self, recipient_id: str) -> Recipient:
        with self._replica.changing():
            return super().delete_recipient(recipient_id)

    def erase(self, email: str) -> Erased:
        with self._replica.changing():
            return super().erase(email)

    # Many calls of these make one change, so none waits.

    def rejudge(self, pixel_id: str, judgements: Sequence[Judgement]) -> int:
        with self._replica.changing(wait=False):
            return super().rejudge(pixel_id, judgements)

    def purge_opens(self, pixel_id: str, *, before: datetime, limit: int) -> int:
        with self._replica.changing(wait=False):
            return super().purge_opens(pixel_id, before=before, limit=limit)

    def close(self) -> None:
        super().close()
        mirror = getattr(self, "_mirror", None)  # it may have failed before there was one
        if mirror is not None:
            mirror.close()


def _parse(read_url: str) -> urls.Address:
    try:
        return urls.parse(read_url)
    except InvalidSetting as error:
        raise InvalidSetting("read_url", error.reason) from error
