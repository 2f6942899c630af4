"""Finds the pixels that settings, mails and templates name, and makes those that do not exist."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from uuid import UUID

from django.utils.crypto import salted_hmac

from mailtrack import _ids as ids
from mailtrack._errors import PixelNotFound, ShortIdTaken, StorageUnavailable
from mailtrack._model import NewRecipient, Page, Pixel, Recipient
from mailtrack._names import clean_name
from mailtrack._paging import MAX_LIMIT, walk
from mailtrack._tracker import Tracker
from mailtrack.storage._protocol import Storage

_ID_ATTEMPTS = 10


class Pixels:
    """The pixels of a project by name. Thread-safe.

    A pixel that was found is remembered until it is deleted, also if it is renamed meanwhile.

    Args:
        storage: where pixels are made.
        tracker: the tracker on this storage.
    """

    def __init__(self, storage: Storage, tracker: Tracker) -> None:
        self._storage = storage
        self._tracker = tracker
        self._found: dict[str, Pixel] = {}
        self._ask_again = 0.0

    def find(self, pixel: Pixel | str) -> Pixel:
        """Return a pixel, given its id or its name; a name that none has is that of a new one.

        Of several with the same name it is the oldest. Processes that make one at the same time make the same.

        Raises:
            PixelNotFound: it is a UUID, and no pixel has it.
            InvalidName: it can't be the name of a pixel.
            StorageError: the pixel can't be looked up or stored.
        """
        if isinstance(pixel, Pixel):
            return pixel
        found = self._found.get(pixel)
        if found is None:
            found = self._found[pixel] = self._by_id(pixel) or self._by_name(clean_name(pixel, "Pixel name"))
        return found

    def add_recipient(self, pixel: Pixel | str, recipient: NewRecipient) -> tuple[Pixel, Recipient]:
        """Return the recipient of a pixel, and the pixel, both made where they do not exist.

        Raises:
            InvalidInput: the address, the reference or the data is not valid.
            PixelNotFound: a `Pixel` or UUID was given, and none has it.
            StorageError: they can't be looked up or stored.
        """
        with self._asking():
            owner = self.find(pixel)
            try:
                (found,) = self._tracker.generate_tokens(owner, [recipient])
            except PixelNotFound:  # it was deleted
                if isinstance(pixel, Pixel) or self._found.pop(pixel, None) is None:
                    raise
                owner = self.find(pixel)
                (found,) = self._tracker.generate_tokens(owner, [recipient])
            return owner, found

    def mark_sent(self, pixel_id: str, recipients: Sequence[Recipient]) -> None:
        """Set that the mails of recipients of one pixel are sent now.

        Raises:
            StorageError: the times can't be stored.
        """
        with self._asking():
            self._tracker.mark_sent(pixel_id, recipients)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Raise at once, for some seconds after the storage was away: else each of many mails would wait for it."""
        if monotonic() < self._ask_again:
            raise StorageUnavailable("The storage was not available some seconds ago.")
        try:
            yield
        except StorageUnavailable as error:
            self._ask_again = monotonic() + error.retry_after
            raise

    def _by_id(self, text: str) -> Pixel | None:
        key = ids.parse_pixel_key(text)
        if key is None:
            return None
        try:
            return self._storage.get_pixel(key)
        except PixelNotFound:
            if len(key) == ids.SHORT_ID_LENGTH:  # which may be a name, such as that of a day
                return None
            raise

    def _by_name(self, name: str) -> Pixel:
        named = [pixel for pixel in self._search(name) if pixel.name == name]
        if named:
            return named[-1]
        for attempt in range(_ID_ATTEMPTS):
            # An id that follows from the name: of processes that make the pixel at once, all but one find it taken.
            digest = salted_hmac(__name__, f"{attempt} {name}", algorithm="sha256").digest()
            pixel = Pixel(id=str(UUID(bytes=digest[:16], version=4)), name=name, created_at=self._tracker.now())
            with suppress(ShortIdTaken):
                self._storage.add_pixel(pixel)
                return pixel
            with suppress(PixelNotFound):
                taken = self._storage.get_pixel(pixel.short_id)
                if taken.name == name:
                    return taken
        raise ShortIdTaken

    def _search(self, name: str) -> Iterator[Pixel]:
        """Iterate over the pixels with a text in their names, the newest first."""

        def read(cursor: str | None) -> Page[Pixel]:
            return self._storage.list_pixels(limit=MAX_LIMIT, cursor=cursor, search=name, archived=None)

        return walk(read)
