"""The contract of a storage, method by method.

`mailtrack.testing.StorageContract` is this text as tests.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from mailtrack._counts import Count
from mailtrack._figures import DayCount, Figures
from mailtrack._model import (
    ApiKey,
    Erased,
    Hit,
    Image,
    Judgement,
    Open,
    Page,
    Pixel,
    PixelOrder,
    Recipient,
    RecipientState,
    Target,
    VerdictKind,
)
from mailtrack.storage._feed import Feed

MAX_TOP = 100
"""The most recipients in a top list, and the most names of each facet, that a storage returns."""

SEARCHED_AT_ONCE = 10_000
"""The number of pixels that the bundled storages search for one page."""


@runtime_checkable
class Storage(Feed, Protocol):
    """Stores pixels, recipients, opens and API keys, counts opens, and has a feed of them.

    **Threads.** Every method may be called from any thread at any time.
    **Atomicity.** A method does all it says or, when it raises, nothing. Once it has returned, its changes are durable
    as far as the storage keeps anything at all. **Reads** see all writes that returned before they began. **Errors.**
    `StorageUnavailable` when trying again may help (out of reach, locked, full), `StorageError` otherwise; a driver's
    own errors never come out. **Ownership.** The caller that opens a storage closes it, with `close` or `with`. Values
    given and returned are immutable; the storage keeps no reference to the caller's lists. **Sequences** need not be
    lists: those of hits and opens may be columns, which make each object when it is asked for.

    Callers pass only checked values: names, addresses, tokens and ids of the forms that `mailtrack` makes, `limit`
    from 1 to 1,000, texts without NUL. Pages are cut by cursors, which are short texts of the storage's own form: a
    cursor stays usable while items are added and deleted around it, and an unusable one raises `InvalidPaging`.

    All numbers come in pairs: counted for the opens with `Open.counted`, raw for all.
    """

    def add_pixel(self, pixel: Pixel, image: Image | None = None) -> None:
        """Add a pixel with its image.

        Raises:
            ShortIdTaken: another pixel has the same short id; nothing was added.
        """
        ...

    def get_pixel(self, key: str) -> Pixel:
        """Return a pixel, given its UUID or short id in lower case, with its present counts.

        Raises:
            PixelNotFound: there is none.
        """
        ...

    def list_pixels(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        search: str | None = None,
        archived: bool | None = False,
        order: PixelOrder = "newest",
        since: datetime | None = None,
        before: datetime | None = None,
    ) -> Page[Pixel]:
        """Return pixels, the last added first, or in another order, at a cost that does not depend on their number.

        Args:
            limit: the maximum number of pixels.
            cursor: where to begin, `None` for the first; of a page with the same order and times.
            search: only pixels whose name contains this text, both after `str.casefold`. To bound its cost, a storage
                may end a page early (the bundled ones after 10,000 pixels): with fewer than `limit` items, even none,
                and a cursor for the rest.
            archived: only pixels that are archived, or only such that are not; all with `None`, in which case the cost
                of the other orders may depend on the number of pixels.
            order: "name" after `str.casefold`, by code points; "opens", the most that count first; "rate", the highest
                share of the recipients who have opened first, in whole millionths, and pixels without recipients last.
                Of equal ones the last added comes first. A pixel whose place changes meanwhile may be on two pages or
                on none.
            since: only pixels created at this time or later. With it or `before`, the newest are those created last,
                and a page in another order may end early as with `search`.
            before: only pixels created before this time.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

    def update_pixel(
        self, pixel_id: str, *, name: str | None = None, archived: bool | None = None, note: str | None = None
    ) -> None:
        """Change what is given of a pixel's `name`, `archived` and `note`, and leave the rest.

        Raises:
            PixelNotFound: there is none.
        """
        ...

    def delete_pixel(self, pixel_id: str) -> None:
        """Delete a pixel with its image, recipients, opens and counts.

        It takes effect for all methods at once and as a whole, and its ids are free again, however much the pixel
        owned. A storage may leave rows that nothing shows any more to `sweep`, so that other writers wait for 100 ms at
        most; it deletes recipients first, and overwrites what it deletes as `delete_recipient` does.

        Raises:
            PixelNotFound: there is none.
        """
        ...

    def sweep(self) -> int:
        """Remove a part of what deletions leave behind: rows of deleted pixels, and free space in files.

        It changes nothing that another method returns. Other writers wait for 100 ms at most. What is left when a
        process ends is removed by the calls of any other.

        Returns:
            How much was removed, in any unit; 0 only where nothing is left.
        """
        ...

    def get_image(self, key: str) -> Image:
        """Return the image that was added with a pixel, given its UUID or short id in lower case.

        Raises:
            ImageNotFound: the pixel has none, or does not exist.
        """
        ...

    def add_recipients(self, pixel_id: str, recipients: Sequence[Recipient]) -> list[Recipient]:
        """Add the recipients that the pixel does not have yet, by their address and reference.

        Idempotent: one that the pixel has stays as it is, with the data given, if any, in place of its own. Addresses
        are compared without regard to case, references as written, and both are stored as given. The given ones are
        distinct in that form. The given order is the order of creation.

        Returns:
            One recipient for each given, in their order. It is the given one where it was added, else the one that the
            pixel already had for this address and reference (the oldest, where data from before this rule have
            several), with its present data.

        Raises:
            PixelNotFound: the pixel does not exist.
        """
        ...

    def get_recipients(self, recipient_ids: Collection[str]) -> dict[str, Recipient]:
        """Return the recipients with these ids, by id; ids that do not exist are left out."""
        ...

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
        """Return recipients of a pixel in the order of their creation.

        Args:
            pixel_id: the pixel; one that does not exist has no recipients.
            limit: the maximum number of recipients.
            cursor: where to begin, `None` for the start.
            states: only those whose `Recipient.state` is one of these; all with `None`, none with no states.
            search: only those whose address or reference contains this text, both after `str.casefold`. To bound its
                cost, a storage may end a page early, as `list_pixels` does (the bundled ones after 10,000 recipients).
            ref: only those with this reference.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

    def find_recipients(self, email: str, *, limit: int, cursor: str | None = None) -> Page[Recipient]:
        """Return the recipients with an address over all pixels, the newest first by `Recipient.created_at`.

        Addresses are compared as `add_recipients` does, and all that have this one are found, also where a pixel has
        several with it. The cost does not depend on the number of other recipients.

        Args:
            email: the address in canonical form.
            limit: the maximum number of recipients.
            cursor: where to begin, `None` for the newest.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

    def mark_sent(self, pixel_id: str, recipient_ids: Collection[str] | None, *, at: datetime) -> int:
        """Set the time when the mails of recipients were sent, `Recipient.sent_at`, replacing a former one.

        The delays in `Figures` are corrected, also those of recipients that have opened already. Stored opens keep
        their age and verdict until they are rejudged. Costs by the recipients given. Other writers wait for 100 ms at
        most, so many recipients may go in several steps, each of which is durable: where one fails, or the process
        ends, some are marked, and the same call again marks them all. Of several such calls at once, each recipient has
        the time of one.

        Args:
            pixel_id: the pixel.
            recipient_ids: any number of recipients, all of the pixel with `None`. Ids that it does not have are passed
                over.
            at: an aware time.

        Returns:
            The number of recipients of the pixel among those given.

        Raises:
            PixelNotFound: the pixel does not exist.
            InvalidSentTime: the token of one of the recipients was made later; no recipient was changed.
        """
        ...

    def delete_recipient(self, recipient_id: str) -> Recipient:
        """Delete a recipient, and return it as it was.

        Its opens stay, with their `recipient_id` but without token, and so do the pixel's counts of opens; its counts
        of recipients fall. Where the storage keeps the address, it is overwritten as soon as no reader needs it any
        more.

        Raises:
            RecipientNotFound: there is none.
        """
        ...

    def erase(self, email: str) -> Erased:
        """Delete all recipients with an address over all pixels, and take the person out of their opens.

        For each it does what `delete_recipient` does; but its opens become what `Open.as_erased` makes of them, while
        all figures of opens stay. The person is out of sight when it returns. Other writers wait for 100 ms at most, so
        an address with thousands of recipients may go in several steps, each of which is durable. A storage may leave
        rows that nothing shows any more to `sweep`; those are overwritten, too. It keeps digests of the tokens and ids,
        for `resolve` and `add_opens`.

        Args:
            email: the address in canonical form, compared as `add_recipients` does. All that have it are erased, also
                where a pixel has several with it.

        Returns:
            The number of recipients, and of their opens that were not purged. Nothing is left for a second call.
        """
        ...

    def resolve(self, hits: Sequence[Hit]) -> Sequence[Target | None]:
        """Look up the pixels and recipients that hits belong to.

        Returns:
            One entry for each hit, in their order, with the recipient where the hit's token is one of that pixel's,
            and with all that `Target` holds of that recipient; `None` where the pixel does not exist. `Target.erased`
            where the token was one of that pixel's until it was erased.
        """
        ...

    def add_opens(self, opens: Sequence[Open]) -> Sequence[Open]:
        """Add opens, and count them for their pixels, recipients, hours and everything else in `Figures`.

        Each that is added becomes an event in the same transaction, see `list_events`.

        Idempotent: an open whose id its pixel already has changes nothing. An open of a pixel that does not exist (any
        more) is left out, and one of a recipient that does not exist any more is added without counting for it. One of
        a recipient that was erased is added, and returned, as `Open.as_erased` makes it. Within
        a pixel the order of arrival, and in one call the given order, is the order of the log, whatever their times.

        Returns:
            The opens that were added, otherwise as given, in the given order. Each open is returned by one call only,
            however often and by however many callers it is given: when a batch is replayed, the result is empty.
        """
        ...

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
        """Return opens of a pixel, the last arrived first.

        Args:
            pixel_id: the pixel; one that does not exist has no opens.
            limit: the maximum number of opens.
            cursor: where to begin, `None` for the newest.
            skip: how many to pass over from there, at least 0, including those that the filters below leave out. Costs
                the same however many.
            kind: only opens with a verdict of this kind.
            recipient_id: only opens of this recipient, who may be deleted. With one filter only, the cost depends on
                the opens that are found, not on those left out.

        Raises:
            InvalidPaging: the cursor is unusable.
        """
        ...

    def count_by_day(self, pixel_ids: Collection[str], *, since: datetime) -> dict[str, list[DayCount]]:
        """Return the numbers of opens of pixels, by their ids, for each day of UTC that had any, in order.

        Costs by the hours since then, not by the opens. Pixels without any, and those that do not exist, are left out.

        Args:
            pixel_ids: the pixels.
            since: the start of the first day.
        """
        ...

    def count_by_kind(self) -> dict[VerdictKind, Count]:
        """Return how many opens were ever added, by the kind that they had then; only kinds that had any.

        The numbers never fall: deleting, purging, erasing and rejudging leave them. The cost does not depend on them.
        """
        ...

    def get_figures(self, pixel_id: str, *, top: int) -> Figures:
        """Return the counts of a pixel: the result of a scan of its recipients and of all opens it ever had.

        Costs by the hours and the different clients, not by the opens.

        Args:
            pixel_id: the pixel.
            top: the most recipients in the top list, and the most names of each facet; 1 to 100.

        Raises:
            PixelNotFound: it does not exist.
        """
        ...

    def rejudge(self, pixel_id: str, judgements: Sequence[Judgement]) -> int:
        """Apply judgements to opens of a pixel, and correct all counts that depend on them.

        Idempotent. Of two judgements of one open the later stands. Opens that do not exist are passed over.
        `Judgement.apply` returns the open as it must be stored.

        Returns:
            The number of judgements of opens that exist.
        """
        ...

    def count_opens(self, pixel_id: str, *, before: datetime) -> int:
        """Return the number of opens of a pixel that are not purged and whose time is before another.

        A pixel that does not exist has none. May cost by the opens, but keeps no writer waiting.
        """
        ...

    def purge_opens(self, pixel_id: str, *, before: datetime, limit: int) -> int:
        """Delete opens of a pixel whose time is before another, the first arrived first.

        All counts stay as if the opens were there, also when others are rejudged; lists show, and pass over, only the
        rest. `Pixel.purged` and `purged_before` follow. The storage forgets the ids of purged opens: given to
        `add_opens` again, one is new. The rows are overwritten once the last is deleted, as soon as no reader needs
        them any more.

        Args:
            pixel_id: the pixel; one that does not exist has no opens.
            before: an aware time.
            limit: the maximum number of opens, 1 to 10,000. A storage may delete fewer though more are left, so that
                other writers wait for 100 ms at most.

        Returns:
            The number of deleted opens; 0 only where none is left.
        """
        ...

    def add_key(self, key: ApiKey) -> None:
        """Add an API key.

        Raises:
            StorageError: another key has the same id; nothing was added.
        """
        ...

    def list_keys(self) -> list[ApiKey]:
        """Return all API keys, of which there are few, in the order in which they were added."""
        ...

    def delete_key(self, key_id: str) -> ApiKey:
        """Delete an API key, and return it as it was.

        Raises:
            KeyNotFound: there is none.
        """
        ...

    def ping(self) -> None:
        """Return if the storage answers.

        Raises:
            StorageError: it does not.
        """
        ...

    def close(self) -> None:
        """Release all resources. Closing twice is harmless; any other use afterwards raises `StorageError`."""
        ...

    def __enter__(self) -> Self:
        """Return the storage itself."""
        ...

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it."""
        ...
